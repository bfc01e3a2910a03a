// Receivers that break the connection at a message above their limit, over real sockets.
import net from 'node:net';
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { record, records } from '../deliver/harness.ts';
import { hastyClock } from '../hasty-clock.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from './delivering.ts';
import { hecOptions, ok } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver } from './http-receiver.ts';
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

const syslogOptions = (scheme: string, port: number, framing: string | undefined) => ({
  address: `${scheme}://127.0.0.1:${port}`,
  rfc: 5424,
  facility: 13,
  app_name: 'penstock',
  enterprise_number: 32_473,
  bom: false,
  oversize: 'refuse',
  resend_window: 1000,
  max_message: '64KiB',
  ...(framing === undefined ? {} : { framing }),
});

const streams = [
  { name: 'tcp with octet counting', scheme: 'tcp', read: octetCounted, framing: 'octet_counting', most: 10 },
  { name: 'relp', scheme: 'relp', read: relp, framing: undefined, most: 4 },
] as const;

it.each(streams)(
  'makes the one message that breaks $name a dead letter and delivers the others',
  async ({ scheme, read, most, framing }) => {
    await using receiver = await limited(read);
    const journal = memoryJournal();
    journal.put(live, [...records('e', 20), record('big', { text: 'x'.repeat(19_000) }), ...records('f', 20)]);
    const options = syslogOptions(scheme, receiver.port, framing);
    await using delivery = deliver(journal, (context) => syslog.open(options, contextFor(context)), { clock: hastyClock(8) });

    const isDrained = await delivery.drained();

    expect({ isDrained, letters: journal.letters.map(({ record: { uid }, code }) => ({ uid, code })) }).toEqual({
      isDrained: true,
      letters: [{ uid: 'big', code: expect.stringMatching(/^not_taken/) }],
    });
    expect(receiver.copies.size).toBe(40);
    expect(Math.max(...receiver.copies.values())).toBeLessThanOrEqual(most);
    expect(journal.settled.possible_duplicates).toBeGreaterThan(0);
  },
);

it.each(streams)(
  'gives up a message that breaks $name with nothing else to send, within as many copies, and only while the receiver is there',
  async ({ scheme, read, most, framing }) => {
    let isDown = true;
    await using receiver = await limited((text, take, answer) => (isDown ? undefined : read(text, take, answer)));
    const journal = memoryJournal();
    journal.put(live, [record('big', { text: 'x'.repeat(19_000) })]);
    const options = syslogOptions(scheme, receiver.port, framing);
    await using delivery = deliver(journal, (context) => syslog.open(options, contextFor(context)), { clock: hastyClock(8) });
    await until(() => delivery.loop.status().last_error !== undefined);
    isDown = false;

    const isDrained = await delivery.drained();

    const [letter] = journal.letters;
    expect({ isDrained, uid: letter?.record.uid, code: letter?.code, text: letter?.text }).toEqual({
      isDrained: true,
      uid: 'big',
      code: 'not_taken_alone',
      text: expect.stringMatching(/^sent alone, it failed \d+ times while the receiver answered everything else: /),
    });
    // All copies but the first.
    expect(journal.settled.possible_duplicates).toBeLessThan(most);
    expect(receiver.copies.size).toBe(0);
  },
);

const ofRequests: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['http', (url, context) => openHttp(httpOptions(url), context)],
  ['splunk_hec', (url, context) => openSplunkHec(hecOptions(url, { compression: 'none' }), context)],
];

it.each(ofRequests)(
  '%s: gives up an event that breaks each request alone, and never one of a receiver that breaks them all',
  async (_, open) => {
    const journal = memoryJournal();
    journal.put(live, [record('big')]);
    let isDown = true;
    let copies = 0;
    await using receiver = await openReceiver(({ text }) => {
      const isBig = text.includes('"uid":"big"');
      copies += isBig ? 1 : 0;
      if (isDown || isBig) return (response) => void response.destroy();
      // Of a token with acknowledgements, asked without a channel.
      return text === '' ? { status: 400, body: { text: 'Data channel is missing', code: 10 } } : ok;
    });
    await using delivery = deliver(journal, (context) => open(receiver.url, context));
    // Nothing but the question whether it is there goes to a receiver that is down.
    await until(() => receiver.seen.length - copies >= 5);
    const whileDown = copies;
    expect(journal.letters).toEqual([]);
    isDown = false;

    expect(await delivery.drained()).toBe(true);

    expect(journal.letters.map(({ code, attempts }) => [code, attempts])).toEqual([['not_taken_alone', copies]]);
    expect(whileDown).toBeLessThanOrEqual(4);
    expect(copies).toBeLessThanOrEqual(10);
  },
);
