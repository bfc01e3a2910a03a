import { expect, it } from 'vitest';
import { drawScenario } from '../draw.ts';
import { play } from '../play.ts';
import { type CrewFault, crewFrom, hour, minute, type Scenario, type Wire } from '../scenario.ts';
import { changing, keeping } from './histories.ts';

/** A quarter of an hour of two replicas, the clock of one an hour ahead: one source, one sink, a record each minute. */
const calm: Scenario = {
  ...drawScenario(crewFrom, 0.25),
  sources: [{ name: 'offset', kind: 'offset', pageSize: 3, backMs: 0 }],
  sinks: [{ name: 'sink1', acknowledges: 'now', inFlight: 1, batchEvents: 10 }],
  events: Array.from({ length: 10 }, (_none, n) => ({ source: 'offset', n, at: (n + 1) * minute, late: 0 })),
  faults: [],
  crew: { leaseMs: 5_000, clocks: [0, hour], faults: [] },
};

const among = (faults: readonly CrewFault[]): Scenario => ({ ...calm, crew: { leaseMs: 5_000, clocks: [0, hour], faults } });
const each = (kind: CrewFault['kind'], at: number, ms: number): CrewFault[] =>
  [0, 1].map((replica) => ({ kind, at: at + replica * 3 * minute, ms, replica }));

it.each([
  ['nothing happens', [], 2],
  ['one is killed after the other', each('kill', 100_000, minute), 4],
  ['one leaves and joins after the other', each('stop', 100_000, minute), 4],
  ['one stalls after the other', each('stall', 100_000, 20_000), 2],
  ['one hears nothing of the database after the other', each('silent', 100_000, minute), 2],
  ['what one asked for arrives after another took over', each('late', 100_000, minute), 2],
  ['a third of the answers are lost', each('lost', 0, hour), 2],
  ['the database is gone for a while', [{ kind: 'outage' as const, at: 200_000, ms: 2 * minute, replica: 0 }], 2],
])('delivers each record once where %s', async (_what, faults, lives) => {
  const { problems, records, arrivals, ...outcome } = await play(among(faults));

  // One more record of the source comes at the end.
  expect({ problems, records, arrivals, lives: outcome.lives }).toEqual({ problems: [], records: 11, arrivals: 11, lives });
});

/** From one of its heartbeats on a replica hears no answer any more, though all that it asks for is done; later the other dies as well. */
const deafness = (replica: number): CrewFault[] => [
  { kind: 'lost', at: 3 * minute, ms: hour, replica, statement: { of: 'beat', nth: 1, when: 'asked' } },
  { kind: 'kill', at: 6 * minute, ms: 10_000, replica: 1 - replica },
];

it.each([
  ['first', 0],
  ['second', 1],
])('leaves nothing to a replica that is heard and hears nothing, the %s', async (_which, replica) => {
  const { problems, records, arrivals } = await play({
    ...calm,
    sources: ['offset', 'token'].map((name) => ({ name, kind: name as 'offset', pageSize: 3, backMs: 0 })),
    crew: { leaseMs: 5_000, clocks: [0, hour], faults: deafness(replica) },
  });

  expect({ problems, records, arrivals }).toEqual({ problems: [], records: 12, arrivals: 12 });
});

it.each([
  ['nothing happens', undefined],
  ['its replica dies', 'kill'],
  ['its replica stalls', 'stall'],
  ['what its replica asked for comes late', 'late'],
] as const)('delivers each record once more by a replay where %s', async (_what, kind) => {
  const statement = { of: 'job' as const, nth: 5, when: 'asked' as const };
  const at = 12 * minute;
  const faults = kind === undefined ? [] : [0, 1].map((replica) => ({ kind, at, ms: 20_000, replica, statement }));
  const { problems, arrivals } = await play({ ...among(faults), replays: [{ at, sink: 'sink1', from: 0, to: hour }] });

  // One more of the source comes at the end.
  expect({ problems, arrivals }).toEqual({ problems: [], arrivals: 11 + 9 });
});

it('sends nothing of a replay that was cancelled before the request arrived which opens its lanes', async () => {
  const at = 12 * minute;
  const statement = { of: 'job' as const, nth: 5, when: 'asked' as const };
  const faults = [0, 1].map((replica) => ({ kind: 'late' as const, at, ms: 30_000, replica, statement }));
  const replays = [{ at, sink: 'sink1', from: 0, to: hour }];
  const jobs = [{ at: at + 20_000, kind: 'cancel' as const, sink: 'sink1' }];

  const { problems, arrivals } = await play({ ...among(faults), replays, jobs });

  expect({ problems, arrivals }).toEqual({ problems: [], arrivals: 11 });
});

/** Three hundred records at once, of which the owner has settled a few when it cannot reach the database any more. */
const burst = (kind: CrewFault['kind']): Scenario => ({
  ...calm,
  sources: [{ name: 'stream', kind: 'stream', pageSize: 200, backMs: 0 }],
  sinks: [{ name: 'sink1', acknowledges: 'now', inFlight: 2, batchEvents: 5 }],
  events: Array.from({ length: 300 }, (_none, n) => ({ source: 'stream', n, at: minute + n, late: 0 })),
  crew: {
    leaseMs: 30_000,
    clocks: [0, hour],
    faults: [0, 1].map((replica) => ({
      kind,
      at: minute,
      ms: minute,
      replica,
      statement: { of: 'settle', nth: 3, when: 'asked' },
    })),
  },
});

it('sends no more than four batches in vain while it cannot write what was taken', async () => {
  const { problems, records } = await play(burst('refused'));

  expect({ problems, records }).toEqual({ problems: [], records: 301 });
});

/** Records in plenty, and a receiver that is busy for a quarter of the requests. */
const busy = (wire: Wire, faults: readonly CrewFault[]): Scenario => ({
  ...calm,
  sources: [
    { name: 'one', kind: 'stream', pageSize: 200, backMs: 0 },
    { name: 'two', kind: 'offset', pageSize: 20, backMs: 0 },
  ],
  sinks: [{ name: 'sink1', acknowledges: wire === 'hec_ack' ? 'later' : 'now', inFlight: 3, batchEvents: 5, wire }],
  events: ['one', 'two'].flatMap((source, index) =>
    Array.from({ length: 600 }, (_none, n) => ({ source, n: index * 1_000 + n, at: minute + n * 100, late: 0 })),
  ),
  faults: [{ on: 'sink1', kind: 'partial', share: 0.6, from: minute, to: 3 * minute }],
  crew: { leaseMs: 5_000, clocks: [0, 0], faults },
});

const leavings = Array.from({ length: 6 }, (_none, n): CrewFault => {
  return { kind: 'stop', at: minute + 5_000 + n * 12_000, ms: 1_000, replica: n % 2 };
});
const joining: CrewFault = { kind: 'stop', at: 10_000, ms: 70_000, replica: 1 };

it.each([
  ['leave and join again and again', 'bulk', leavings],
  ['leave and join again and again', 'hec', leavings],
  ['join late', 'hec_ack', [joining]],
] as const)('makes no copies where replicas %s while a receiver (%s) is busy', async (_what, wire, faults) => {
  const { problems, records, arrivals } = await play(busy(wire, faults));

  expect({ problems, records, arrivals }).toEqual({ problems: [], records: 1_202, arrivals: 1_202 });
});

it('plays a history of several replicas the same way every time', async () => {
  const [first, second] = [await play(among(each('stall', 100_000, 20_000))), await play(among(each('stall', 100_000, 20_000)))];

  expect([first.problems, second.fingerprint]).toEqual([[], first.fingerprint]);
});

it.each([
  ['what is old is deleted before a sink has taken it all', keeping],
  ['a source leaves the file of one and comes back', changing('stream', [0])],
  ['a sink leaves the file of one and comes back', changing('sink2', [1])],
  ['a sink leaves all files, one after the other, and comes back', changing('sink1', [0, 1])],
])('keeps every promise where %s', async (_what, scenario) => {
  const { problems } = await play(scenario);

  expect(problems).toEqual([]);
});

it('abandons nothing where all replicas were away for longer than their lease, and the journal is full', async () => {
  const away = [10, 15, 20, 25].flatMap((at) =>
    [0, 1].map((replica): CrewFault => ({ kind: 'stall', at: at * minute, ms: 20_000, replica })),
  );
  const { problems } = await play({
    ...calm,
    hours: 0.6,
    maxBytes: 300_000,
    events: Array.from({ length: 60 }, (_none, n) => ({ source: 'offset', n, at: n * 1_000, late: 0, fat: 8_000 })),
    faults: [{ on: 'sink1', kind: 'hold', share: 1, from: 0, to: 30 * minute }],
    crew: { leaseMs: 5_000, clocks: [0, hour], faults: away, keepMs: 5 * minute },
  });

  expect(problems).toEqual([]);
});
