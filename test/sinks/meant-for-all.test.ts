// What a receiver says to one event in words that are meant for all: the others get through, that one becomes a dead letter.
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { record, records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from './delivering.ts';
import { hecOptions } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver, type Reply, type Seen } from './http-receiver.ts';

type Open = (url: string, context: SinkContext) => Sink;

const http: Open = (url, context) => openHttp(httpOptions(url), context);
const elastic: Open = (url, context) => openHttp(httpOptions(url, { preset: 'elasticsearch', index: 'audit' }), context);
const hec: Open = (url, context) => openSplunkHec(hecOptions(url, { acknowledge: 'off' }), context);
const success: Reply = { status: 200, body: { text: 'Success', code: 0 } };
const isBad = (text: string): boolean => text.includes('BOOM');

const whole =
  (refusal: Reply) =>
  ({ text }: Seen): Reply =>
    isBad(text) ? refusal : success;

const items =
  (status: number, type: string) =>
  ({ text }: Seen): Reply => {
    const bodies = text.split('\n').filter((_, line) => line % 2 === 1);
    const each = bodies.map((body) => (isBad(body) ? { status, error: { type, reason: type } } : { status: 201 }));
    return { status: 200, body: { took: 1, errors: bodies.some(isBad), items: each.map((create) => ({ create })) } };
  };

const cases: readonly (readonly [string, Open, (request: Seen) => Reply])[] = [
  ['a 403 of a firewall', http, whole({ status: 403, body: { error: 'blocked' } })],
  ['a redirect', http, whole({ status: 302, headers: { location: '/blocked' } })],
  ['a conflict', http, whole({ status: 409, body: 'conflict' })],
  ['a code of HEC that is newer than the table', hec, whole({ status: 400, body: { text: 'Odd', code: 99 } })],
  ['the index of one event, for HEC', hec, whole({ status: 400, body: { text: 'Incorrect index', code: 7 } })],
  ['a missing index of one item', elastic, items(404, 'index_not_found_exception')],
];

/** Delivers a bad event among others while new ones come, until there is a letter. */
it.each(cases)('%s', async (_name, open, answer) => {
  const journal = memoryJournal();
  journal.put(live, [...records('e', 30), record('bad', { text: 'BOOM' }), ...records('f', 30)]);
  await using receiver = await openReceiver(answer);
  await using delivery = deliver(journal, (context) => open(receiver.url, context), {
    settings: { inFlight: 4, batch: { events: 20, bytes: 1_000_000, waitMs: 0 } },
  });

  let more = 0;
  await until(() => {
    if (journal.letters.length === 0) journal.put(live, records(`new${(more += 1)}-`, 1));
    return journal.letters.length > 0;
  });
  const isDrained = await delivery.drained();

  expect({ isDrained, letters: journal.letters.map(({ record: { uid } }) => uid) }).toEqual({
    isDrained: true,
    letters: ['bad'],
  });
  expect(journal.settled).toMatchObject({ acknowledged: 60 + more, dead_lettered: 1, possible_duplicates: 0 });
});

it.each([
  ['asked to come later', http, whole({ status: 429 })],
  ['of which HEC says that it failed', hec, whole({ status: 500, body: { text: 'Internal server error', code: 8 } })],
  ['that is an item whose shard is away', elastic, items(503, 'unavailable_shards_exception')],
] as const)('lets the others through beside an event %s', async (_name, open, answer) => {
  const journal = memoryJournal();
  journal.put(live, [...records('e', 30), record('bad', { text: 'BOOM' }), ...records('f', 30)]);
  await using receiver = await openReceiver(answer);
  await using _delivery = deliver(journal, (context) => open(receiver.url, context), {
    settings: { inFlight: 4, batch: { events: 20, bytes: 1_000_000, waitMs: 0 } },
  });
  const passed = (): string => receiver.seen.flatMap(({ text }) => (isBad(text) && open !== elastic ? [] : [text])).join('\n');
  const isThere = (uid: string): boolean => passed().includes(`"uid":"${uid}"`);

  await until(() => [...records('e', 30), ...records('f', 30)].every(({ uid }) => isThere(uid)));

  expect(journal.letters).toEqual([]);
});

const broken: Reply = (response) => void response.destroy();

it.each([
  ['503', whole({ status: 503, body: 'later' })],
  ['500', whole({ status: 500, body: 'error' })],
  ['a connection that breaks', ({ text }: Seen): Reply => (isBad(text) ? broken : success)],
] as const)('lets what is new pass 600 events that meet %s, one request at a time', async (_name, answer) => {
  const journal = memoryJournal();
  journal.put(live, [...records('bad', 600, { text: 'BOOM' }), ...records('good', 100)]);
  await using receiver = await openReceiver(answer);
  await using _delivery = deliver(journal, (context) => http(receiver.url, context), {
    settings: { batch: { events: 100, bytes: 1_000_000, waitMs: 0 } },
  });
  const isThere = (uid: string): boolean => receiver.seen.some(({ text }) => !isBad(text) && text.includes(`"uid":"${uid}"`));

  await until(() => records('good', 100).every(({ uid }) => isThere(uid)));
  journal.put(live, records('new', 3));
  await until(() => records('new', 3).every(({ uid }) => isThere(uid)));

  expect(journal.letters.filter(({ record: { uid } }) => !uid.startsWith('bad'))).toEqual([]);
});

it.each([429, 503])('keeps the order, one request at a time, while all that is asked is answered %s', async (status) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 40));
  let posts = 0;
  await using receiver = await openReceiver(({ method }) => {
    if (method === 'POST') posts += 1;
    return posts < 30 ? { status } : success;
  });
  await using delivery = deliver(journal, (context) => http(receiver.url, context), {
    settings: { batch: { events: 10, bytes: 1_000_000, waitMs: 0 } },
  });

  const isDrained = await delivery.drained();

  const taken = receiver.seen
    .filter(({ method }) => method === 'POST')
    .slice(29)
    .flatMap(({ text }) => [...text.matchAll(/"uid":"(e\d+)"/g)].map(([, uid]) => uid));
  expect({ isDrained, taken }).toEqual({ isDrained: true, taken: records('e', 40).map(({ uid }) => uid) });
});
