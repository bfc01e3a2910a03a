// Histories of two replicas on one journal.
import { type CrewFault, crewFrom, hour, minute, type Scenario, type StatementKind, uneventful } from '../scenario.ts';

const leaseMs = 3_000;

/** Seven minutes of two sources, one for each replica, and a sink that refuses one event of each; the clock of one replica is an hour ahead. */
const quiet: Scenario = {
  ...uneventful,
  seed: crewFrom,
  hours: 0.12,
  maxBytes: 16 * 1_048_576,
  sources: [
    { name: 'stream', kind: 'stream', pageSize: 2, backMs: 0 },
    { name: 'offset', kind: 'offset', pageSize: 2, backMs: 0, everyMs: minute },
  ],
  sinks: [{ name: 'sink1', acknowledges: 'now', inFlight: 1, batchEvents: 2 }],
  events: ['stream', 'offset'].flatMap((source) =>
    [1, 2, 3, 4, 5, 6].map((n) => ({
      source,
      n,
      at: minute + n * 1_000,
      late: 0,
      ...(n === 3 ? { refusedBy: ['sink1'] } : {}),
    })),
  ),
  // Who takes over is still sending when the one before wakes.
  faults: [{ on: 'sink1', kind: 'slow', share: 0.7, from: minute, to: 2 * minute }],
  crew: { leaseMs, clocks: [0, hour], faults: [] },
};

export const amongReplicas = (faults: readonly CrewFault[]): Scenario => ({
  ...quiet,
  crew: { leaseMs, clocks: [0, hour], faults },
});

const happenings: readonly (readonly [ms: number, ...kinds: CrewFault['kind'][]])[] = [
  [20_000, 'kill'],
  [3 * leaseMs, 'stall', 'step'],
  [3 * leaseMs, 'late'],
  [400, 'lost'],
];

/** How many of each kind of statement a replica is struck at. */
const statements = { append: 3, settle: 6, beat: 2 } as const;

/** At each of so many statements of a kind: when it is about to leave either replica, and when it was done. */
const placesOf = (of: StatementKind, count: number) =>
  Array.from({ length: 4 * count }, (_none, index) => ({
    replica: index % 2,
    statement: { of, when: index % 4 < 2 ? ('asked' as const) : ('done' as const), nth: 1 + Math.floor(index / 4) },
  }));

/** Something happens to a replica at each of its statements from a time on, when it is about to leave and when it was done. */
function struckHistories(): Scenario[] {
  const places = Object.entries(statements).flatMap(([of, count]) => placesOf(of as StatementKind, count));
  return happenings.flatMap(([ms, ...kinds]) =>
    places.map((place) => amongReplicas(kinds.map((kind) => ({ at: minute, ms, kind, ...place })))),
  );
}

/** How many statements of a job something happens at: it is found, had, begun, its lanes are opened, looked at and closed. */
const jobStatements = 8;

/** All is delivered again, and a source is read once more: jobs that a replica comes to grief over, so that the other goes on with them. */
function jobHistories(): Scenario[] {
  const at = 2 * minute;
  const replays = [{ at, sink: 'sink1', from: 0, to: hour }];
  const jobs = [{ at, kind: 'backfill' as const, source: 'offset', from: 0, to: hour }];
  return [[20_000, 'kill'] as const, [20_000, 'stall'] as const, [20_000, 'late'] as const, [400, 'lost'] as const].flatMap(
    ([ms, kind]) =>
      placesOf('job', jobStatements).map((place): Scenario => {
        return { ...amongReplicas([{ at, ms, kind, ...place }]), hours: 0.1, faults: [], replays, jobs };
      }),
  );
}

/** A sink takes nothing for longer than what is delivered is kept, while replicas come to grief over upkeep, or read another file. */
export const keeping: Scenario = {
  ...quiet,
  hours: 0.2,
  sinks: [...quiet.sinks, { name: 'sink2', acknowledges: 'now', inFlight: 1, batchEvents: 2 }],
  // It has taken the first ones.
  faults: [{ on: 'sink2', kind: 'down', share: 1, from: minute + 6_500, to: 7 * minute }],
  replays: [{ at: 4 * minute, sink: 'sink2', from: 0, to: hour }],
  crew: { leaseMs, clocks: [0, hour], faults: [], keepMs: 2 * minute },
};

/** A name leaves the files of replicas, or is disabled there, one a minute after the other, and is back in them four minutes later. */
export const changing = (name: string, replicas: readonly number[], disables = false): Scenario => {
  const files = replicas.flatMap((replica, index) => {
    const at = 2 * minute + index * minute;
    return [
      { at, replica, without: [name], disables },
      { at: at + 4 * minute, replica, without: [] },
    ];
  });
  return { ...keeping, crew: { leaseMs, clocks: [0, hour], faults: [], keepMs: 2 * minute, files } };
};

/**
 * Only the second replica's file has a sink, which takes nothing for longer than what is delivered is kept, when that replica is away for so long; or
 * both are, beyond their lease, and the first is back before it.
 */
const lonely = (kind: CrewFault['kind'], ms: number, both = false): Scenario => {
  const away = { kind, at: 5 * minute };
  const faults = [...(both ? [{ ...away, ms: 20_000, replica: 0 }] : []), { ...away, ms, replica: 1 }];
  const files = [{ at: 0, replica: 0, without: ['sink2'] }];
  const hours = keeping.hours + ms / hour;
  return { ...keeping, hours, replays: [], crew: { leaseMs, clocks: [0, hour], faults, keepMs: 2 * minute, files } };
};

function lonelyHistories(): Scenario[] {
  const kinds = ['kill', 'stop', 'stall', 'refused', 'silent'] as const;
  return [...kinds.flatMap((kind) => [lonely(kind, 80_000), lonely(kind, 80_000, true)]), lonely('kill', 13 * minute)];
}

function changeHistories(): Scenario[] {
  const at = 3 * minute;
  const struck = (['kill', 'stall', 'late'] as const).flatMap((kind) =>
    placesOf('upkeep', 3).map((place): Scenario => {
      const faults = [{ at, ms: 20_000, kind, ...place }];
      return { ...keeping, crew: { leaseMs, clocks: [0, hour], faults, keepMs: 2 * minute } };
    }),
  );
  const names = ['stream', 'offset', 'sink1', 'sink2'];
  const changed = [false, true].flatMap((disables) =>
    names.flatMap((name) => [[0], [1], [0, 1]].map((all) => changing(name, all, disables))),
  );
  return [...changed, ...lonelyHistories(), ...struck];
}

const small = { struck: struckHistories, jobs: jobHistories, changes: changeHistories };

/** Small histories of two replicas: one is struck at each of its statements, jobs change hands, and what is old is deleted while files differ. */
export function smallCrewHistories(which?: string): Scenario[] {
  return Object.entries(small).flatMap(([name, make]) => (which === undefined || which === name ? make() : []));
}
