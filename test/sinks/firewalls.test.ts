// A firewall before the receiver that refuses a request for what one event in it says, with a page of its own.
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

const page = '<!doctype html><title>Blocked</title><p>Request blocked by policy, support id 4711</p>';
const isBad = ({ text }: Seen): boolean => text.includes('DROP TABLE');
const success: Reply = { status: 200, body: { text: 'Success', code: 0 } };
const hecNoData: Reply = { status: 400, body: { text: 'No data', code: 5 } };

const kinds: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['splunk_hec', (url, context) => openSplunkHec(hecOptions(url, { acknowledge: 'off' }), context)],
  ['otlp', (url, context) => openHttp(httpOptions(url, { preset: 'otlp' }), context)],
  ['datadog', (url, context) => openHttp(httpOptions(url, { preset: 'datadog' }), context)],
];
const stored = [
  ...records('e', 20),
  record('b1', { text: 'DROP TABLE' }),
  ...records('f', 19),
  record('b2', { text: 'DROP TABLE' }),
];

it.each(kinds.flatMap(([name, open]) => [400, 403, 406].map((status) => ({ name, open, status }))))(
  '$name: a $status page at one event makes a dead letter of it, while the receiver itself answers',
  async ({ open, status }) => {
    await using receiver = await openReceiver((request) => {
      if (isBad(request)) return { status, body: page, headers: { 'content-type': 'text/html' } };
      return request.text === '' ? hecNoData : success;
    });
    const journal = memoryJournal();
    journal.put(live, stored);
    await using delivering = deliver(journal, (context) => open(receiver.url, context));

    expect(await delivering.drained()).toBe(true);

    expect(journal.letters.map(({ record: { uid }, code, text }) => [uid, code, text])).toEqual(
      ['b1', 'b2'].map((uid) => [uid, `http_${status}`, expect.stringContaining('Request blocked by policy, support id 4711')]),
    );
    expect(journal.settled).toMatchObject({ acknowledged: 39, dead_lettered: 2, possible_duplicates: 0 });
  },
);

it.each(kinds)('%s: a page at everything holds, and makes no dead letter', async (_, open) => {
  let isBlocked = true;
  await using receiver = await openReceiver(({ text }) => {
    if (isBlocked) return { status: 403, body: page, headers: { 'content-type': 'text/html' } };
    return text === '' ? hecNoData : success;
  });
  const journal = memoryJournal();
  journal.put(live, stored);
  await using delivering = deliver(journal, (context) => open(receiver.url, context));
  await until(() => delivering.loop.status().state === 'hold');
  isBlocked = false;

  expect(await delivering.drained()).toBe(true);
  expect(journal.letters).toEqual([]);
});

it.each(kinds)('%s: a page at every event, though not at a question, holds after the first few', async (_, open) => {
  await using receiver = await openReceiver((request) => {
    if (request.text.includes('"uid"') || request.text.includes('metadata')) return { status: 403, body: page };
    return request.text === '' ? hecNoData : success;
  });
  const journal = memoryJournal();
  journal.put(live, stored);
  await using delivering = deliver(journal, (context) => open(receiver.url, context));

  await until(() => delivering.loop.status().state === 'hold');

  expect(journal.letters.length).toBeLessThanOrEqual(2);
});

it('splunk_hec: a code that nobody knows yet is HEC speaking of itself, and holds', async () => {
  await using receiver = await openReceiver(({ text }) =>
    text === '' ? hecNoData : { status: 400, body: { text: 'Tenant is frozen', code: 41 } },
  );
  const journal = memoryJournal();
  journal.put(live, stored);
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context));

  await until(() => delivering.loop.status().state === 'hold');

  expect(delivering.loop.status().hold?.reason).toContain('Tenant is frozen');
  expect([journal.letters.length, receiver.seen.filter(({ text }) => text === '').length]).toEqual([0, 0]);
});
