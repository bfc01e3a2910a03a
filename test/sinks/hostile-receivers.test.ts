// Receivers that break, stall or close in other ways than the usual ones: every event arrives or is a dead letter with the reason, copies are
// bounded, and each copy more is counted.
import net from 'node:net';
import { expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import type { StoredRecord } from '../../src/journal/journal.ts';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { record, records } from '../deliver/harness.ts';
import { hastyClock, leapingClock } from '../hasty-clock.ts';
import { type MemoryJournal, memoryJournal } from '../journal/memory-journal.ts';
import { fewOrAll, fewOrMany } from '../thorough.ts';
import { deliver, live, until } from './delivering.ts';
import { hecOptions } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver } from './http-receiver.ts';
import { listenRelp, opened } from './relp-receiver.ts';
import { contextFor } from './sink-bench.ts';

interface Stream extends AsyncDisposable {
  readonly port: number;
  /** Copies by the id of the event. */
  readonly copies: Map<string, number>;
}

type End = 'destroy' | 'resetAndDestroy' | 'end';

/** A TCP receiver of one message a line that ends the connection at a line that it cannot bear. */
async function lines(bears: (line: string) => boolean, end: End, idleMs?: number): Promise<Stream> {
  const copies = new Map<string, number>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let rest = '';
    let timer: NodeJS.Timeout | undefined;
    socket.on('error', () => undefined);
    socket.on('close', () => clearTimeout(timer));
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      clearTimeout(timer);
      if (idleMs !== undefined) timer = setTimeout(() => socket[end](), idleMs);
      const [last = '', ...whole] = (rest + chunk.toString('latin1')).split('\n').toReversed();
      rest = last;
      for (const line of whole.toReversed()) {
        if (!bears(line)) {
          socket[end]();
          return;
        }
        const uid = /uid="(\w+)"/.exec(line)?.[1] ?? '?';
        copies.set(uid, (copies.get(uid) ?? 0) + 1);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return { port, copies, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

const options = (address: string): Record<string, unknown> => ({
  address,
  rfc: 5424,
  facility: 13,
  app_name: 'penstock',
  enterprise_number: 1,
  bom: false,
  oversize: 'refuse',
  max_message: '1MB',
  resend_window: 1000,
});

const surplus = (copies: Map<string, number>): number => [...copies.values()].reduce((sum, count) => sum + count - 1, 0);
const lettersOf = ({ letters }: MemoryJournal): unknown[] => letters.map(({ record: { uid }, code }) => `${uid} ${code}`);

async function run(
  open: (context: SinkContext) => Sink | Promise<Sink>,
  stored: readonly StoredRecord[],
  letters: number,
  { clock, ...settings }: Partial<SinkSettings> & { readonly clock?: Clock } = {},
): Promise<{ readonly journal: MemoryJournal; readonly isDrained: boolean }> {
  const journal = memoryJournal();
  journal.put(live, stored);
  await using delivery = deliver(journal, open, { settings, ...(clock !== undefined && { clock }) });
  // A clean end, as draining asks for, would hide what broke the connection.
  await until(() => journal.letters.length >= letters);
  return { journal, isDrained: await delivery.drained() };
}

const bad = (uid: string): StoredRecord => record(uid, { text: 'BOOM' });
// Of so few others nobody can tell whether the receiver was in trouble: such an event goes again later.
const code = 'not_taken_alone';
const streams: readonly (readonly [string, readonly StoredRecord[], readonly string[]])[] = [
  ['the last of seven', [...records('e', 6), bad('b')], ['b']],
  ['two neighbours among forty', [...records('e', 20), bad('b'), bad('c'), ...records('f', 18)], ['b', 'c']],
];

it.each((['destroy', 'resetAndDestroy'] as const).flatMap((end) => streams.map((each) => [end, ...each] as const)))(
  'TCP that ends (%s) at a message: %s',
  async (end, _, stored, letters) => {
    await using receiver = await lines((line) => !line.includes('BOOM'), end);

    const { journal, isDrained } = await run(
      (context) => syslog.open(options(`tcp://127.0.0.1:${receiver.port}`), contextFor(context)),
      stored,
      letters.length,
      { clock: hastyClock(8) },
    );

    const most = Math.max(...receiver.copies.values());
    expect({ isDrained, letters: new Set(lettersOf(journal)) }).toEqual({
      isDrained: true,
      letters: new Set(letters.map((uid) => `${uid} ${code}`)),
    });
    expect(receiver.copies.size).toBe(stored.length - letters.length);
    expect(most).toBeLessThanOrEqual(10);
    expect(journal.settled.possible_duplicates).toBeGreaterThanOrEqual(surplus(receiver.copies));
  },
);

const idle = [
  ['end', 300],
  ['resetAndDestroy', 300],
  ['end', 1500],
] as const;

it.each(fewOrAll(2, idle))('TCP that closes what is idle (%s after %i ms)', async (end, idleMs) => {
  await using receiver = await lines(() => true, end, idleMs);

  const { journal, isDrained } = await run(
    (context) => syslog.open(options(`tcp://127.0.0.1:${receiver.port}`), contextFor(context)),
    records('e', 3),
    0,
  );

  expect({ isDrained, letters: lettersOf(journal), size: receiver.copies.size }).toEqual({
    isDrained: true,
    letters: [],
    size: 3,
  });
  expect(Math.max(...receiver.copies.values())).toBeLessThanOrEqual(3);
  expect(journal.settled.possible_duplicates).toBeGreaterThanOrEqual(surplus(receiver.copies));
});

it.each([
  ['the first of eight', [bad('b'), ...records('e', 7)], ['b']],
  ['the last of eight', [...records('e', 7), bad('b')], ['b']],
  ['two neighbours among twelve', [...records('e', 5), bad('b'), bad('c'), ...records('f', 5)], ['b', 'c']],
] as const)('RELP that ends its session at a message: %s', async (_, stored, letters) => {
  const copies = new Map<string, number>();
  await using receiver = await listenRelp(({ command, data }, socket) => {
    if (command === 'open') return opened;
    const uid = /uid="(\w+)"/.exec(data)?.[1];
    if (uid !== undefined) copies.set(uid, (copies.get(uid) ?? 0) + 1);
    if (!data.includes('BOOM')) return '200 OK';
    socket.resetAndDestroy();
    return undefined;
  });

  const { journal, isDrained } = await run(
    (context) => syslog.open(options(`relp://127.0.0.1:${receiver.port}`), contextFor(context)),
    stored,
    letters.length,
  );

  const taken = [...copies].filter(([uid]) => !letters.some((letter) => letter === uid)).map(([, count]) => count);
  expect({ isDrained, letters: new Set(lettersOf(journal)) }).toEqual({
    isDrained: true,
    letters: new Set(letters.map((uid) => `${uid} ${code}`)),
  });
  expect(Math.max(...taken)).toBeLessThanOrEqual(4);
  expect(journal.settled.possible_duplicates).toBeGreaterThanOrEqual(surplus(copies) - letters.length);
});

const uidsIn = (text: string): string[] => [...text.matchAll(/"uid":"(\w+)"/g)].map(([, uid = '']) => uid);
const slow: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['http', (url, context) => openHttp(httpOptions(url), context)],
  ['splunk_hec', (url, context) => openSplunkHec(hecOptions(url), context)],
];

it.each(
  slow.flatMap(([name, open]) =>
    (
      [
        [1.2, 6],
        [45, 12],
      ] as const
    )
      .slice(0, fewOrMany(1, 2))
      .map(([secondsEach, most]) => ({ name, open, secondsEach, most })),
  ),
)(
  '$name: a receiver that stores and takes $secondsEach s for each event, where a minute is allowed',
  async ({ open, secondsEach, most }) => {
    const copies = new Map<string, number>();
    const clock = leapingClock();
    const timeoutMs = 60_000;
    await using receiver = await openReceiver(({ text }) => {
      const uids = [...new Set(uidsIn(text))];
      for (const uid of uids) copies.set(uid, (copies.get(uid) ?? 0) + 1);
      return (response) => {
        clock.leap(uids.length * secondsEach * 1000);
        response.end('{"text":"Success","code":0}');
      };
    });

    const { journal, isDrained } = await run(
      (context) => open(receiver.url, { ...context, timeoutMs }),
      records('e', secondsEach < 10 ? 300 : 12),
      0,
      { timeoutMs, clock },
    );

    expect({ isDrained, letters: lettersOf(journal) }).toEqual({ isDrained: true, letters: [] });
    expect(Math.max(...copies.values())).toBeLessThanOrEqual(most);
    expect(journal.settled.possible_duplicates).toBeGreaterThanOrEqual(surplus(copies));
  },
);
