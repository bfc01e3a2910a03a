// A history to play, as plain data: a seed and a length make one, and shrinking takes things out of it.
import { type Dice, diceOf } from './dice.ts';

export type SourceKind = 'offset' | 'token' | 'link' | 'stream' | 'files';

export interface SourcePlan {
  readonly name: string;
  readonly kind: SourceKind;
  /** Records that the vendor puts on a page, whatever is asked for. */
  readonly pageSize: number;
  /** Milliseconds; undefined: no second look. */
  readonly sweepEveryMs?: number;
  /** How far back the first poll begins, milliseconds before the start. */
  readonly backMs: number;
  /** True where the vendor logs each of our reads. */
  readonly logsReads?: boolean;
  /** Milliseconds between polls; undefined: as the connector says. */
  readonly everyMs?: number;
}

export interface SinkPlan {
  readonly name: string;
  /** Answers at once, later, or never at all (`sent`). */
  readonly acknowledges: 'now' | 'later' | 'never';
  readonly inFlight: number;
  readonly batchEvents: number;
  /** Largest batch that the receiver takes; larger ones are to be split. */
  readonly mostEvents?: number;
  /** The protocol that the real sink speaks with it; undefined: verdicts, without bytes in between. */
  readonly wire?: Wire;
}

export type Wire = 'hec' | 'hec_ack' | 'bulk';

/** A record of a vendor. Times are milliseconds after the start of the run and may be negative. */
export interface EventPlan {
  readonly source: string;
  readonly n: number;
  readonly at: number;
  /** How long after its time it shows up. */
  readonly late: number;
  /** Size of its incompressible ballast, bytes. */
  readonly fat?: number;
  /** The record under whose id and time it comes, with another content. */
  readonly copyOf?: number;
  /** Receivers that refuse it for its content. */
  readonly refusedBy?: readonly string[];
}

export type VendorFault =
  | 'html'
  | 'unavailable'
  | 'rate_limit'
  | 'cut_body'
  | 'reset'
  | 'hang'
  | 'unauthorized'
  | 'revoke'
  | 'token_refused'
  | 'large_total'
  | 'reorder'
  | 'repeat'
  | 'slow'
  | 'too_large'
  | 'empty_page';
/** `lie`: says that it took what it throws away; no history draws it, because nobody could keep a promise then. */
export type ReceiverFault =
  | 'lie'
  | 'down'
  | 'busy'
  | 'hold'
  | 'lost_answer'
  | 'half'
  | 'slow'
  | 'forget'
  | 'never'
  | 'refuse_all'
  | 'partial'
  | 'cannot_open';

/** Trouble between two times; it strikes a request with the probability `share`. */
export interface FaultPlan {
  readonly on: string;
  readonly kind: VendorFault | ReceiverFault;
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

/** The end of a process, armed at a time: at one of its next steps, at one of its next commits, or in good order. */
export interface EndPlan {
  readonly at: number;
  readonly kind: 'step' | 'commit' | 'stop';
  /** Which step or commit, counted from 1. */
  readonly nth: number;
  readonly when: 'before' | 'during' | 'after';
  /** For `during`: how much of the bytes got out. */
  readonly share: number;
  /** How long nothing runs afterwards, milliseconds. */
  readonly downMs: number;
}

export interface Scenario {
  readonly seed: number;
  readonly hours: number;
  readonly maxBytes: number;
  readonly sources: readonly SourcePlan[];
  readonly sinks: readonly SinkPlan[];
  readonly events: readonly EventPlan[];
  readonly faults: readonly FaultPlan[];
  readonly ends: readonly EndPlan[];
  /** Steps of the machine's wall clock. */
  readonly clock: readonly { readonly at: number; readonly byMs: number }[];
  /** Times during which SQLite refuses every commit: an I/O error (10) or a full disk (13). */
  readonly diskErrors: readonly { readonly at: number; readonly errcode: 10 | 13; readonly ms: number }[];
  /** Times during which the journal does what it is asked for, and a share of its answers is lost. */
  readonly lostAnswers: readonly { readonly at: number; readonly ms: number; readonly share: number }[];
  /** Stored events that are delivered again, as an operator may ask for. */
  readonly replays: readonly { readonly at: number; readonly sink: string; readonly from: number; readonly to: number }[];
  /** What else an operator asks for. */
  readonly jobs: readonly JobPlan[];
}

/** Times are milliseconds after the start of the run. */
export type JobPlan =
  | { readonly at: number; readonly kind: 'backfill'; readonly source: string; readonly from: number; readonly to: number }
  | { readonly at: number; readonly kind: 'retry_dead_letters'; readonly sink: string };

const smallBytes = 2 * 1_048_576;

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

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

/** Seeds from here on draw more. The earlier ones keep their meaning, because tests and mutants name some of them. */
export const wideFrom = 40_000_000;

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

/** Draws what the early seeds did not know, with dice of its own. */
function widened(scenario: Scenario): Scenario {
  const dice = diceOf(Math.imul(scenario.seed, 0x85ebca6b) ^ 0x2c1b3c6d);
  const sources = scenario.sources.map((source) => {
    const everyMs = dice.pick([undefined, 5 * minute, 15 * minute, hour, 3 * hour]);
    return everyMs === undefined ? source : { ...source, everyMs };
  });
  const sinks = scenario.sinks.map((sink): SinkPlan => {
    const wire = dice.pick([undefined, 'hec', 'hec_ack', 'bulk'] as const);
    return wire === undefined ? sink : { ...sink, wire, acknowledges: wire === 'hec_ack' ? 'later' : 'now' };
  });
  return { ...scenario, sources, sinks, jobs: drawJobs(dice, scenario) };
}

/** The history that a seed stands for. */
export function drawScenario(seed: number, hours: number): Scenario {
  const scenario = drawEarly(seed, hours);
  return seed < wideFrom ? scenario : widened(scenario);
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

/** A quiet quarter of an hour: one source, one sink, six records of which the sink refuses one. */
const quiet: Scenario = {
  seed: 1,
  hours: 0.25,
  maxBytes: 16 * 1_048_576,
  sources: [{ name: 'stream', kind: 'stream', pageSize: 2, backMs: 0 }],
  sinks: [{ name: 'sink1', acknowledges: 'now', inFlight: 1, batchEvents: 10 }],
  events: [1, 2, 3, 4, 5, 6].map((n) => ({
    source: 'stream',
    n,
    at: 60_000 + n * 1_000,
    late: 0,
    ...(n === 3 ? { refusedBy: ['sink1'] } : {}),
  })),
  faults: [],
  ends: [],
  clock: [],
  diskErrors: [],
  lostAnswers: [],
  replays: [],
  jobs: [],
};

/** Small histories that leave no place out: an end at each step and around each commit, and a disk that fails, or an answer of
 * the journal that is lost, at each second. */
export function smallHistories(steps = 60, commits = 20): Scenario[] {
  const end = { at: 55_000, share: 0.5, downMs: 1_000 };
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
  const atSteps = upTo(steps).map((nth): EndPlan => ({ ...end, kind: 'step', nth, when: 'after' }));
  const atCommits = upTo(commits).flatMap((nth) =>
    (['before', 'during', 'after'] as const).map((when): EndPlan => ({ ...end, kind: 'commit', nth, when })),
  );
  const losing = upTo(12).map((n) => ({ ...quiet, lostAnswers: [{ at: 58_000 + n * 1_500, ms: 4_000, share: 0.6 }] }));
  const failing = upTo(12).map((n) => ({ ...quiet, diskErrors: [{ at: 58_000 + n * 1_500, errcode: 10 as const, ms: 4_000 }] }));
  return [...[...atSteps, ...atCommits].map((one) => ({ ...quiet, ends: [one] })), ...failing, ...losing];
}
