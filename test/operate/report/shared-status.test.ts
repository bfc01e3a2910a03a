import { expect, it } from 'vitest';
import { systemSeams } from '../../../src/base/seams.ts';
import type { Config } from '../../../src/config/config.ts';
import { ownsEverything } from '../../../src/journal/contract/ownership.ts';
import type { MissingReplica, Replica } from '../../../src/journal/journal.ts';
import { sharedStatus } from '../../../src/operate/report/shared-status.ts';
import { storedStatus } from '../../../src/operate/report/stored-status.ts';
import { commitOf, sink, someRecords, source, temporaryJournal } from '../../journal/fixture.ts';
import { virtualClock } from '../../virtual-clock.ts';
import { quietSink } from './quiet-sink.ts';

const idle = {
  connector: 'acme',
  state: 'idle',
  consecutive_failures: 0,
  records: { fetched: 0, new: 0, duplicate: 0, excluded: 0, unreadable: 0 },
  warnings: [],
};
const now = 1_800_000_000_000;
const hold = { since: 1, reason: 'answered 403', fix: 'renew the token' };

const replica = (name: string, times: Partial<Replica>, sources: readonly object[], sinks: readonly object[]): Replica => ({
  name,
  version: '1',
  since: 1_000,
  sources: sources.length,
  lastSeen: 9_000,
  sinks: [],
  disabledSinks: [],
  isSelf: false,
  ...times,
  report: { sources, sinks },
});

/** What is shown of these replicas to who asks with a file that names these sinks. */
async function shown(replicas: readonly Replica[], missing: readonly MissingReplica[] = [], sinks: readonly object[] = []) {
  await using journal = await temporaryJournal();
  await journal.register([source('t')], [sink('extra')]);
  await journal.append(commitOf('t', someRecords(3)));
  const ownership = { ...ownsEverything, replicas: () => Promise.resolve(replicas), missing: () => Promise.resolve(missing) };
  const shared = { ...journal, ownership };
  return sharedStatus({ sources: [], sinks } as unknown as Config, shared, { ...systemSeams(), clock: virtualClock(now) });
}

it('shows what only other replicas are configured with, who has it, and what it waits for', async () => {
  const { sources, sinks, problems } = await shown([
    replica('one', {}, [{ ...idle, name: 's' }], [{ ...quietSink, name: 'extra', state: 'idle' }]),
    replica('two', {}, [{ ...idle, name: 't', state: 'hold', hold }], []),
  ]);

  expect(sources.map(({ name, state, replica: at, records }) => [name, state, at, records.new])).toEqual([
    ['s', 'idle', 'one', 0],
    ['t', 'hold', 'two', 3],
  ]);
  expect(sinks.map(({ name, pending }) => [name, pending])).toEqual([['extra', 3]]);
  expect(problems).toContainEqual({
    level: 'error',
    where: 'source t',
    what: expect.stringContaining('answered 403'),
    fix: 'renew the token',
  });
});

it('calls nothing on hold that is not enabled, though it was, and knows of it again once it is', async () => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('out')]);
  await journal.setHold('source', 's', hold);
  await journal.setHold('sink', 'out', hold);
  const shownAs = async (enabled: boolean) => {
    const sources = [{ name: 's', connector: { name: 'acme' }, enabled }];
    const config = { sources, sinks: [{ name: 'out', type: 'file', enabled }] } as unknown as Config;
    return storedStatus(config, journal, { ...systemSeams(), clock: virtualClock(now) });
  };

  const [off, on] = [await shownAs(false), await shownAs(true)];

  expect(off.problems.filter(({ what }) => what.includes('on hold'))).toEqual([]);
  expect(on.problems.filter(({ what }) => what.includes('on hold')).map(({ where }) => where)).toEqual(['source s', 'sink out']);
});

it('says which replicas lack a sink that others have', async () => {
  const { problems } = await shown([
    replica('one', { sinks: ['lake'] }, [], []),
    replica('two', { sinks: ['extra', 'lake'] }, [], []),
    replica('three', { sinks: ['lake'] }, [], []),
  ]);

  expect(problems.filter(({ where }) => where.startsWith('sink'))).toEqual([
    {
      level: 'warning',
      where: 'sink extra',
      what: 'not configured, or disabled, at "one", "three"; what comes from the sources there waits in the journal, and is no part of the lag',
      fix: 'give every replica the same sinks, or finish the change',
    },
  ]);
});

it('calls no sink an orphan that is disabled elsewhere, or that a missing replica was configured with', async () => {
  const one = replica('one', { sinks: [] }, [], []);

  const without = await shown([one]);
  const disabled = await shown([{ ...one, disabledSinks: ['extra'] }]);
  const { orphan_sinks } = await shown([one], [{ name: 'two', lastSeen: now - 60_000, sinks: ['extra'] }]);

  expect([without, disabled].map(({ orphan_sinks: all }) => all)).toEqual([['extra'], []]);
  expect(orphan_sinks).toEqual([]);
});

it('says that events wait for a sink that is not enabled only where no replica delivers to it', async () => {
  const extra = { name: 'extra', type: 'file', enabled: false };
  const one = replica('one', { disabledSinks: ['extra'] }, [], []);
  const two = replica('two', { sinks: ['extra'] }, [], [{ ...quietSink, name: 'extra', state: 'idle' }]);

  const nowhere = await shown([one], [], [extra]);
  const elsewhere = await shown([one, two], [], [extra]);

  const said = [nowhere, elsewhere].map(({ problems }) => problems.filter(({ what }) => what.startsWith('is not enabled')));
  expect(said).toMatchObject([[{ where: 'sink extra', what: expect.stringContaining('3 events wait for it') as string }], []]);
  expect(elsewhere.sinks).toMatchObject([{ name: 'extra', state: 'idle', pending: 3 }]);
});

it('names who is missing, as long as somebody lives', async () => {
  const lastSeen = now - 12 * 60_000;
  const missing = [{ name: 'three', lastSeen, sinks: [] }];

  const { replicas, missing_replicas, problems } = await shown([replica('one', {}, [], [])], missing);
  const none = await shown([], missing);

  expect([replicas?.map(({ name }) => name), missing_replicas]).toEqual([['one'], [{ name: 'three', last_seen: lastSeen }]]);
  expect(problems).toContainEqual({
    level: 'warning',
    where: 'replicas',
    what: '"three" was last heard of 12m ago and did not leave; the others have its sources',
    fix: 'start it again, or another in its place; where none is wanted, this goes a day after it was last heard of',
  });
  expect(none.problems.map(({ where }) => where)).not.toContain('replicas');
});

it('adds up what each replica counted of a sink, and says what is wrong with its events', async () => {
  const invalid = { source: 's', action: 'login', count: 2, fault: 'no user' };
  const endpoint = { endpoint: 'http://soc', failures: 0 };
  const here = {
    ...quietSink,
    name: 'extra',
    map_failed: 1,
    unknown_actions: { a: 1 },
    classes: { Login: 2 },
    counters: { truncated: 1 },
  };
  const there = { ...here, unknown_actions: { a: 2, b: 1 }, invalid_events: [invalid] };

  const { sinks, problems } = await shown([
    replica('one', {}, [], [{ ...here, endpoints: [{ ...endpoint, failures: 3 }], invalid_events: [invalid] }]),
    replica('two', {}, [], [{ ...there, endpoints: [endpoint] }]),
  ]);

  expect(sinks[0]).toMatchObject({
    map_failed: 2,
    unknown_actions: { a: 3, b: 1 },
    classes: { Login: 4 },
    counters: { truncated: 2 },
    invalid_events: [{ ...invalid, count: 4 }],
    endpoints: [{ endpoint: 'http://soc', failures: 3 }],
  });
  expect(problems.map(({ what }) => what)).toContainEqual(
    expect.stringContaining('4 events of action "login" are not valid OCSF'),
  );
});

it('says at which replica a sink stands still, where it goes on at another', async () => {
  const warning = 'the receiver warns: slow down';
  const text = 'no progress for 12m: answered 503';
  const extra = { ...quietSink, name: 'extra', last_acknowledged: now - 60_000 };

  const { sinks, problems } = await shown([
    replica('one', {}, [], [{ ...extra, warnings: [text, warning], errors: [text] }]),
    replica('two', {}, [], [{ ...extra, warnings: [warning] }]),
  ]);

  expect(sinks[0]).toMatchObject({ warnings: [`${text} (at one)`, warning], errors: [`${text} (at one)`] });
  expect(sinks[0]).not.toHaveProperty('replica');
  expect(problems).toContainEqual({
    level: 'error',
    where: 'sink extra',
    what: `${text} (at one); it last took an event 1m ago; 3 events wait in the journal`,
    fix: 'see to what the reason says: "penstock check" tries the sink; delivery goes on by itself',
  });
});

it.each([
  { before: { since: 1_000, lastSeen: 9_000 }, said: 1 },
  // It was killed, and is not forgotten yet.
  { before: { since: 1_000, lastSeen: 4_900 }, said: 0 },
])('tells two replicas of one name from one that took the place of another ($said)', async ({ before, said }) => {
  const { problems } = await shown([
    replica('one', before, [], []),
    replica('one', { since: 5_000 }, [], []),
    replica('two', {}, [], []),
  ]);

  expect(problems.filter(({ what }) => what.includes('two replicas are called "one"'))).toHaveLength(said);
});
