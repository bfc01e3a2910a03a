import { PenstockError } from '../../src/base/errors.ts';
import type { Json } from '../../src/base/json.ts';
import type {
  DeadLetter,
  HoldNote,
  Job,
  Journal,
  Lane,
  LaneState,
  LetterFilter,
  NewDeadLetter,
  Position,
  SettleCounts,
  StoredPage,
  StoredRecord,
} from '../../src/journal/journal.ts';

/** The journal as `deliver` sees it, in memory: lanes of records, offsets of one sink, letters, holds, notes, jobs. */
export interface MemoryJournal extends Journal {
  /** Appends records to a lane and wakes readers. */
  put(lane: Lane, records: readonly StoredRecord[], more?: { readonly letters?: readonly number[] }): void;
  /** Makes a call of the name reject with what the function gives, until it gives undefined. */
  failing: Partial<Record<'settle' | 'read' | 'lanes' | 'setHold', () => unknown>>;
  readonly settled: Required<SettleCounts> & { dead_lettered: number };
  readonly letters: DeadLetter[];
  readonly holdNotes: Map<string, HoldNote>;
  readonly inserted: Job[];
  readonly settles: number;
  offsetOf(lane: Lane): number;
  sizeOf(lane: Lane): number;
}

interface StoredLane {
  readonly lane: Lane;
  readonly records: { readonly record: StoredRecord; readonly letter: number | undefined }[];
  offset: number;
}

const keyOf = ({ kind, source, job }: Lane): string => `${kind}/${job ?? ''}/${source}`;

/** An empty journal. */
export function memoryJournal(): MemoryJournal {
  const lanes = new Map<string, StoredLane>();
  const waiting = new Set<() => void>();
  const notes = new Map<string, Json>();
  const letters: DeadLetter[] = [];
  const holdNotes = new Map<string, HoldNote>();
  const inserted: Job[] = [];
  const settled = { acknowledged: 0, unconfirmed: 0, not_routed: 0, replayed: 0, possible_duplicates: 0, dead_lettered: 0 };
  let settles = 0;
  let nextLetter = 1;

  const guard = async (name: keyof MemoryJournal['failing']): Promise<void> => {
    const error = journal.failing[name]?.();
    if (error !== undefined) throw error;
  };
  const matches = (letter: DeadLetter, { sink, source, code }: LetterFilter): boolean =>
    (sink === undefined || letter.sink === sink) &&
    (source === undefined || letter.source === source) &&
    (code === undefined || letter.code === code);
  const unused = (): never => {
    throw new PenstockError('PEN_INTERNAL', 'deliver does not call this');
  };

  const used: Partial<MemoryJournal> = {
    failing: {},
    settled,
    letters,
    holdNotes,
    inserted,
    put(lane, records, more = {}) {
      const stored = lanes.get(keyOf(lane)) ?? { lane, records: [], offset: 0 };
      lanes.set(keyOf(lane), stored);
      for (const [index, record] of records.entries()) stored.records.push({ record, letter: more.letters?.[index] });
      for (const wake of Array.from(waiting)) wake();
    },
    sizeOf: (lane) => lanes.get(keyOf(lane))?.records.length ?? 0,
    offsetOf: (lane) => lanes.get(keyOf(lane))?.offset ?? 0,
    async lanes() {
      await guard('lanes');
      const states: LaneState[] = [];
      for (const { lane, records, offset } of lanes.values()) {
        if (offset < records.length) {
          states.push({
            lane,
            offset: offset as Position,
            pending: records.length - offset,
            oldestReceived: records[offset]?.record.received,
          });
        }
      }
      return states;
    },
    async read(_sink, lane, after, limit) {
      await guard('read');
      const stored = lanes.get(keyOf(lane));
      const slice = stored?.records.slice(after, after + limit) ?? [];
      if (slice.length === 0) return [];
      const page: StoredPage = {
        source: lane.source,
        connector: { name: 'demo', hash: 'h1' },
        tenant: undefined,
        labels: [],
        records: slice.map(({ record }) => record),
        positions: slice.map((_, index) => (after + index + 1) as Position),
        ...(slice[0]?.letter === undefined ? {} : { letters: slice.map(({ letter }) => letter ?? 0) }),
      };
      return [page];
    },
    async settle(sink, lane, upTo, refused: readonly NewDeadLetter[], counts, resolved = []) {
      await guard('settle');
      settles += 1;
      const stored = lanes.get(keyOf(lane));
      if (stored === undefined) throw new PenstockError('PEN_NOT_FOUND', 'no such lane');
      if (lane.kind !== 'replay') {
        const covered = (counts.acknowledged ?? 0) + (counts.unconfirmed ?? 0) + (counts.not_routed ?? 0) + refused.length;
        if (covered !== upTo - stored.offset)
          throw new PenstockError('PEN_INTERNAL', `settle from ${stored.offset} to ${upTo} covers ${covered}`);
      }
      stored.offset = upTo;
      for (const name of Object.keys(counts) as (keyof SettleCounts)[]) settled[name] += counts[name] ?? 0;
      settled.dead_lettered += refused.length;
      for (const letter of refused) {
        letters.push({ ...letter, id: nextLetter, sink });
        nextLetter += 1;
      }
      for (const id of resolved) letters.splice(0, letters.length, ...letters.filter((letter) => letter.id !== id));
    },
    changed: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wake = (): void => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      }),
    note: async (source, name) => notes.get(`${source}/${name}`),
    async setNote(source, name, value) {
      notes.set(`${source}/${name}`, value);
    },
    countDeadLetters: async (filter) => letters.filter((letter) => matches(letter, filter)).length,
    deadLetters: async (filter) => letters.filter((letter) => matches(letter, filter)),
    async setHold(_kind, name, hold) {
      await guard('setHold');
      if (hold === null) holdNotes.delete(name);
      else holdNotes.set(name, hold);
    },
    holds: async () => [...holdNotes].map(([name, hold]) => ({ kind: 'sink' as const, name, hold })),
    jobs: async ({ states } = {}) => inserted.filter(({ state }) => states?.includes(state) !== false),
    async insertJob(kind, args) {
      const job: Job = {
        id: inserted.length + 1,
        kind,
        args,
        state: 'queued',
        progress: null,
        error: undefined,
        created: 0,
        started: undefined,
        finished: undefined,
      };
      inserted.push(job);
      return job;
    },
  };
  Object.defineProperty(used, 'settles', { get: () => settles });
  const journal = new Proxy(used, { get: (target, name) => Reflect.get(target, name) ?? unused }) as MemoryJournal;
  return journal;
}
