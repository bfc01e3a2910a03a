// Receivers that break the connection at a message above their limit, over real sockets.
import net from 'node:net';
import { expect, it } from 'vitest';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { record, records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live } from './delivering.ts';
import { contextFor } from './sink-bench.ts';

const limit = 8192;

interface Limited extends AsyncDisposable {
  readonly port: number;
  /** Copies by the number of the event. */
  readonly copies: Map<string, number>;
}

/** Listens; `read` takes messages from the front of what came: the rest, or undefined to break the connection. */
async function limited(
  read: (text: string, take: (message: string) => void, answer: (text: string) => void) => string | undefined,
) {
  const copies = new Map<string, number>();
  const take = (message: string): void => {
    const uid = /uid="([ef]\d+|big)"/.exec(message)?.[1] ?? '?';
    copies.set(uid, (copies.get(uid) ?? 0) + 1);
  };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      const rest = read(text + chunk.toString('latin1'), take, (answer) => void socket.write(answer));
      if (rest === undefined) socket.resetAndDestroy();
      text = rest ?? '';
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    copies,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  } satisfies Limited;
}

function octetCounted(text: string, take: (message: string) => void): string | undefined {
  let rest = text;
  for (let match = /^(\d+) /.exec(rest); match !== null; match = /^(\d+) /.exec(rest)) {
    const [head, length = '0'] = match;
    if (Number(length) > limit) return undefined;
    if (rest.length < head.length + Number(length)) break;
    take(rest.slice(head.length, head.length + Number(length)));
    rest = rest.slice(head.length + Number(length));
  }
  return rest;
}

function relp(text: string, take: (message: string) => void, answer: (text: string) => void): string | undefined {
  let rest = text;
  for (let match = /^(\d+) (\w+) (\d+) ?/.exec(rest); match !== null; match = /^(\d+) (\w+) (\d+) ?/.exec(rest)) {
    const [head, txnr = '0', command, length = '0'] = match;
    const end = head.length + Number(length);
    if (Number(length) > limit) return undefined;
    if (rest.length < end + 1) break;
    if (command === 'syslog') take(rest.slice(head.length, end));
    answer(`${txnr} rsp 6 200 OK\n`);
    rest = rest.slice(end + 1);
  }
  return rest;
}

it.each([
  { name: 'tcp with octet counting', scheme: 'tcp', read: octetCounted, framing: 'octet_counting', most: 10 },
  { name: 'relp', scheme: 'relp', read: relp, most: 4 },
])(
  'makes the one message that breaks $name a dead letter and delivers the others',
  async ({ scheme, read, most, framing }) => {
    await using receiver = await limited(read);
    const journal = memoryJournal();
    journal.put(live, [...records('e', 20), record('big', { text: 'x'.repeat(19_000) }), ...records('f', 20)]);
    const options = {
      address: `${scheme}://127.0.0.1:${receiver.port}`,
      rfc: 5424,
      facility: 13,
      app_name: 'penstock',
      enterprise_number: 32_473,
      bom: false,
      oversize: 'refuse',
      resend_window: 1000,
      max_message: '64KiB',
      ...(framing === undefined ? {} : { framing }),
    };
    await using delivery = deliver(journal, (context) => syslog.open(options, contextFor(context)));

    const isDrained = await delivery.drained();

    expect({ isDrained, letters: journal.letters.map(({ record: { uid }, code }) => ({ uid, code })) }).toEqual({
      isDrained: true,
      letters: [{ uid: 'big', code: 'not_taken' }],
    });
    expect(receiver.copies.size).toBe(40);
    expect(Math.max(...receiver.copies.values())).toBeLessThanOrEqual(most);
    expect(journal.settled.possible_duplicates).toBeGreaterThan(0);
  },
  30_000,
);
