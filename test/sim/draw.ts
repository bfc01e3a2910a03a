// Draws histories: a seed and a length make one.
import { spread } from './calm.ts';
import { type Dice, diceOf } from './dice.ts';
import {
  apartFrom,
  busyCrewFrom,
  type CrewFault,
  changingCrewFrom,
  crewFrom,
  day,
  disablingCrewFrom,
  type EndPlan,
  type Endpoint,
  type EventPlan,
  edgyFrom,
  type FaultPlan,
  type FilePlan,
  hour,
  type JobPlan,
  minute,
  mostStaleMs,
  numberedFrom,
  type OfflinePlan,
  type ReceiverFault,
  restingFrom,
  type Scenario,
  type SinkPlan,
  type SourceKind,
  type SourcePlan,
  uneventful,
  unsteadyFrom,
  type VendorFault,
  wideFrom,
} from './scenario.ts';

const smallBytes = 2 * 1_048_576;

const vendorFaults: Readonly<Record<SourceKind, readonly VendorFault[]>> = {
  offset: [
    'html',
    'unavailable',
    'rate_limit',
    'cut_body',
    'reset',
    'hang',
    'unauthorized',
    'revoke',
    'large_total',
    'slow',
    'too_large',
  ],
  // Made of others once these are drawn.
  page: [],
  token: [
    'html',
    'unavailable',
    'rate_limit',
    'cut_body',
    'reset',
    'unauthorized',
    'token_refused',
    'reorder',
    'repeat',
    'slow',
    'empty_page',
  ],
  link: [
    'html',
    'unavailable',
    'rate_limit',
    'cut_body',
    'reset',
    'hang',
    'unauthorized',
    'token_refused',
    'token_refused',
    'reorder',
    'repeat',
    'slow',
    'too_large',
    'empty_page',
  ],
  stream: ['reset', 'unauthorized', 'repeat', 'reorder', 'slow'],
  files: ['cut_body', 'unavailable'],
};
const receiverFaults: readonly ReceiverFault[] = [
  'down',
  'busy',
  'hold',
  'lost_answer',
  'half',
  'slow',
  'forget',
  'never',
  'refuse_all',
  'partial',
  'cannot_open',
];

const kinds: readonly SourceKind[] = ['offset', 'token', 'link', 'stream', 'files'];

function drawSources(dice: Dice, fat: number): SourcePlan[] {
  const count = dice.between(1, 3);
  const first = dice.between(0, kinds.length - 1);
  return Array.from({ length: count }, (_, i) => {
    const kind = kinds[(first + i) % kinds.length] ?? 'offset';
    const windows = kind === 'offset' || kind === 'token';
    // A page that is larger than the whole journal could never be collected.
    const pageSize = Math.min(fat > 0 ? 20 : 200, dice.pick([2, 3, 5, 20, 200]));
    const sweeps = windows && dice.chance(0.4);
    const backMs = dice.pick([0, hour, 6 * hour, day]);
    // Small pages and second looks make such a log grow by being read, without end.
    const logsReads = kind === 'token' && pageSize >= 20 && !sweeps && dice.chance(0.5);
    return {
      name: kind,
      kind,
      pageSize,
      ...(sweeps ? { sweepEveryMs: 2 * hour } : {}),
      backMs,
      ...(logsReads ? { logsReads } : {}),
    };
  });
}

function drawSinks(dice: Dice): SinkPlan[] {
  return Array.from({ length: dice.between(1, 3) }, (_, i) => ({
    name: `sink${i + 1}`,
    acknowledges: i === 0 ? 'now' : dice.pick(['now', 'later', 'later', 'never'] as const),
    inFlight: dice.pick([1, 1, 2, 4]),
    batchEvents: dice.pick([1, 3, 10, 50, 500]),
    ...(dice.chance(0.2) ? { mostEvents: dice.pick([1, 4]) } : {}),
  }));
}

/** Minutes that a vendor's promise covers, drawn so that some records are later than any overlap. */
function drawLate(dice: Dice): number {
  if (dice.chance(0.5)) return dice.between(0, 5_000);
  if (dice.chance(0.9)) return dice.between(0, 5 * minute);
  return dice.between(0, 3 * hour);
}

function drawEvents(
  dice: Dice,
  hours: number,
  sources: readonly SourcePlan[],
  sinks: readonly SinkPlan[],
  fat: number,
): EventPlan[] {
  const events: EventPlan[] = [];
  for (const { name, backMs, kind } of sources) {
    const inOrder = kind === 'stream' || kind === 'files';
    const from = inOrder ? 0 : -backMs;
    const perHour = dice.pick([2, 10, 30]);
    const count = Math.max(3, Math.min(400, Math.round((perHour * (hours * hour - from)) / hour)));
    let at = from;
    for (let i = 0; i < count; i += 1) {
      // Bursts and ties: most records of an audit log come in runs.
      if (i > 0 && !dice.chance(0.4)) at = from + Math.floor(((i + dice.float()) * (hours * hour - from)) / count);
      const n = events.length;
      const earlier = events.filter((e) => e.source === name && e.copyOf === undefined).at(-1);
      const copy = earlier !== undefined && kind !== 'files' && dice.chance(0.03);
      const refusedBy = sinks.filter(() => dice.chance(0.04)).map((sink) => sink.name);
      events.push({
        source: name,
        n,
        at: copy ? earlier.at : at,
        late: copy ? earlier.late + dice.between(0, minute) : inOrder ? dice.between(0, 5_000) : drawLate(dice),
        ...(fat > 0 ? { fat: dice.between(fat / 2, fat) } : {}),
        ...(copy ? { copyOf: earlier.n } : {}),
        ...(refusedBy.length > 0 ? { refusedBy } : {}),
      });
    }
  }
  return events;
}

function drawFaults(dice: Dice, hours: number, sources: readonly SourcePlan[], sinks: readonly SinkPlan[]): FaultPlan[] {
  const span = (longest: number): { from: number; to: number } => {
    const from = dice.between(0, hours * hour);
    return { from, to: Math.min(hours * hour, from + dice.between(10_000, longest)) };
  };
  const faults: FaultPlan[] = [];
  const number = Math.max(1, Math.round(hours * dice.pick([0.2, 0.5, 1])));
  for (let i = 0; i < number; i += 1) {
    const { name, kind } = dice.pick(sources);
    faults.push({
      on: name,
      kind: dice.pick(vendorFaults[kind]),
      share: dice.pick([0.1, 0.5, 1]),
      ...span(dice.pick([10 * minute, 2 * hour])),
    });
  }
  for (let i = 0; i < number; i += 1) {
    const { name } = dice.pick(sinks);
    faults.push({
      on: name,
      kind: dice.pick(receiverFaults),
      share: dice.pick([0.2, 0.5, 1]),
      ...span(dice.pick([10 * minute, 3 * hour])),
    });
  }
  return faults;
}

/** Most of what can go wrong goes wrong while something is under way: shortly after a record showed up. */
function drawMoment(dice: Dice, hours: number, events: readonly EventPlan[]): number {
  // What is refused takes the rarer ways.
  const refused = events.filter(({ refusedBy }) => refusedBy !== undefined);
  const { at, late } = dice.pick(refused.length > 0 && dice.chance(0.3) ? refused : events);
  const near = at + late + dice.between(0, 6 * minute);
  return near >= 0 && near < hours * hour && dice.chance(0.8) ? near : dice.between(0, hours * hour);
}

function drawEnds(dice: Dice, hours: number, events: readonly EventPlan[]): EndPlan[] {
  return Array.from({ length: Math.max(1, Math.round(hours * dice.pick([0, 0.5, 1, 3]))) }, () => ({
    at: drawMoment(dice, hours, events),
    kind: dice.pick(['step', 'step', 'commit', 'commit', 'commit', 'stop'] as const),
    nth: dice.between(1, 12),
    when: dice.pick(['before', 'during', 'after'] as const),
    share: dice.float(),
    downMs: dice.pick([1_000, 20_000, 10 * minute, 2 * hour]),
  })).sort((a, b) => a.at - b.at);
}

function drawClock(dice: Dice, hours: number): Scenario['clock'] {
  if (!dice.chance(0.35)) return [];
  // One correction of a wrong clock mostly, sometimes a clock that several set; a battery that is dead begins in another year.
  return Array.from({ length: dice.pick([1, 1, 2, 3]) }, () => {
    const at = dice.between(0, hours * hour);
    const byMs = dice.pick([2 * 365 * day, -2 * 365 * day, 2 * day, -2 * day, day, -day, hour, -hour, 5 * minute, -5 * minute]);
    const back = Math.min(hours * hour, at + dice.between(minute, 3 * hour));
    return [
      { at, byMs },
      { at: back, byMs: -byMs },
    ];
  })
    .flat()
    .sort((a, b) => a.at - b.at);
}

function drawJobs(dice: Dice, { hours, sources, sinks, maxBytes }: Scenario): JobPlan[] {
  // A full journal forgets ids beyond the overlap, and a backfill of that time then collects them once more, as documented.
  const remembers = maxBytes > smallBytes;
  const windows = sources.filter(({ kind }) => remembers && kind !== 'stream' && kind !== 'files');
  const backfills = windows
    .filter(() => dice.chance(0.4))
    .map(({ name: source }): JobPlan => {
      const at = dice.between(minute, hours * hour);
      const to = dice.between(-day, at);
      return { at, kind: 'backfill', source, from: to - dice.between(minute, 12 * hour), to };
    });
  const retries = sinks
    .filter(() => dice.chance(0.4))
    .map(({ name: sink }): JobPlan => ({ at: dice.between(hour, hours * hour), kind: 'retry_dead_letters', sink }));
  return [...backfills, ...retries];
}

const earlyWires = [undefined, 'hec', 'hec_ack', 'bulk'] as const;
const allWires = [...earlyWires, 'syslog', 'syslog_octets', 'syslog_udp', 'relp', 'relp'] as const;
const acknowledges = {
  hec: 'now',
  hec_ack: 'later',
  bulk: 'now',
  syslog: 'never',
  syslog_octets: 'never',
  syslog_udp: 'never',
  relp: 'now',
} as const;

/** Draws what the early seeds did not know, with dice of its own. */
function widened(scenario: Scenario): Scenario {
  const dice = diceOf(Math.imul(scenario.seed, 0x85ebca6b) ^ 0x2c1b3c6d);
  const sources = scenario.sources.map((source) => {
    const everyMs = dice.pick([undefined, 5 * minute, 15 * minute, hour, 3 * hour]);
    return everyMs === undefined ? source : { ...source, everyMs };
  });
  const wires = scenario.seed < restingFrom ? earlyWires : allWires;
  const sinks = scenario.sinks.map((sink): SinkPlan => {
    const wire = dice.pick(wires);
    return wire === undefined ? sink : { ...sink, wire, acknowledges: acknowledges[wire] };
  });
  return { ...scenario, sources, sinks, jobs: drawJobs(dice, scenario) };
}

/** Histories up to this length are trouble all along. */
const denseHours = 8;

function drawResting(seed: number, hours: number): Scenario {
  const dice = diceOf(Math.imul(seed, 0xc2b2ae35) ^ 0x27d4eb2f);
  const dense = hours <= denseHours ? hours : 6 + Math.round((hours - 6) / dice.pick([12, 24, 48]));
  const drawn = withOperators(widened(drawEarly(seed, dense)));
  // Nothing but pages without records, for hours, is the same request tens of thousands of times.
  const seldom = (fault: FaultPlan): FaultPlan =>
    fault.kind === 'empty_page' ? { ...fault, share: Math.min(fault.share, 0.5) } : fault;
  const scenario = { ...drawn, faults: drawn.faults.map(seldom) };
  if (hours === dense) return scenario;
  // Second looks at two weeks, every two hours for a month, would be most of the work.
  const sources = scenario.sources.map((one) => (one.sweepEveryMs === undefined ? one : { ...one, sweepEveryMs: day }));
  return spread({ ...scenario, sources }, hours, dice);
}

/** What else operators do: before the later seeds they only backfilled, replayed and retried. */
function withOperators(scenario: Scenario): Scenario {
  const { seed, hours, sources, sinks, maxBytes, events } = scenario;
  const dice = diceOf(Math.imul(seed, 0x165667b1) ^ 0x5bd1e995);
  const remembers = maxBytes > smallBytes;
  const at = (): number => dice.between(minute, hours * hour);
  const named = [...sources.map(({ name }) => ['source', name] as const), ...sinks.map(({ name }) => ['sink', name] as const)];
  const some = <T>(list: readonly T[], share: number): T[] => list.filter(() => dice.chance(share));
  const files = sources.filter(({ kind }) => kind === 'files' && remembers);
  const begins = sources.filter(({ kind }) => kind !== 'stream' && kind !== 'files' && remembers);
  // Its file appears within two hours.
  const importOf = (source: string): JobPlan => {
    const { at: time, late } = dice.pick(events.filter((event) => event.source === source));
    const shown = time + late;
    return { at: shown + dice.between(hour, 5 * hour), kind: 'import', source, shown };
  };
  const jobs: JobPlan[] = [
    ...some(named, 0.2).map(([of, name]) => ({ at: at(), kind: 'release' as const, of, name })),
    ...some([...files, ...files], 0.6).map(({ name }) => importOf(name)),
    ...some(sinks, 0.15).map(({ name: sink }) => ({ at: at(), kind: 'discard' as const, sink })),
    ...some([...named, ...named], 0.2).map(([, name]) => ({
      at: at(),
      kind: 'reload' as const,
      name,
      value: dice.pick([1, 5, 30]),
    })),
  ];
  const offline: OfflinePlan[] = [
    ...some(named, 0.15).map(([of, name]) => ({ at: at(), kind: 'rename' as const, of, name })),
    ...some(begins, 0.2).map(({ name: source }) => ({ at: at(), kind: 'reset' as const, source })),
  ];
  const skips = !remembers && dice.chance(0.6);
  return {
    ...scenario,
    sinks: sinks.map((sink, index) => (skips && index === 0 ? { ...sink, skipsWhenFull: true } : sink)),
    jobs: [...scenario.jobs, ...jobs],
    offline,
  };
}

/** Copies of a vendor that lag behind, and receivers that restart with what they had not acknowledged. */
function withUnsteadyPeers(scenario: Scenario): Scenario {
  const { seed, hours, sources, sinks, faults } = scenario;
  const dice = diceOf(Math.imul(seed, 0x2e1b2138) ^ 0x5851f42d);
  const during = (): Pick<FaultPlan, 'from' | 'to' | 'share'> => {
    const from = dice.between(0, hours * hour);
    const to = Math.min(hours * hour, from + dice.between(10 * minute, 3 * hour));
    return { from, to, share: dice.pick([0.1, 0.3, 0.6]) };
  };
  const read = sources.filter(({ kind }) => kind !== 'stream' && kind !== 'files' && dice.chance(0.7));
  const asked = sinks.map((sink): SinkPlan => {
    const isPlain = sink.wire === undefined || sink.wire === 'hec';
    return isPlain && dice.chance(0.7) ? { ...sink, wire: 'hec_ack', acknowledges: 'later' } : sink;
  });
  const later = asked.filter(({ wire }) => wire === 'hec_ack');
  return {
    ...scenario,
    sinks: asked,
    faults: [
      ...faults,
      ...read.map(({ name: on }) => ({ on, kind: 'stale' as const, ...during() })),
      ...[...later, ...later].map(({ name: on }) => ({ on, kind: 'restart' as const, ...during() })),
    ],
  };
}

/** Overlap and settle of the connectors that read by windows: what shows up no later is collected. */
const reachMs: Readonly<Partial<Record<SourceKind, number>>> = { offset: 16 * minute, page: 16 * minute, token: 6 * minute };

/** What is nearly too late, what is deleted while it is read, pages of any size, and little room for dead letters. */
function withEdges(scenario: Scenario): Scenario {
  const { seed, hours, sources, sinks, events, faults, jobs } = scenario;
  const dice = diceOf(Math.imul(seed, 0x1b873593) ^ 0x38495ab5);
  const some = <T>(list: readonly T[], share: number): T[] => list.filter(() => dice.chance(share));
  const reaches = new Map(
    sources.map(({ name, kind }) => {
      const isStale = faults.some((fault) => fault.on === name && fault.kind === 'stale');
      return [name, (reachMs[kind] ?? 0) - (isStale ? mostStaleMs : 0)] as const;
    }),
  );
  const [lateShare, goneShare] = [dice.pick([0, 0.3, 0.8]), dice.pick([0, 0, 0.1, 0.4])];
  const edgy = (event: EventPlan): EventPlan => {
    const reach = reaches.get(event.source) ?? 0;
    if (reach <= 0 || event.copyOf !== undefined) return event;
    if (dice.chance(lateShare)) return { ...event, late: reach - dice.between(0, 3_000) };
    // Most of what is deleted while it is read is old: the first poll reads it for as long as it has pages.
    return event.at < 0 && dice.chance(goneShare) ? { ...event, gone: dice.between(0, dice.pick([5_000, 20_000])) } : event;
  };
  const paged = sources.filter(({ kind }) => kind !== 'stream' && kind !== 'files');
  const limited = sinks.map((sink) => (dice.chance(0.5) ? { ...sink, mostDeadLetters: dice.pick([1, 3, 10]) } : sink));
  const tidied = some([...limited, ...limited], 0.6).filter(({ mostDeadLetters }) => mostDeadLetters !== undefined);
  // Only where polls follow each other quickly a record is seen by the last that may see it, or by none.
  const often = new Set(lateShare > 0 ? some(sources, 0.5).map(({ name }) => name) : []);
  return {
    ...scenario,
    sources: sources.map((source) => (often.has(source.name) && reachMs[source.kind] ? { ...source, everyMs: 15_000 } : source)),
    sinks: limited,
    events: events.map(edgy),
    faults: [
      ...faults,
      ...some(paged, 0.6).map(({ name: on }): FaultPlan => {
        const from = dice.chance(0.5) ? 0 : dice.between(0, hours * hour);
        return { on, kind: 'short_page', share: dice.pick([0.2, 0.6, 1]), from, to: from + dice.pick([10 * minute, 2 * hour]) };
      }),
    ],
    jobs: [
      ...jobs,
      ...tidied.map(({ name: sink }): JobPlan => {
        return { at: dice.between(minute, hours * hour), kind: dice.pick(['discard', 'retry_dead_letters'] as const), sink };
      }),
    ],
  };
}

/** What is read by offset, or by links where nothing is, has numbered pages. */
function withNumbers(scenario: Scenario): Scenario {
  const numbered = scenario.sources.find(({ kind }) => kind === 'offset') ?? scenario.sources.find(({ kind }) => kind === 'link');
  const sources = scenario.sources.map((source) => (source === numbered ? { ...source, kind: 'page' as const } : source));
  return { ...scenario, sources };
}

const endpointFaults: readonly ReceiverFault[] = ['down', 'busy', 'lost_answer', 'slow', 'forget', 'never', 'half', 'restart'];

/** Sinks of two endpoints that are receivers of their own, one of which is in trouble while the other is well. */
function withEndpoints(scenario: Scenario): Scenario {
  const { seed, hours, faults } = scenario;
  const dice = diceOf(Math.imul(seed, 0x7feb352d) ^ 0x846ca68b);
  const sinks = scenario.sinks.map((sink): SinkPlan => {
    const wire = dice.pick(['hec_ack', 'hec_ack', 'hec'] as const);
    if (!dice.chance(0.8)) return sink;
    return { ...sink, wire, acknowledges: acknowledges[wire], inFlight: Math.max(2, sink.inFlight), apart: true };
  });
  const lone = sinks
    .filter(({ apart }) => apart === true)
    .flatMap(({ name: on }) =>
      Array.from({ length: dice.between(2, 4) }, (): FaultPlan => {
        const from = dice.between(0, hours * hour);
        const to = Math.min(hours * hour, from + dice.between(10 * minute, 3 * hour));
        const endpoint = dice.pick<Endpoint>(['a', 'b']);
        return { on, endpoint, kind: dice.pick(endpointFaults), share: dice.pick([0.3, 0.6, 1]), from, to };
      }),
    );
  // What strikes both at once is in the seeds before.
  const calm = new Set(lone.filter(() => dice.chance(0.7)).map(({ on }) => on));
  return { ...scenario, sinks, faults: [...faults.filter(({ on }) => !calm.has(on)), ...lone] };
}

/** The history that a seed stands for. */
export function drawScenario(seed: number, hours: number): Scenario {
  if (seed >= changingCrewFrom) return withChanges(withOrders(drawCrew(seed, hours)));
  if (seed >= busyCrewFrom) return withOrders(drawCrew(seed, hours));
  if (seed >= crewFrom) return drawCrew(seed, hours);
  if (seed >= numberedFrom) return withEdges(withNumbers(withUnsteadyPeers(drawResting(seed, hours))));
  if (seed >= apartFrom) return withEndpoints(withUnsteadyPeers(drawResting(seed, hours)));
  if (seed >= edgyFrom) return withEdges(withUnsteadyPeers(drawResting(seed, hours)));
  if (seed >= unsteadyFrom) return withUnsteadyPeers(drawResting(seed, hours));
  if (seed >= restingFrom) return drawResting(seed, hours);
  const scenario = drawEarly(seed, hours);
  return seed < wideFrom ? scenario : widened(scenario);
}

const crewFaults: readonly CrewFault['kind'][] = [
  'kill',
  'kill',
  'kill',
  'stop',
  'stop',
  'stall',
  'stall',
  'refused',
  'silent',
  'late',
  'lost',
  'lost',
  'step',
  'outage',
];

/** Two to four replicas, hours apart by their clocks, on one journal. */
function drawCrew(seed: number, hours: number): Scenario {
  const dice = diceOf(Math.imul(seed, 0x2545f491) ^ 0x6c078965);
  // Rows of a page are compressed in the turn of the event loop that asks for it only where they are few.
  const sources = drawSources(dice, 0).map((source) => ({ ...source, pageSize: Math.min(20, source.pageSize) }));
  const sinks = drawSinks(dice).map((sink): SinkPlan => {
    const wire = dice.pick(earlyWires);
    return wire === undefined ? sink : { ...sink, wire, acknowledges: acknowledges[wire] };
  });
  const events = drawEvents(dice, hours, sources, sinks, 0);
  const leaseMs = dice.pick([3_000, 5_000, 10_000, 30_000]);
  const replicas = dice.between(2, 4);
  const number = Math.max(2, Math.round(hours * dice.pick([3, 8, 16])));
  const faults = Array.from({ length: number }, (): CrewFault => {
    const ms = dice.pick([leaseMs / 2, leaseMs + 2_000, 3 * leaseMs, minute, 10 * minute]);
    const fault = {
      at: drawMoment(dice, hours, events),
      ms,
      replica: dice.between(0, replicas - 1),
      kind: dice.pick(crewFaults),
    };
    if (!dice.chance(0.5)) return fault;
    const of = dice.pick(['append', 'settle', 'settle', 'beat', 'other'] as const);
    return { ...fault, statement: { of, nth: dice.between(1, 6), when: dice.pick(['asked', 'done'] as const) } };
  });
  return {
    ...uneventful,
    seed,
    hours,
    maxBytes: 16 * 1_048_576,
    sources,
    sinks,
    events,
    faults: dice.chance(0.5) ? drawFaults(dice, hours, sources, sinks) : [],
    crew: {
      leaseMs,
      clocks: Array.from({ length: replicas }, () => dice.pick([0, 0, hour, -hour, 3 * hour, -20 * minute])),
      faults: faults.sort((a, b) => a.at - b.at),
    },
  };
}

const jobFaults: readonly CrewFault['kind'][] = ['kill', 'kill', 'stall', 'stall', 'stop', 'late', 'lost'];

/** Jobs for replicas, and what happens to one of them around a statement of a job. */
function withOrders(scenario: Scenario): Scenario {
  const { seed, hours, sources, sinks, crew } = scenario;
  if (crew === undefined) return scenario;
  const dice = diceOf(Math.imul(seed, 0x7feb352d) ^ 0x846ca68b);
  const at = (): number => dice.between(5 * minute, hours * hour);
  const asked = sources.filter(({ kind }) => kind !== 'stream' && kind !== 'files');
  const some = <T>(list: readonly T[], share: number): T[] => list.filter(() => dice.chance(share));
  const ranges = [
    ...some(asked, 0.5).map((one) => ['backfill', one] as const),
    ...some(asked, 0.3).map((one) => ['verify', one] as const),
  ];
  const jobs: JobPlan[] = [
    ...ranges.map(([kind, { name: source }]): JobPlan => {
      const to = dice.between(-day, hours * hour);
      return { at: at(), kind, source, from: to - dice.between(minute, 12 * hour), to };
    }),
    ...some(sinks, 0.5).map(({ name: sink }): JobPlan => ({ at: at(), kind: 'retry_dead_letters', sink })),
    ...some([...sources, ...sinks], 0.15).map((one): JobPlan => {
      return { at: at(), kind: 'release', of: 'pageSize' in one ? 'source' : 'sink', name: one.name };
    }),
    ...some(sinks, 0.1).map(({ name: sink }): JobPlan => ({ at: at(), kind: 'discard', sink })),
  ];
  const replays = some([...sinks, ...sinks], 0.4).map(({ name: sink }) => ({ at: at(), sink, from: -day, to: hours * hour }));
  const orders = [...jobs, ...replays];
  const faults = some([...orders, ...orders], 0.5).map((order): CrewFault => {
    const statement = { of: 'job' as const, nth: dice.between(1, 8), when: dice.pick(['asked', 'done'] as const) };
    const ms = dice.pick([crew.leaseMs / 2, crew.leaseMs + 2_000, 3 * crew.leaseMs, minute]);
    return { at: order.at, ms, replica: dice.between(0, crew.clocks.length - 1), kind: dice.pick(jobFaults), statement };
  });
  return { ...scenario, jobs, replays, crew: { ...crew, faults: [...crew.faults, ...faults].sort((a, b) => a.at - b.at) } };
}

/** Too small for what comes while a sink holds. */
const tightBytes = 300_000;

/** What is old is deleted and the journal may be small, while files change from one replica to the next. */
function withChanges(scenario: Scenario): Scenario {
  const { seed, hours, crew, sinks, sources } = scenario;
  if (crew === undefined) return scenario;
  const dice = diceOf(Math.imul(seed, 0x45d9f3b5) ^ 0x119de1f3);
  const isTight = dice.chance(0.3);
  const first = sinks[0]?.name ?? '';
  const full = { on: first, kind: 'hold' as const, share: 1, from: 0, to: Math.floor(hours * hour * 0.7) };
  const skips = isTight && dice.chance(0.5);
  const replicas = crew.clocks.length;
  const struck = Array.from({ length: dice.between(0, 4) }, (): CrewFault => {
    const statement = { of: 'upkeep' as const, nth: dice.between(1, 12), when: dice.pick(['asked', 'done'] as const) };
    const ms = dice.pick([crew.leaseMs + 2_000, 3 * crew.leaseMs, minute]);
    return {
      at: dice.between(0, hours * hour),
      ms,
      replica: dice.between(0, replicas - 1),
      kind: dice.pick(jobFaults),
      statement,
    };
  });
  const changes = Array.from({ length: dice.pick([0, 1, 1, 2]) }, (_none, index) => drawFiles(dice, scenario, index === 0));
  const disabling = diceOf(Math.imul(seed, 0x2c1b3c6d) ^ 0x297a2d39);
  const files = changes.flatMap((change) => {
    const disables = seed >= disablingCrewFrom && disabling.chance(0.5);
    return disables ? change.map((file) => ({ ...file, disables })) : change;
  });
  return {
    ...scenario,
    maxBytes: isTight ? tightBytes : scenario.maxBytes,
    // Large pages are compressed beside the event loop, while time goes on.
    sources: isTight ? sources.map((source) => ({ ...source, pageSize: Math.min(5, source.pageSize) })) : sources,
    sinks: sinks.map((sink, index) => (skips && index === 0 ? { ...sink, skipsWhenFull: true } : sink)),
    events: isTight ? scenario.events.map((event) => ({ ...event, fat: dice.between(4_000, 8_000) })) : scenario.events,
    faults: isTight ? [full, ...scenario.faults] : scenario.faults,
    crew: {
      ...crew,
      keepMs: dice.pick([10 * minute, 30 * minute, 6 * hour]),
      files: files.sort((a, b) => a.at - b.at),
      faults: [...crew.faults, ...struck].sort((a, b) => a.at - b.at),
    },
  };
}

/** A source or a sink leaves the file of some replicas, or of all, one after the other, and comes back in the same way. */
function drawFiles(dice: Dice, { hours, sources, sinks, crew }: Scenario, mayBegin: boolean): FilePlan[] {
  const { name } = dice.pick([...sources, ...sinks]);
  const replicas = crew?.clocks.length ?? 0;
  const gapMs = dice.pick([1_000, 20_000, minute, 5 * minute]);
  const from = mayBegin && dice.chance(0.3) ? 0 : dice.between(minute, hours * hour * 0.7);
  const to = from + dice.pick([30_000, 5 * minute, 20 * minute]);
  const some = Array.from({ length: dice.between(1, replicas) }, (_none, index) => index);
  return some.flatMap((replica) => [
    { at: from === 0 ? 0 : from + replica * gapMs, replica, without: [name] },
    { at: to + replica * gapMs, replica, without: [] },
  ]);
}

function drawEarly(seed: number, hours: number): Scenario {
  const dice = diceOf(Math.imul(seed, 0x9e3779b1) ^ 0x51ed270b);
  const fat = dice.chance(0.2) ? 8_000 : 0;
  const sources = drawSources(dice, fat);
  const sinks = drawSinks(dice);
  const events = drawEvents(dice, hours, sources, sinks, fat);
  const faults = drawFaults(dice, hours, sources, sinks);
  const full =
    fat === 0 ? [] : [{ on: sinks[0]?.name ?? '', kind: 'hold' as const, share: 1, from: 0, to: Math.floor(hours * hour * 0.7) }];
  return {
    seed,
    hours,
    maxBytes: fat > 0 ? smallBytes : 16 * 1_048_576,
    sources,
    sinks,
    events,
    faults: [...full, ...faults],
    ends: drawEnds(dice, hours, events),
    clock: drawClock(dice, hours),
    diskErrors: dice.chance(0.4)
      ? Array.from({ length: dice.between(1, 4) }, () => ({
          at: drawMoment(dice, hours, events),
          errcode: dice.pick([10, 13] as const),
          ms: dice.pick([2_000, minute, 10 * minute]),
        }))
      : [],
    replays: dice.chance(0.3)
      ? [
          {
            at: dice.between(hour, Math.max(hour, hours * hour)),
            sink: dice.pick(sinks).name,
            from: 0,
            to: dice.between(hour, Math.max(hour, hours * hour)),
          },
        ]
      : [],
    lostAnswers: dice.chance(0.4)
      ? Array.from({ length: dice.between(1, 3) }, () => ({
          at: drawMoment(dice, hours, events),
          ms: dice.pick([2_000, minute, 10 * minute]),
          share: dice.pick([0.2, 0.5]),
        }))
      : [],
    jobs: [],
  };
}
