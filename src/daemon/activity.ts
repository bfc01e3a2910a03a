// What was collected and delivered hour by hour, and how fast the journal fills. Once a minute the ledger's totals are looked at: what they
// grew by belongs to the hour. The ledger is the only thing that is counted, so a restart, or a day without a daemon, counts nothing twice.

import { sleep } from '../base/clock.ts';
import { isObject, type Json } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { hourMs } from '../base/quantity.ts';
import type { Seams } from '../base/seams.ts';
import type { Journal, Ledger } from '../journal/journal.ts';
import { CatchUp } from './catch-up.ts';

/** One hour; sinks by name. */
export interface Hour {
  /** Its beginning, milliseconds since the epoch. */
  readonly from: number;
  readonly collected: number;
  readonly delivered: Readonly<Record<string, number>>;
}

interface Totals {
  readonly collected: number;
  readonly delivered: Readonly<Record<string, number>>;
}

const keptMs = 24 * hourMs;
const everyMs = 60_000;
/** Who looks at the page sees nothing older. */
const freshMs = 10_000;
/** Looks between two writings: what a killed process had not written is counted into the hour of the next start. */
const looksPerWriting = 5;
const noteName = 'last_day';

function totalsOf({ sources, rows }: Ledger): Totals {
  const delivered: Record<string, number> = {};
  for (const { sink, totals } of rows) delivered[sink] = (delivered[sink] ?? 0) + totals.acknowledged + totals.unconfirmed;
  const collected = Object.values(sources).reduce((sum, totals) => sum + totals.new, 0);
  return { collected, delivered };
}

function numbersIn(value: unknown): Record<string, number> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

function parseTotals(value: unknown): Totals | undefined {
  if (!isObject(value) || typeof value['collected'] !== 'number') return undefined;
  return { collected: value['collected'], delivered: numbersIn(value['delivered']) };
}

function parseHours(value: unknown): Hour[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: unknown) => {
    const totals = parseTotals(one);
    return totals !== undefined && isObject(one) && typeof one['from'] === 'number' ? [{ from: one['from'], ...totals }] : [];
  });
}

/** What the hour is after the totals went from `before` to `after`. A name that was not there before began at 0. */
function grown(hour: Hour, before: Totals, after: Totals): Hour {
  const delivered = { ...hour.delivered };
  for (const [sink, total] of Object.entries(after.delivered)) {
    const more = Math.max(0, total - (before.delivered[sink] ?? 0));
    if (more > 0) delivered[sink] = (delivered[sink] ?? 0) + more;
  }
  return { from: hour.from, collected: hour.collected + Math.max(0, after.collected - before.collected), delivered };
}

/** Bytes that a sink which waits still needs, at a moment of the monotonic clock. */
interface Fill {
  readonly at: number;
  readonly bytes: number;
}

/** A source is behind where its cursor is older. */
const fewestSeconds = 900;

const fillKeptMs = 30 * 60_000;
// Nobody's pace lasts that long; and what came in a minute, a backfill say, tells of no more than an hour.
const farOffSeconds = 30 * 86_400;
const mostSpans = 60;

interface ActivitySettings {
  readonly journal: Pick<Journal, 'ledger' | 'note' | 'setNote' | 'usage'>;
  readonly seams: Pick<Seams, 'clock'>;
  readonly log: Log;
  /** Sinks for which events are kept until they take them. */
  readonly waitingSinks: () => readonly string[];
  /** How old the cursor of each source is, in seconds. */
  readonly cursorAges: () => ReadonlyMap<string, number>;
}

/** The last day of a daemon. Disposing writes it down. */
export class Activity implements AsyncDisposable {
  readonly #settings: ActivitySettings;
  readonly #stopping = new AbortController();
  #hours: Hour[] = [];
  #totals: Totals | undefined;
  #fills: Fill[] = [];
  readonly #catchUp = new CatchUp();
  #lookedAt = 0;
  #looking: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(settings: ActivitySettings) {
    this.#settings = settings;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The hours of the last day that have something, oldest first. */
  async hours(): Promise<readonly Hour[]> {
    const { clock } = this.#settings.seams;
    if (this.#totals !== undefined && clock.monotonic() - this.#lookedAt >= freshMs) await this.#look();
    return this.#hours;
  }

  /** The same, as it was looked at last. */
  get knownHours(): readonly Hour[] {
    return this.#hours;
  }

  /** Seconds until the journal has no room, at the pace of the last half hour; undefined while it does not fill up. */
  fullInSeconds(freeOnDisk: number | undefined): number | undefined {
    const [first, last] = [this.#fills[0], this.#fills.at(-1)];
    if (first === undefined || last === undefined || last.bytes <= first.bytes) return undefined;
    const { usedBytes, maxBytes } = this.#settings.journal.usage();
    const most = Math.min(maxBytes, usedBytes + (freeOnDisk ?? maxBytes));
    const seconds = ((most - last.bytes) / (last.bytes - first.bytes)) * ((last.at - first.at) / 1000);
    const isFarOff = seconds > Math.min(farOffSeconds, (mostSpans * (last.at - first.at)) / 1000);
    return isFarOff ? undefined : Math.max(0, Math.round(seconds));
  }

  /** Seconds until a sink has taken what waits for it, or a source has read up to now; undefined while that does not get nearer. */
  caughtUpInSeconds(kind: 'source' | 'sink', name: string): number | undefined {
    return this.#catchUp.secondsLeft(`${kind} ${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { journal, seams, log } = this.#settings;
    try {
      const note = await journal.note('', noteName);
      this.#hours = parseHours(isObject(note) ? note['hours'] : undefined);
      this.#totals = parseTotals(isObject(note) ? note['totals'] : undefined);
    } catch (error) {
      log.warn({ err: error }, 'the hours of the last day could not be read, they begin anew');
    }
    for (let looks = 0; ; looks += 1) {
      const isLast = signal.aborted;
      try {
        await this.#look();
        if (isLast || looks % looksPerWriting === 0) await journal.setNote('', noteName, this.#note());
      } catch (error) {
        log.debug({ err: error }, 'the ledger could not be looked at');
      }
      if (isLast) return;
      await sleep(seams.clock, everyMs, signal).catch(() => undefined);
    }
  }

  #note(): Json {
    return { hours: this.#hours.map((hour) => ({ ...hour })), totals: { ...this.#totals } };
  }

  /** One look at a time: a later one must not end before an earlier one. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    const { journal, seams } = this.#settings;
    this.#lookedAt = seams.clock.monotonic();
    const ledger = await journal.ledger();
    const totals = totalsOf(ledger);
    const now = seams.clock.now();
    if (this.#totals !== undefined) this.#add(now, this.#totals, totals);
    this.#totals = totals;
    this.#fill(ledger);
    this.#catchUp.note(seams.clock.monotonic(), this.#behind(ledger));
  }

  #behind({ rows }: Ledger): Map<string, number> {
    const behind = new Map<string, number>();
    for (const { sink, totals } of rows) behind.set(`sink ${sink}`, (behind.get(`sink ${sink}`) ?? 0) + totals.pending);
    // A cursor is always as old as its settle time and schedule.
    for (const [source, seconds] of this.#settings.cursorAges())
      if (seconds > fewestSeconds) behind.set(`source ${source}`, seconds);
    return behind;
  }

  #add(now: number, before: Totals, after: Totals): void {
    const from = Math.floor(now / hourMs) * hourMs;
    const hour = this.#hours.find((one) => one.from === from) ?? { from, collected: 0, delivered: {} };
    // A clock that was set back leaves hours of the future behind.
    const others = this.#hours.filter((one) => one.from !== from && one.from > now - keptMs - hourMs && one.from < now);
    this.#hours = [...others, grown(hour, before, after)].sort((one, other) => one.from - other.from);
  }

  /** What is settled gives way when room is needed: only the slowest sink's pending records count. */
  #fill({ rows }: Ledger): void {
    const { journal, seams, waitingSinks } = this.#settings;
    const pending = new Map<string, number>(waitingSinks().map((name) => [name, 0]));
    for (const { sink, totals } of rows) {
      const known = pending.get(sink);
      if (known !== undefined) pending.set(sink, known + totals.pending);
    }
    const { usedBytes, records } = journal.usage();
    const share = records === 0 ? 0 : Math.min(1, Math.max(0, ...pending.values()) / records);
    const at = seams.clock.monotonic();
    this.#fills = [...this.#fills.filter((fill) => at - fill.at <= fillKeptMs), { at, bytes: usedBytes * share }];
  }
}
