// A receiver that echoes a credential anywhere in a long answer: no part of it is shown, wherever the text is cut.
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from './delivering.ts';
import { hecOptions } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver, type Reply } from './http-receiver.ts';
import { listenRelp, opened } from './relp-receiver.ts';

const secret = 'Zq7pLw3xVn9sKd5tRb2yHg8mJc4fUa6eQi1oWz0uTx';
const items = (reason: string, size: number): Reply => {
  const error = { type: 'mapper_parsing_exception', reason: 'outer', caused_by: { type: 'inner', reason } };
  return { status: 200, body: { errors: true, items: Array.from({ length: size }, () => ({ create: { status: 400, error } })) } };
};
const http =
  (over: Parameters<typeof httpOptions>[1]) =>
  (url: string) =>
  (context: SinkContext): Sink =>
    openHttp(httpOptions(url, over), context);

const receivers = [
  ['http, an answer as text', http({}), (text: string): Reply => ({ status: 403, body: text })],
  ['http, an event refused', http({ body: 'single' }), (text: string): Reply => ({ status: 400, body: text })],
  ['bulk, an item', http({ preset: 'elasticsearch', index: 'audit' }), (text: string): Reply => items(text, 2)],
  [
    'splunk_hec, its text',
    (url: string) =>
      (context: SinkContext): Sink =>
        openSplunkHec(hecOptions(url), context),
    (text: string): Reply => ({ status: 403, body: { code: 4, text } }),
  ],
] as const;

/** All that is kept and shown of a sink that is refused with a text. */
async function shown(open: (context: SinkContext) => Sink | Promise<Sink>): Promise<string> {
  const journal = memoryJournal();
  journal.put(live, records('e', 2));
  await using delivery = deliver(journal, open, { secrets: [secret] });
  const hasRefused = (): boolean => journal.letters.length > 0 || delivery.loop.status().hold !== undefined;
  await until(hasRefused);
  return JSON.stringify([delivery.loop.status(), journal.letters]);
}

// Wherever the cut may be, now or one day.
const before = [0, 150, 170, 190, 250, 280, 460, 490, 960, 990, 3_960, 4_990];

function partsOf(text: string): string[] {
  const parts = Array.from({ length: secret.length - 5 }, (_, at) => secret.slice(at, at + 6));
  return parts.filter((part) => text.includes(part));
}

it.each(receivers)('%s', async (_name, open, answer) => {
  for (const length of before) {
    await using receiver = await openReceiver(() => answer(`${'x'.repeat(length)} ${secret} ${'y'.repeat(6_000)}`));

    expect(partsOf(await shown(open(receiver.url)))).toEqual([]);
  }
});

it('syslog over RELP, the words of a refusal', async () => {
  for (const length of before) {
    await using receiver = await listenRelp(({ command }) =>
      command === 'open' ? opened : `500 ${'x'.repeat(length)} ${secret} ${'y'.repeat(6_000)}`,
    );
    const options = { address: `relp://127.0.0.1:${receiver.port}`, rfc: 5424, facility: 13, app_name: 'penstock' };
    const others = { enterprise_number: 1, bom: false, oversize: 'refuse', resend_window: 1000 };

    expect(partsOf(await shown((context) => syslog.open({ ...options, ...others }, context)))).toEqual([]);
  }
});
