// The model's table of pages, with what upkeep does to them: which may go is decided as far as the text of a statement says it. Records stay in
// the lanes of the disk in memory until their page is deleted.
import type { Commit, SkippedRange } from '../../../src/journal/journal.ts';
import { type Entry, laneKey, removeFrom, totalsAt } from '../../journal/memory/disk.ts';
import { done, kinds, type Row, type Shared, type Statement, type Values } from './tables.ts';

interface Page {
  readonly id: number;
  readonly source: string;
  readonly kind: (typeof kinds)[number];
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  /** The server's time, milliseconds. */
  readonly received: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly entries: readonly Entry[];
}

interface Counted {
  bytes: number;
  pages: number;
  records: number;
  ids: number;
}

interface Skip {
  readonly id: number;
  readonly sink: string;
  readonly source: string;
  readonly kind: (typeof kinds)[number];
  from: number;
  to: number;
  records: number;
  readonly firstAt: number;
  lastAt: number;
}

const batchPages = 64;
const sameSkipMs = 3_600_000;
const ended = ['done', 'failed', 'cancelled'];
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

export class Pages {
  readonly #shared: Shared;
  readonly #pages: Page[] = [];
  readonly #counted = new Map<string, Counted>();
  readonly #skips: Skip[] = [];
  /** Records that an offset passed for another reason than delivery, and that may still be delivered; by its key. */
  readonly passed = new Map<string, number>();
  /** `wait` or `skip`, by sink. */
  readonly whenFull = new Map<string, string>();
  #last = 0;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  readonly statements: readonly Statement[] = [
    ['AS mismarked, ARRAY(', (_values, text) => [this.#away(text)]],
    ['d.touched < $2::bigint', (values) => [this.#due(values)]],
    ["FROM p.units WHERE kind = 'upkeep' FOR NO KEY UPDATE", () => [{ id: 1 }]],
    ['OVER () AS old', (values, text) => this.#find(values, text)],
    ['UPDATE p.counters c SET bytes = c.bytes - gone.bytes', (values) => this.#uncount(values as readonly number[][])],
    ['DELETE FROM p.pages WHERE id = ANY', ([ids]) => this.#delete(ids as number[])],
    [
      'SELECT max(first + count - 1) AS upto FROM p.pages',
      ([before, gone], text) => this.#stale(Number(before), gone as string[], text),
    ],
    ['SELECT position AS at FROM p.offsets', (values) => [{ at: this.#shared.disk.offsets.get(this.#offset(values)) ?? 0 }]],
    ['UPDATE p.offsets SET position = $4, passed', (values) => this.#pass(values)],
    ['INSERT INTO p.totals AS t', (values, text) => this.#total(values, text)],
    ['SELECT skipped FROM p.totals', ([sink, source]) => [{ skipped: this.#totals(sink, source).skipped }]],
    ["FROM p.sinks WHERE when_full = 'skip' AND configured", () => this.#skipping()],
    ['SELECT min(min_time) AS "from"', (values) => [this.#range(values)]],
    ['UPDATE p.skips SET from_time', (values) => this.#extend(values)],
    ['INSERT INTO p.skips', (values) => this.#skip(values)],
    [
      'SELECT id, records FROM p.skips',
      (values) =>
        this.#skipsOf(values)
          .toReversed()
          .map(({ id, records }) => ({ id, records })),
    ],
    ['UPDATE p.skips SET records', ([id, records]) => this.#giveBack(id, Number(records))],
    ['DELETE FROM p.skips', ([id]) => done(removeFrom(this.#skips, (one) => one.id === id).length)],
    ['DELETE FROM p.windows WHERE stamp', () => []],
    [
      'DELETE FROM p.replays WHERE job IN',
      () => done(removeFrom(this.#shared.disk.replays, ({ job }) => this.#hasEnded(job)).length),
    ],
    ['DELETE FROM p.letter_counts', () => []],
    ['DELETE FROM p.holds WHERE member = ANY', ([replicas]) => this.#dropHolds(replicas as string[])],
    ['DELETE FROM p.connectors', () => []],
    ['AS letters, (SELECT received FROM p.pages', () => [this.#used()]],
  ];

  /** A commit was stored behind a position of its lane. */
  stored({ source, page }: Commit, before: number, bytes: number, ids: number): void {
    const counted = this.#countedOf(source);
    counted.ids += ids;
    if (page === undefined || page.records.length === 0) return;
    const last = before + page.records.length;
    const { lane: kind, minTime, maxTime } = page;
    const entries = (this.#shared.disk.lanes.get(laneKey({ kind, source })) ?? []).slice(before, last);
    this.#last += 1;
    const place = { id: this.#last, source, kind, first: before + 1, last };
    this.#pages.push({ ...place, bytes, received: this.#shared.disk.now(), minTime, maxTime, entries });
    counted.bytes += bytes;
    counted.pages += 1;
    counted.records += page.records.length;
  }

  /** The pages of a lane from the last hole on. */
  runOf(source: string, kind: Page['kind']): Page[] {
    const lane = this.#laneOf(source, kind);
    const start = lane.findLastIndex(({ first }, index) => lane[index - 1]?.last !== first - 1);
    return lane.slice(Math.max(0, start));
  }

  /** What sinks left out, as the ledger says it. */
  get skipped(): SkippedRange[] {
    return this.#skips.map(({ id: _id, kind, ...skip }) => ({ ...skip, lane: kind }));
  }

  /** What is counted is what is there. */
  check(): void {
    for (const [source, counted] of this.#counted) {
      const own = this.#pages.filter((page) => page.source === source);
      const is = {
        bytes: sum(own.map(({ bytes }) => bytes)),
        pages: own.length,
        records: sum(own.map(({ entries }) => entries.length)),
      };
      for (const name of ['bytes', 'pages', 'records'] as const)
        if (counted[name] !== is[name])
          this.#shared.auditor.problem(`source ${source}: ${counted[name]} ${name} are counted as stored, and ${is[name]} are`);
    }
  }

  #countedOf(source: string): Counted {
    const counted = this.#counted.get(source) ?? { bytes: 0, pages: 0, records: 0, ids: 0 };
    this.#counted.set(source, counted);
    return counted;
  }

  #laneOf(source: string, kind: Page['kind']): Page[] {
    return this.#pages.filter((page) => page.source === source && page.kind === kind).sort((a, b) => a.first - b.first);
  }

  #hasEnded(job: number): boolean {
    return ended.includes(this.#shared.disk.jobs.find(({ id }) => id === job)?.state ?? '');
  }

  #lanes(): { readonly source: string; readonly kind: Page['kind']; readonly pages: readonly Page[] }[] {
    const lanes = this.#shared.sources().flatMap(({ source }) => kinds.map((kind) => ({ source, kind })));
    return lanes
      .map((lane) => ({ ...lane, pages: this.#laneOf(lane.source, lane.kind) }))
      .filter(({ pages }) => pages.length > 0);
  }

  #away(text: string): Row {
    const { sinks } = this.#shared.disk;
    const away = [...sinks.keys()].filter((name) => !this.#shared.isNamed('sink', name, text));
    const mismarked = [...sinks].some(([name, { configured }]) => configured === away.includes(name));
    return { mismarked, sinks: away, replicas: this.#awayWithHolds() };
  }

  #due([before, now]: Values): Row {
    const { replays } = this.#shared.disk;
    const isOld = ({ received }: Page): boolean => received < Number(before) || received > Number(now);
    const hasEnded = replays.some(({ job }) => this.#hasEnded(job));
    return { pages: this.#lanes().some(({ pages }) => pages.slice(0, 1).some(isOld)), ids: false, ended: hasEnded };
  }

  /** Holds of sinks stand under the name of their replica. */
  #awayWithHolds(): string[] {
    const replicas = [...this.#shared.disk.held.keys()].flatMap((key) => key.split('@').slice(1));
    return [...new Set(replicas)].filter((name) => !this.#shared.lives(name));
  }

  #dropHolds(replicas: readonly string[]): Row[] {
    const gone = [...this.#shared.disk.held.keys()].filter((key) => replicas.some((name) => key.endsWith(`@${name}`)));
    for (const key of gone) this.#shared.disk.held.delete(key);
    return done(gone.length);
  }

  /** How far the sinks are that a statement minds. */
  #settled(source: string, kind: Page['kind'], text: string): number {
    const which = /f\.kind = l\.kind WHERE (.*?)\) AS settled/.exec(text)?.[1];
    const { sinks, offsets } = this.#shared.disk;
    const isMinded = (name: string, configured: boolean): boolean => {
      if (which === 'true') return true;
      if (which === 'k.configured') return configured;
      if (which === "k.when_full = 'wait' OR NOT k.configured") return this.whenFull.get(name) === 'wait' || !configured;
      throw new TypeError(`the model does not know which sinks are minded where ${which}`);
    };
    const minded = [...sinks].filter(([name, { configured }]) => isMinded(name, configured));
    if (minded.length === 0) return 0;
    return Math.min(...minded.map(([name]) => offsets.get(`${name} ${laneKey({ kind, source })}`) ?? 0));
  }

  #isPinned(page: Page): boolean {
    return this.#shared.disk.replays.some(
      ({ kind, entries, offset }) => kind === 'stored' && entries.slice(offset).some((entry) => page.entries.includes(entry)),
    );
  }

  #find([before, now]: Values, text: string): Row[] {
    const minds = (words: string): boolean => text.includes(words);
    return this.#lanes()
      .filter(
        ({ pages: [oldest] }) => oldest !== undefined && (oldest.received < Number(before) || oldest.received > Number(now)),
      )
      .flatMap(({ source, kind, pages }) => {
        const settled = this.#settled(source, kind, text);
        const old = Math.max(0, ...pages.filter(({ received }) => received < Number(before)).map(({ first }) => first));
        return pages
          .filter(({ last }) => settled > 0 && (!minds('p.last <= l.settled') || last <= settled))
          .filter(({ first }) => !minds('p.first <= p.old') || first <= old)
          .filter((page) => !minds('NOT EXISTS (SELECT 1 FROM p.replays r') || !this.#isPinned(page));
      })
      .sort((a, b) => a.id - b.id)
      .slice(0, batchPages)
      .map(({ id, source, kind, last, bytes, entries }) => {
        return { id, source: this.#idOf(source), name: source, kind: kinds.indexOf(kind), last, records: entries.length, bytes };
      });
  }

  #idOf(source: string): number {
    return this.#shared.sources().find((one) => one.source === source)?.id ?? 0;
  }

  #uncount([sources = [], bytes = [], records = []]: readonly (readonly number[])[]): Row[] {
    for (const [index, source] of sources.entries()) {
      const counted = this.#countedOf(this.#shared.sourceOf(source));
      counted.bytes -= bytes[index] ?? 0;
      counted.pages -= 1;
      counted.records -= records[index] ?? 0;
    }
    return done(new Set(sources).size);
  }

  #delete(ids: readonly number[]): Row[] {
    const gone = removeFrom(this.#pages, ({ id }) => ids.includes(id));
    for (const page of gone) {
      const { source, kind, first, last } = page;
      if (this.#isPinned(page)) this.#shared.auditor.problem(`a page of ${source} was deleted, which a replay was to bring`);
      this.#shared.auditor.onDeleted({ kind, source }, last);
      const entries = this.#shared.disk.lanes.get(laneKey({ kind, source })) ?? [];
      // Positions stay.
      for (let at = first - 1; at < last; at += 1) Reflect.deleteProperty(entries, at);
    }
    return done(gone.length);
  }

  #stale(before: number, gone: readonly string[], text: string): Row[] {
    const { sinks } = this.#shared.disk;
    const stale = [...sinks]
      .filter(([name]) => gone.includes(name) || !text.includes('k.name = ANY($2::text[])'))
      .filter(([, { configured }]) => !configured || !text.includes('WHERE NOT k.configured'));
    return stale.flatMap(([name]) =>
      this.#lanes().flatMap(({ source, kind, pages }) => {
        const upto = Math.max(0, ...pages.filter(({ received }) => received < before).map(({ last }) => last));
        const row = {
          sink: this.#shared.sinkId(name),
          name,
          source: this.#idOf(source),
          kind: kinds.indexOf(kind),
          sourceName: source,
        };
        return upto === 0 ? [] : [{ ...row, upto }];
      }),
    );
  }

  #offset([sink, source, kind]: Values): string {
    const lane = { kind: kinds[Number(kind)] ?? 'live', source: this.#shared.sourceOf(source) };
    return `${this.#shared.sinkOf(sink)} ${laneKey(lane)}`;
  }

  #pass(values: Values): Row[] {
    const key = this.#offset(values);
    this.#shared.disk.offsets.set(key, Number(values[3]));
    this.passed.set(key, (this.passed.get(key) ?? 0) + Number(values[4]));
    return done(1);
  }

  #range([source, kind, last, first]: Values): Row {
    const lane = this.#laneOf(this.#shared.sourceOf(source), kinds[Number(kind)] ?? 'live');
    const own = lane.filter((page) => page.first <= Number(last) && page.last >= Number(first));
    return { from: Math.min(...own.map(({ minTime }) => minTime)), to: Math.max(...own.map(({ maxTime }) => maxTime)) };
  }

  #skipsOf([sink, source, kind]: Values): Skip[] {
    const of = [this.#shared.sinkOf(sink), this.#shared.sourceOf(source), kinds[Number(kind)]];
    return this.#skips.filter((one) => one.sink === of[0] && one.source === of[1] && one.kind === of[2]);
  }

  #extend(values: Values): Row[] {
    const [from, to, records, now] = values.slice(3).map(Number) as [number, number, number, number];
    const last = this.#skipsOf(values).at(-1);
    if (last === undefined || last.lastAt < now - sameSkipMs) return [];
    last.from = Math.min(last.from, from);
    last.to = Math.max(last.to, to);
    last.records += records;
    last.lastAt = now;
    return done(1);
  }

  #skip([sink, source, kind, ...rest]: Values): Row[] {
    const [from, to, records, now] = rest.map(Number) as [number, number, number, number];
    this.#last += 1;
    const place = { id: this.#last, sink: this.#shared.sinkOf(sink), source: this.#shared.sourceOf(source) };
    this.#skips.push({ ...place, kind: kinds[Number(kind)] ?? 'live', from, to, records, firstAt: now, lastAt: now });
    return done(1);
  }

  #giveBack(id: unknown, records: number): Row[] {
    const skip = this.#skips.find((one) => one.id === id);
    if (skip !== undefined) skip.records -= records;
    return done(1);
  }

  #totals(sink: unknown, source: unknown) {
    return totalsAt(this.#shared.disk, this.#shared.sinkOf(sink), this.#shared.sourceOf(source));
  }

  /** What a settle adds the disk in memory has added with it, but for what had been passed. */
  #total(values: Values, text: string): Row[] {
    const names = /AS t \(sink, source, ([^)]*)\) VALUES/.exec(text)?.[1]?.split(', ') ?? [];
    const [sink, source, ...amounts] = values;
    for (const name of ['skipped', 'abandoned'] as const) {
      const amount = Number(amounts[names.indexOf(name)] ?? 0);
      this.#totals(sink, source)[name] += amount;
      if (amount > 0) this.#shared.auditor.onPassed(this.#shared.sinkOf(sink), this.#shared.sourceOf(source), name);
    }
    return done(1);
  }

  #skipping(): Row[] {
    return [...this.#shared.disk.sinks]
      .filter(([name, { configured }]) => configured && this.whenFull.get(name) === 'skip')
      .map(([name]) => ({ id: this.#shared.sinkId(name), name }));
  }

  #used(): Row {
    const of = (name: keyof Counted): number => sum([...this.#counted.values()].map((counted) => counted[name]));
    const oldest = this.#pages[0]?.received ?? null;
    return {
      bytes: of('bytes'),
      pages: of('pages'),
      records: of('records'),
      ids: of('ids'),
      letters: this.#shared.disk.letters.length,
      oldest,
    };
  }
}
