import { expect, it } from 'vitest';
import { compileFilter } from '../../src/deliver/prepare.ts';
import type { Mapped, Mapper } from '../../src/event/event.ts';
import { withValidation } from '../../src/event/ocsf/validate.ts';
import type { Lane } from '../../src/journal/journal.ts';
import type { OutgoingEvent, Verdicts } from '../../src/sinks/sink.ts';
import { collectingLog } from '../collect/fixture.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { accepted, demoMapper, record, records, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;

it('leaves out what one sink does not want, and of no other sink, again the same for a retry', async () => {
  const journal = memoryJournal();
  journal.put(live, [record('a')]);
  const demo = demoMapper();
  const mapper: Mapper = {
    table: 'demo',
    map(envelope, context) {
      const mapped = demo.map(envelope, context);
      return { ...mapped, event: { ...mapped.event, unmapped: { much: 'x'.repeat(100) }, observables: [{ type_id: 2 }] } };
    },
  };
  const sentBy = async (drop: ('unmapped' | 'observables')[]): Promise<unknown[]> => {
    const bodies: string[] = [];
    const sent: string[] = [];
    const answers: Verdicts[] = [{ all: { kind: 'retry', reason: 'busy' } }, accepted];
    const { loop, clock } = setUp({
      journal,
      answer(batch) {
        sent.push(batch.encoded.texts().join('\n'));
        return answers.shift() ?? accepted;
      },
      settings: { name: `out-${drop.join('-')}`, drop },
      sink: {
        encode({ body }: OutgoingEvent) {
          bodies.push(body);
          return body;
        },
      },
      deps: { mapperFor: () => Promise.resolve(mapper) },
    });
    loop.start();
    await clock.until(loop.drained(never));
    await clock.until(loop.stop(0));
    expect(sent).toEqual([bodies[0], bodies[0]]);
    return bodies.map((body) =>
      Object.keys(JSON.parse(body) as object).filter((name) => ['unmapped', 'observables'].includes(name)),
    );
  };

  expect(await Promise.all([sentBy([]), sentBy(['unmapped']), sentBy(['unmapped', 'observables'])])).toEqual([
    [['unmapped', 'observables']],
    [['observables']],
    [[]],
  ]);
});

it('delivers events that are not valid by OCSF, counts them by action, and logs each action once', async () => {
  const journal = memoryJournal();
  journal.put(live, [record('a'), record('b'), record('c', { action: 'user.logout' })]);
  const { log, lines } = collectingLog();
  const { loop, clock, sent } = setUp({
    journal,
    answer: () => accepted,
    deps: { log, mapperFor: () => Promise.resolve(withValidation(demoMapper())) },
  });
  loop.start();
  await clock.until(loop.drained(never));

  expect(sent.flatMap(({ uids }) => uids)).toEqual(['a', 'b', 'c']);
  expect(loop.status().invalid_events).toEqual([
    { source: 'acme', action: 'user.login', count: 2, fault: 'the event has none of service, dst_endpoint' },
    { source: 'acme', action: 'user.logout', count: 1, fault: 'the event has none of service, dst_endpoint' },
  ]);
  expect(lines.filter(({ msg }) => String(msg).startsWith('event is not valid OCSF')).map(({ action }) => action)).toEqual([
    'user.login',
    'user.logout',
  ]);
  await clock.until(loop.stop(0));
});

it('does not let invented actions fill the memory with what is wrong with their events', async () => {
  const journal = memoryJournal();
  journal.put(
    live,
    Array.from({ length: 300 }, (_, index) => record(`e${index}`, { action: `new.${index}` })),
  );
  const { loop, clock } = setUp({
    journal,
    answer: () => accepted,
    deps: { mapperFor: () => Promise.resolve(withValidation(demoMapper())) },
  });
  loop.start();
  await clock.until(loop.drained(never));

  const { invalid_events: invalid = [] } = loop.status();
  expect([invalid.length, invalid.at(-1)]).toEqual([201, expect.objectContaining({ action: '(others)', count: 100 })]);
  await clock.until(loop.stop(0));
});

it('lets the events of a batch lie behind each other, also where its bytes are what ends it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('a', 60, { text: 'x'.repeat(900) }));
  const batches: { readonly texts: readonly string[]; readonly inPlace: string | undefined }[] = [];
  const { loop } = setUp({
    journal,
    answer(batch) {
      batches.push({ texts: batch.encoded.texts(), inPlace: batch.encoded.inPlace?.toString() });
      return accepted;
    },
    settings: { batch: { events: 100, bytes: 10_000, waitMs: 0 } },
  });

  loop.start();
  await loop.drained(never);
  await loop.stop(0);

  expect(batches.length).toBeGreaterThan(5);
  expect(batches.map(({ inPlace }) => inPlace)).toEqual(batches.map(({ texts }) => texts.join('')));
  expect(
    batches.flatMap(({ texts }) => texts.map((text) => (JSON.parse(text) as { metadata: { uid: string } }).metadata.uid)),
  ).toEqual(Array.from({ length: 60 }, (_, index) => `a${index}`));
});

it('gives a sink its own labels on what other sinks share', async () => {
  const journal = memoryJournal();
  journal.put(live, [record('a')]);
  const labels: unknown[] = [];
  const mapper = demoMapper();
  const loops = [['soc'], [], []].map((own, index) =>
    setUp({
      journal,
      settings: { name: `out${index}`, labels: own },
      deps: { mapperFor: () => Promise.resolve(mapper) },
      answer({ encoded }) {
        labels[index] = encoded.texts().map((text) => (JSON.parse(text) as { metadata: { labels: unknown } }).metadata.labels);
        return accepted;
      },
    }),
  );
  // The one without labels reads it first.
  for (const { loop } of loops.toReversed()) loop.start();
  for (const { loop, clock } of loops.toReversed()) await clock.until(loop.drained(never));

  expect(labels).toEqual([[['soc', 'source:acme']], [['source:acme']], [['source:acme']]]);
  for (const { loop, clock } of loops) await clock.until(loop.stop(0));
});

it.each([
  ['has no action', { actionKey: undefined }],
  ['could not be mapped', { actionKey: 'user.login', failed: 'too deep' }],
])('lets pass, whatever the filter, what %s', (_, mapped) => {
  const passes = compileFilter({ only_actions: ['user_logout'], min_severity: 5 });

  expect(passes({ ...mapped, event: { severity_id: 1 } } as unknown as Mapped)).toBe(true);
  expect(passes({ actionKey: 'user.login', event: { severity_id: 1 } } as unknown as Mapped)).toBe(false);
});
