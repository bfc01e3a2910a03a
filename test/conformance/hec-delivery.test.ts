// What the HEC sink promises and only the delivery loop can show, one test per statement.
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { Endpoints } from '../../src/deliver/endpoints/endpoints.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live, until } from '../sinks/delivering.ts';
import { envelopes, hecOptions, hecToken, ok } from '../sinks/hec.ts';
import { openReceiver, type Reply, type Seen } from '../sinks/http-receiver.ts';
import { manualClock } from '../sinks/sink-bench.ts';

const uidsOf = ({ text }: Seen): string[] => envelopes(text).map(({ fields }) => (fields as { penstock_id: string }).penstock_id);
const hec = (status: number, code: number, more: object = {}): Reply => ({
  status,
  body: { text: `code ${code}`, code, ...more },
});
const uids = (count: number): string[] => Array.from({ length: count }, (_, at) => `e${at}`);

it('No body exceeds the configured bytes before compression, unless it holds a single event', async () => {
  const journal = memoryJournal();
  const sizes = [100, 4000, 9000, 20_000, 50, 5000, 5000, 5000];
  journal.put(
    live,
    sizes.flatMap((size, at) => records(`e${at}-`, 2, { text: 'ü'.repeat(size / 2) })),
  );
  await using receiver = await openReceiver(() => ok);
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context), {
    settings: { batch: { events: 500, bytes: 15_000, waitMs: 0 } },
  });

  await delivering.drained();

  const bodies = receiver.seen.map((seen) => ({ bytes: Buffer.byteLength(seen.text), events: uidsOf(seen).length }));
  expect(bodies.reduce((sum, { events }) => sum + events, 0)).toBe(16);
  expect(bodies.filter(({ bytes, events }) => bytes > 15_000 && events > 1)).toEqual([]);
  expect(bodies.some(({ events }) => events > 1)).toBe(true);
});

it('An event above max_event_bytes is dead-lettered unsent, the others are delivered', async () => {
  const journal = memoryJournal();
  journal.put(live, [...records('e', 2), ...records('huge', 1, { text: 'x'.repeat(6_000_000) })]);
  await using receiver = await openReceiver(() => ok);
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context));

  await delivering.drained();

  expect(receiver.seen.flatMap(uidsOf)).toEqual(uids(2));
  expect(journal.letters.map(({ record, code }) => [record.uid, code])).toEqual([['huge0', 'too_large']]);
});

it('A token that the receiver echoes shows in no status, hold or dead letter', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  await using receiver = await openReceiver(() => ({ status: 403, body: { text: `Invalid token ${hecToken}`, code: 4 } }));
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context), {
    secrets: [hecToken],
  });

  await until(() => delivering.loop.status().hold !== undefined);

  const shown = JSON.stringify([delivering.loop.status(), [...journal.holdNotes], journal.letters]);
  expect(shown).toContain('Invalid token');
  expect(shown).not.toContain(hecToken);
});

it('A refused token holds without a dead letter; once it is right everything is delivered', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 5));
  let isRight = false;
  const stored: string[] = [];
  await using receiver = await openReceiver((seen) => {
    if (!isRight) return hec(403, 4);
    stored.push(...uidsOf(seen));
    return ok;
  });
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context));

  await until(() => delivering.loop.status().state === 'hold');
  const held = { offset: journal.offsetOf(live), letters: journal.letters.length };
  isRight = true;
  await delivering.drained();

  expect(held).toEqual({ offset: 0, letters: 0 });
  expect(stored.toSorted()).toEqual(uids(5));
});

it('Code 6 dead-letters the bad event and delivers every other once', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 6));
  const stored: string[] = [];
  await using receiver = await openReceiver((seen) => {
    const sent = uidsOf(seen);
    const bad = sent.indexOf('e3');
    stored.push(...(bad === -1 ? sent : sent.slice(0, bad)));
    return bad === -1 ? ok : hec(400, 6, { 'invalid-event-number': bad });
  });
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context));

  await delivering.drained();

  expect(stored.toSorted()).toEqual(uids(6).filter((uid) => uid !== 'e3'));
  expect(journal.letters.map(({ record, code: letter }) => [record.uid, letter])).toEqual([['e3', 'hec_6']]);
});

it.each([3, 300])('When the index of %i events is refused the sink holds at once, without a dead letter', async (events) => {
  const journal = memoryJournal();
  journal.put(live, records('e', events));
  await using receiver = await openReceiver(() => hec(400, 7, { 'invalid-event-number': 1 }));
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context));

  await until(() => delivering.loop.status().state === 'hold');

  expect(delivering.loop.status().hold?.reason).toContain('(code 7)');
  expect(journal.letters).toEqual([]);
});

const busy: Reply = { status: 503, headers: { 'retry-after': '1' }, body: { text: 'Server is busy', code: 9 } };

it('An endpoint that asks for a second is left alone for a second', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const { seams, advance } = manualClock();
  const at: number[] = [];
  await using receiver = await openReceiver((_, count) => {
    at.push(seams.clock.now());
    return count === 1 ? busy : ok;
  });
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context), {
    clock: seams.clock,
  });

  await until(() => {
    advance(10);
    return at.length === 2;
  });
  await delivering.drained();

  const [first = 0, second = 0] = at;
  expect(at.length).toBe(2);
  expect(second - first).toBeGreaterThanOrEqual(1000);
});

it('The pause of an endpoint has jitter, doubles up to 60 s, and is one for all requests', () => {
  const pauses = [1, 2, 3].map((seed) => {
    const { seams, advance } = manualClock();
    const endpoints = new Endpoints(seams.clock, seededRandom(seed), 60_000);
    endpoints.replace(['a']);
    return Array.from({ length: 12 }, () => {
      const use = endpoints.take(true);
      if (use === undefined) throw new Error('no endpoint');
      advance(1);
      // Two more requests that were under way when it failed say nothing new.
      for (let request = 0; request < 3; request += 1) endpoints.fail(use);
      endpoints.release(use);
      const waitMs = endpoints.waitMs() ?? 0;
      expect(endpoints.take(false)).toBe(undefined);
      advance(waitMs + 1);
      return waitMs;
    });
  });

  const ceilings = Array.from({ length: 12 }, (_, failures) => Math.min(60_000, 1000 * 2 ** failures));
  for (const waits of pauses) expect(waits.filter((wait, at) => wait > (ceilings[at] ?? 0))).toEqual([]);
  expect(new Set(pauses.flat()).size).toBeGreaterThan(30);
  expect(Math.max(...pauses.flat())).toBeGreaterThan(30_000);
});

it('While one endpoint is busy the other gets the traffic; then the first is tried again', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 20));
  let isBusy = true;
  await using one = await openReceiver(() => (isBusy ? busy : ok));
  await using other = await openReceiver(() => ok);
  // The rest of the busy one is over when this says so, however long the other takes.
  const { seams, advance } = manualClock();
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions([one.url, other.url]), context), {
    settings: { batch: { events: 1, bytes: 1_000_000, waitMs: 0 } },
    clock: seams.clock,
  });

  await delivering.drained();
  const whileBusy = [one.seen.length, other.seen.length];
  isBusy = false;
  let round = 0;
  await until(() => {
    journal.put(live, records(`r${round}-`, 1));
    round += 1;
    advance(1000);
    return one.seen.length > 1;
  });

  expect(whileBusy).toEqual([1, 20]);
  expect(journal.letters).toEqual([]);
});

it('A healthy answer of the health path ends no hold', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  await using receiver = await openReceiver(({ path }) => (path.includes('health') ? hec(200, 17) : hec(403, 4)));
  await using delivering = deliver(journal, (context) => openSplunkHec(hecOptions(receiver.url), context));

  await until(() => receiver.seen.filter(({ path }) => path.endsWith('/event')).length >= 3);

  expect(delivering.loop.status().state).toBe('hold');
  expect(journal.offsetOf(live)).toBe(0);
});

it('The offset moves over the contiguous acknowledged batches only', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  let isHeldBack = true;
  await using receiver = await openReceiver((seen) => {
    if (seen.path.endsWith('/event'))
      return { status: 200, body: { text: 'Success', code: 0, ackId: Number(uidsOf(seen)[0]?.slice(1)) } };
    const { acks } = JSON.parse(seen.text) as { acks: number[] };
    return { status: 200, body: { acks: Object.fromEntries(acks.map((id) => [id, id !== 1 || !isHeldBack])) } };
  });
  const options = hecOptions(receiver.url, { acknowledge: 'require', ack_poll: '10ms' });
  await using delivering = deliver(journal, (context) => openSplunkHec(options, context), {
    settings: { batch: { events: 1, bytes: 1_000_000, waitMs: 0 }, inFlight: 4 },
  });
  const polls = (): number => receiver.seen.filter(({ path }) => path.endsWith('/ack')).length;

  await until(() => journal.offsetOf(live) === 1 && polls() > 5);
  const heldBack = journal.offsetOf(live);
  isHeldBack = false;
  await delivering.drained();

  expect(heldBack).toBe(1);
  expect(journal.offsetOf(live)).toBe(3);
});

it('What was not acknowledged when the process died is sent again, under a new channel', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 4));
  let tells = false;
  await using receiver = await openReceiver((seen) => {
    if (seen.path.endsWith('/event')) return { status: 200, body: { text: 'Success', code: 0, ackId: 0 } };
    return { status: 200, body: { acks: { 0: tells } } };
  });
  const options = hecOptions(receiver.url, { acknowledge: 'require', ack_poll: '10ms' });
  {
    await using _before = deliver(journal, (context) => openSplunkHec(options, context));
    await until(() => receiver.seen.some(({ path }) => path.endsWith('/ack')));
  }
  const offset = journal.offsetOf(live);
  tells = true;
  await using after = deliver(journal, (context) => openSplunkHec(options, context));
  await after.drained();

  const posts = receiver.seen.filter(({ path }) => path.endsWith('/event'));
  expect(offset).toBe(0);
  expect(posts.map(uidsOf)).toEqual([uids(4), uids(4)]);
  expect(new Set(posts.map(({ headers }) => headers['x-splunk-request-channel'])).size).toBe(2);
  expect(journal.offsetOf(live)).toBe(4);
});
