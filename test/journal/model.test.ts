import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { Seams } from '../../src/base/seams.ts';
import { isBalanced } from '../../src/journal/counts.ts';
import {
  type Journal,
  type Lane,
  openJournal,
  type Position,
  type SinkRegistration,
  type StoredRecord,
  withPageCache,
} from '../../src/journal/index.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { fewOrMany } from '../thorough.ts';
import { commitOf, connector, journalOptions, seamsAt, sink, someRecords, source } from './fixture.ts';
import { emptyDisk } from './memory/disk.ts';
import { openMemoryJournal } from './memory/journal.ts';
import { postgresEngine } from './places.ts';

// The journal against the simplest thing that could keep the same promises: arrays.

type Action =
  | { readonly do: 'append'; readonly lane: 0 | 1 | 2; readonly count: number }
  | { readonly do: 'fill' }
  | { readonly do: 'settle'; readonly sink: number; readonly lane: 0 | 1 | 2; readonly count: number; readonly letters: number }
  | { readonly do: 'retry'; readonly sink: number; readonly count: number }
  | { readonly do: 'discard'; readonly sink: number }
  | { readonly do: 'sink'; readonly start: 'now' | 'oldest'; readonly whenFull: 'wait' | 'skip' }
  | { readonly do: 'reopen' }
  | { readonly do: 'crash' }
  | { readonly do: 'age' };

const lanes: readonly Lane[] = [
  { kind: 'live', source: 's' },
  { kind: 'backfill', source: 's' },
  { kind: 'live', source: 't' },
];

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      lane: fc.constantFrom(0, 1, 2),
      count: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      sink: fc.nat(3),
      lane: fc.constantFrom(0, 1, 2),
      count: fc.integer({ min: 1, max: 60 }),
      letters: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'fill' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('retry' as const), sink: fc.nat(3), count: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('discard' as const), sink: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('sink' as const),
      start: fc.constantFrom('now', 'oldest'),
      whenFull: fc.constantFrom('wait', 'skip'),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'reopen' as const }, { do: 'crash' as const }, { do: 'age' as const }) },
);

interface ModelSink extends SinkRegistration {
  readonly pending: string[][];
  readonly letters: { readonly uid: string; readonly lane: number }[];
}

/** Where a journal is kept. After `crash` or `reopen` the next `open` continues with what was durable at that moment. */
interface Place {
  open(seams: Seams): Promise<Journal>;
  crash(): Promise<void>;
  reopen(): Promise<void>;
  remove(): Promise<void>;
}

async function onDisk(): Promise<Place> {
  const directories: string[] = [];
  const move = async (): Promise<readonly [string, string]> => {
    const from = directories.at(-1) ?? '';
    const to = await mkdtemp(join(tmpdir(), 'penstock-model-'));
    directories.push(to);
    return [from, to];
  };
  await move();
  return {
    async open(seams) {
      const options = journalOptions(directories.at(-1) ?? '', { seams, maxBytes: 8 * 1024 * 1024, keepMs: 5000 });
      return withPageCache(await openJournal(options), 100_000);
    },
    async crash() {
      const [from, to] = await move();
      // The copy of an open journal is what a crash leaves behind. Another process makes it: reading a database's file
      // and closing it again would drop this process's locks on it.
      for (const name of ['journal.db', 'journal.db-wal']) execFileSync('cp', [join(from, name), to]);
    },
    async reopen() {
      const [from, to] = await move();
      await cp(from, to, { recursive: true });
    },
    async remove() {
      await Promise.all(directories.map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}

async function inPostgres(): Promise<Place> {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const engine = postgresEngine(url, schema);
  return {
    async open(seams) {
      const options = { engine, seams, maxBytes: 8 * 1024 * 1024, keepMs: 5000, log: silentLog(), lockWaitMs: 0 };
      return withPageCache(await openPostgres(engine, options, () => seams.clock.now()), 100_000);
    },
    // Whoever comes next need not wait for the lease of one that is gone.
    crash: () => onServer(url, async (client) => void (await client.query(`UPDATE ${schema}.members SET expires = now()`))),
    reopen: async () => undefined,
    remove: async () => undefined,
  };
}

async function inMemory(): Promise<Place> {
  let disk = emptyDisk({ strict: true });
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    open: async () => openMemoryJournal(disk),
    async crash() {
      const { now, ...durable } = disk;
      disk = { ...structuredClone(durable), now };
    },
    reopen: nothing,
    remove: nothing,
  };
}

/** Both sides of the comparison, and what happens to them. */
class Comparison {
  readonly #seams = seamsAt(1_000_000);
  readonly #sinks: ModelSink[] = [];
  readonly #stored: string[][] = [[], [], []];
  readonly #cursors: (number | undefined)[] = [undefined, undefined];
  readonly #seen = new Set<string>();
  readonly #place: Place;
  #journal: Journal | undefined;
  #now = 1_000_000;
  #next = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  async open(): Promise<void> {
    this.#journal = await this.#place.open(this.#seams);
    await this.#register();
  }

  async close(): Promise<void> {
    await this.#journal?.[Symbol.asyncDispose]();
    await this.#place.remove();
  }

  async run(action: Action): Promise<void> {
    if (action.do === 'append')
      await this.#append(action.lane, someRecords(action.count, { prefix: `${this.#next}-`, received: this.#now }));
    else if (action.do === 'fill') await this.#fill();
    else if (action.do === 'settle') await this.#settle(this.#sinkAt(action.sink), action.lane, action.count, action.letters);
    else if (action.do === 'retry') await this.#retry(this.#sinkAt(action.sink), action.count);
    else if (action.do === 'discard') await this.#discard(this.#sinkAt(action.sink));
    else if (action.do === 'sink') await this.#addSink(action.start, action.whenFull);
    else if (action.do === 'age') this.#seams.set((this.#now += 10_000));
    else await this.#openAgain(action.do);
  }

  async compare(): Promise<void> {
    const journal = this.#open();
    const { rows } = await journal.ledger();
    expect(rows.filter((row) => !isBalanced(row))).toEqual([]);
    for (const { name, pending, letters } of this.#sinks) {
      for (const [index, lane] of lanes.entries()) expect(await this.#read(name, lane)).toEqual(pending[index]);
      expect((await journal.deadLetters({ sink: name }, 1000)).map(({ record }) => record.uid)).toEqual(
        letters.map(({ uid }) => uid),
      );
      const counted = rows.filter((row) => row.sink === name);
      expect(counted.reduce((sum, { totals }) => sum + totals.dead_lettered, 0)).toBe(letters.length);
    }
    expect([await journal.checkpoint('s', 'live'), await journal.checkpoint('t', 'live')]).toEqual(this.#cursors);
    const ids = [...this.#seen];
    expect(
      await journal.seen(
        's',
        ids.map((id) => ({ day: 1, id })),
      ),
    ).toEqual(ids.map(() => ['ab'.repeat(8)]));
  }

  #open(): Journal {
    if (this.#journal === undefined) throw new Error('not open');
    return this.#journal;
  }

  #sinkAt(index: number): ModelSink | undefined {
    return this.#sinks[index % Math.max(1, this.#sinks.length)];
  }

  async #register(): Promise<void> {
    if (this.#sinks.length === 0) this.#sinks.push({ ...sink('first'), pending: [[], [], []], letters: [] });
    await this.#open().register([source('s'), source('t')], this.#sinks);
  }

  /** False when there was no room. */
  async #append(lane: number, records: readonly StoredRecord[]): Promise<boolean> {
    const { kind, source: name } = lanes[lane] ?? { kind: 'live', source: 's' };
    const cursor = ++this.#next;
    const id = cursor.toString(16).padStart(32, '0');
    const commit = commitOf(name, records, { lane: kind === 'live' ? 'live' : 'backfill' });
    try {
      await this.#open().append({
        ...commit,
        checkpoint: { name: 'live', value: cursor },
        ...(name === 's' && { seen: [{ day: 1, id, fingerprint: 'ab'.repeat(8) }] }),
      });
    } catch (error) {
      expect(error).toMatchObject({ code: 'PEN_JOURNAL_FULL' });
      await this.#noteSkips();
      return false;
    }
    const uids = records.map(({ uid }) => uid);
    for (const { pending } of this.#sinks) pending[lane]?.push(...uids);
    this.#stored[lane]?.push(...uids);
    this.#cursors[name === 's' ? 0 : 1] = cursor;
    if (name === 's') this.#seen.add(id);
    await this.#noteSkips();
    return true;
  }

  async #fill(): Promise<void> {
    const heavy = (): StoredRecord => ({
      uid: `heavy${this.#next}`,
      received: this.#now,
      record: randomBytes(400_000).toString('base64'),
    });
    for (let more = 12; more > 0 && (await this.#append(0, [heavy()])); more--);
  }

  /** A sink that may skip loses the oldest of a lane, and no other sink does. */
  async #noteSkips(): Promise<void> {
    const states = await Promise.all(this.#sinks.map(({ name }) => this.#open().lanes(name)));
    for (const [index, { whenFull, pending }] of this.#sinks.entries()) {
      for (const [at, lane] of lanes.entries()) {
        const left =
          states[index]?.find((state) => state.lane.kind === lane.kind && state.lane.source === lane.source)?.pending ?? 0;
        const skipped = (pending[at]?.length ?? 0) - left;
        if (whenFull === 'wait') expect(skipped).toBe(0);
        pending[at]?.splice(0, skipped);
      }
    }
  }

  async #read(name: string, lane: Lane): Promise<string[]> {
    const state = (await this.#open().lanes(name)).find(
      (other) => other.lane.kind === lane.kind && other.lane.source === lane.source,
    );
    const uids: string[] = [];
    for (let at = state?.offset; at !== undefined; ) {
      const pages = await this.#open().read(name, lane, at, 25);
      uids.push(...pages.flatMap(({ records }) => records.map(({ uid }) => uid)));
      at = pages.at(-1)?.positions.at(-1);
    }
    return uids;
  }

  async #settle(target: ModelSink | undefined, at: number, count: number, letters: number): Promise<void> {
    const lane = lanes[at];
    const state = (await this.#open().lanes(target?.name ?? '')).find(
      (other) => other.lane.kind === lane?.kind && other.lane.source === lane.source,
    );
    if (target === undefined || lane === undefined || state === undefined) return;
    const settled = target.pending[at]?.splice(0, count) ?? [];
    const refused = settled.slice(0, letters);
    const page = {
      connector: { name: connector.name, hash: connector.hash },
      tenant: undefined,
      labels: [],
      eventTime: 1,
      action: undefined,
    };
    await this.#open().settle(
      target.name,
      lane,
      (state.offset + settled.length) as Position,
      refused.map((uid) => ({
        record: { uid, received: 1, record: null },
        source: lane.source,
        ...page,
        code: '400',
        text: '',
        attempts: 1,
        first: 1,
        last: 1,
      })),
      { acknowledged: settled.length - refused.length },
    );
    target.letters.push(...refused.map((uid) => ({ uid, lane: at })));
  }

  async #retry(target: ModelSink | undefined, count: number): Promise<void> {
    if (target === undefined || target.letters.length === 0) return;
    const job = await this.#open().insertJob('retry', null);
    await this.#open().openReplay(job.id, target.name, { kind: 'dead_letters' });
    const replays = (await this.#open().lanes(target.name)).filter(({ lane }) => lane.kind === 'replay');
    const [replay] = replays;
    if (replay === undefined) throw new Error('no replay lane');
    const [page] = await this.#open().read(target.name, replay.lane, replay.offset, count);
    const last = page?.positions.at(-1);
    if (page?.letters === undefined || last === undefined) throw new Error('no letters');
    const letters = page.letters.filter((letter) => letter !== undefined);
    await this.#open().settle(target.name, replay.lane, last, [], { replayed: page.letters.length }, letters);
    await this.#open().closeReplay(job.id);
    const resolved = new Set(page.records.map(({ uid }) => uid));
    target.letters.splice(0, target.letters.length, ...target.letters.filter(({ uid }) => !resolved.has(uid)));
  }

  async #discard(target: ModelSink | undefined): Promise<void> {
    if (target === undefined) return;
    expect(await this.#open().discardDeadLetters({ sink: target.name })).toBe(target.letters.length);
    target.letters.length = 0;
  }

  async #addSink(start: 'now' | 'oldest', whenFull: 'wait' | 'skip'): Promise<void> {
    if (this.#sinks.length > 3) return;
    const added = { ...sink(`sink${this.#sinks.length}`, start, whenFull), pending: [[], [], []] as string[][], letters: [] };
    this.#sinks.push(added);
    await this.#register();
    // How far back the oldest lies is the journal's to say; that it is a run that ends with the newest record is not.
    for (const [at, lane] of lanes.entries()) {
      const uids = await this.#read(added.name, lane);
      expect(uids).toEqual(this.#stored[at]?.slice((this.#stored[at]?.length ?? 0) - uids.length));
      added.pending[at] = uids;
    }
    if (start === 'now') expect(added.pending).toEqual([[], [], []]);
  }

  async #openAgain(how: 'reopen' | 'crash'): Promise<void> {
    if (how === 'crash') await this.#place.crash();
    await this.#journal?.[Symbol.asyncDispose]();
    if (how === 'reopen') await this.#place.reopen();
    await this.open();
  }
}

const settleOf = (count: number): Action => ({ do: 'settle', sink: 0, lane: 0, count, letters: 0 });

const play =
  (place: () => Promise<Place>) =>
  async (actions: readonly Action[]): Promise<void> => {
    const comparison = new Comparison(await place());
    try {
      await comparison.open();
      for (const action of actions) {
        await comparison.run(action);
        await comparison.compare();
      }
    } finally {
      await comparison.close();
    }
  };

it.each([
  { where: 'on disk', place: onDisk, runs: fewOrMany(4, 25) },
  ...(hasPostgres() && fewOrMany(0, 1) === 1 ? [{ where: 'in PostgreSQL', place: inPostgres, runs: 12 }] : []),
])('does $where what arrays would do, through trims, full journals, reopenings and crashes', async ({ place, runs }) => {
  await fc.assert(fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 30 }), play(place)), {
    numRuns: runs,
    examples: [
      // A sink added after a trim to empty, a crash right after a settle, a full journal with a sink that skips.
      [
        [
          { do: 'append', lane: 0, count: 10 },
          settleOf(10),
          { do: 'age' },
          { do: 'reopen' },
          { do: 'sink', start: 'oldest', whenFull: 'wait' },
          { do: 'append', lane: 0, count: 3 },
        ],
      ],
      [[{ do: 'append', lane: 0, count: 10 }, settleOf(4), { do: 'crash' }, settleOf(3), { do: 'crash' }]],
      [
        [
          { do: 'sink', start: 'now', whenFull: 'skip' },
          { do: 'fill' },
          { do: 'fill' },
          settleOf(60),
          { do: 'fill' },
          { do: 'crash' },
          { do: 'fill' },
        ],
      ],
    ],
  });
});

it('does in memory what arrays would do, through reopenings and crashes', async () => {
  // In memory nothing is ever full or deleted.
  const actions = fc.array(
    action.filter(({ do: what }) => what !== 'fill' && what !== 'age'),
    { minLength: 5, maxLength: 30 },
  );
  await fc.assert(fc.asyncProperty(actions, play(inMemory)), { numRuns: fewOrMany(10, 50) });
});
