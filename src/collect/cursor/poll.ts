// A source whose vendor goes on from a cursor: beginning (no cursor yet) -> reading on, page by page, each committed with the cursor behind it ->
// caught up, until the next poll goes on from there. A cursor that the vendor takes no more leads back to the beginning.

import { PenstockError } from '../../base/errors.ts';
import { dayMs, iso } from '../../base/quantity.ts';
import type {
  CursorPage,
  CursorReader,
  CursorRequest,
  PageState,
  RawRecord,
  Reader,
  RecordFacts,
  RecordList,
} from '../../connectors/connector.ts';
import { admit } from '../admit.ts';
import type { CursorState } from '../checkpoint.ts';
import { type Halt, type SourceContext, untilRoom, vendorNow } from '../context.ts';
import { detailsOf } from '../details.ts';
import { EqualRows, examineAll } from '../examine.ts';
import { type Kind, type Poll, readerOf } from '../kind.ts';
import { closeRow, receivedRow } from '../ledger-row.ts';
import { OwnRecords } from '../own-records.ts';
import { following } from '../windows/begin.ts';
import { noted, partsOf } from '../windows/pages.ts';
import {
  beginCursor,
  begunAgain,
  type CursorCheckpoint,
  firstRequest,
  floorOf,
  isCursorAtFault,
  reachesBefore,
  refusedAtStart,
  tellBegunAgain,
} from './begin.ts';
import { numberedOn, wereReadBefore } from './equal-rows.ts';
import { after, CursorSteps, isPassed, newestOf, type PageEnd, partly, type Step } from './step.ts';

export class CursorKind implements Kind {
  readonly hasWindows = true;
  readonly #context: SourceContext;
  #cursor: CursorState | undefined;

  constructor(context: SourceContext) {
    this.#context = context;
  }

  async poll(reader: Reader, { halt }: Poll): Promise<void> {
    const cursorReader = readerOf('http_cursor', reader);
    const poll = new CursorPoll(this.#context, cursorReader, halt);
    try {
      await poll.readOn((cursor) => {
        this.#cursor = cursor;
      });
    } finally {
      cursorReader.rest?.();
    }
  }

  /** Times in milliseconds since the epoch. */
  details(): Readonly<Record<string, unknown>> {
    if (this.#cursor === undefined) return {};
    const { isCaughtUp, begunAgain: again } = this.#cursor;
    return { caught_up: isCaughtUp, ...(again === undefined ? {} : { begun_again: again }) };
  }

  warnings(): readonly string[] {
    const again = this.#cursor?.begunAgain;
    if (again === undefined || this.#context.seams.clock.now() - again.at > dayMs) return [];
    const [at, from] = [again.at, again.from].map((time) => iso(time));
    return [
      `the vendor did not take the cursor any more at ${at}; everything since ${from} was asked for again, what showed up later than that may lack`,
    ];
  }
}

/** New beginnings within one poll; a vendor may forget several cursors, but one that keeps none is waited for. */
const mostBeginnings = 5;

/** A page with where it was asked for. */
interface Asked {
  readonly page: CursorPage;
  /** The checkpoint that it goes on from: begun again where the cursor was refused. */
  readonly live: CursorCheckpoint;
  /** When it was asked for, milliseconds on the vendor's clock. */
  readonly began: number;
}

/** One poll of a source by cursor. */
class CursorPoll {
  readonly #context: SourceContext;
  readonly #reader: CursorReader;
  readonly #halt: Halt;
  #steps: CursorSteps;
  readonly #equalRows = new EqualRows();
  #ownRecords: OwnRecords | undefined;
  /** How often a cursor was refused in this poll. */
  #beginnings = 0;
  /** Records that were new since reading last began in this poll. */
  #fresh = 0;
  /** True while the pages of this poll go back to a first request. */
  #isFromStart = false;

  constructor(context: SourceContext, reader: CursorReader, halt: Halt) {
    this.#context = context;
    this.#reader = reader;
    this.#halt = halt;
    this.#steps = new CursorSteps(reader);
  }

  /** Reads until the vendor has no more; `onCursor` hears of each cursor that was committed. */
  async readOn(onCursor: (cursor: CursorState) => void): Promise<void> {
    const { health, settings, state } = this.#context;
    let live = await beginCursor(this.#context, this.#reader);
    for (let pages = 0; pages < settings.connector.defaults.maxPages; pages += 1) {
      onCursor(live.cursor);
      state.cursor = live.until;
      this.#halt.soft.throwIfAborted();
      await untilRoom(this.#context, this.#halt.soft);
      const asked = await this.#ask(live);
      const { place } = asked.live.cursor;
      const step = this.#steps.after(place, asked.page);
      const back = await this.#goneBack(asked, step);
      live = await this.#take(back ?? asked, back === undefined ? step.place : 'begin', step.isCaughtUp && back === undefined);
      onCursor(live.cursor);
      state.cursor = live.until;
      health.answered();
      if (step.fault !== undefined) throw step.fault;
      if (step.isCaughtUp || back !== undefined) return;
      // What no later poll reads again ends failures. What was known leads only back to where the cursor was refused.
      const isOnWay = live.cursor.isCaughtUp || live.cursor.begunAgain === undefined || this.#fresh > 0;
      if (live.cursor.place !== place && asked.page.records.length > 0 && isOnWay) await health.succeeded();
    }
  }

  /**
   * What counts of a page where the vendor leads back to what was read before; undefined where it does not. Rows without ids are numbered on behind
   * a cursor, so that they would come twice: the next poll begins again, and numbers them from there.
   */
  async #goneBack(asked: Asked, { place }: Pick<Step, 'place'>): Promise<Asked | undefined> {
    const { cursor } = asked.live;
    if (this.#isFromStart || this.#context.settings.connector.records.areNamedByContent !== true) return undefined;
    const isRepeated = cursor.taken === undefined && (await wereReadBefore(this.#context, asked.page.records));
    if (!isRepeated && !isPassed(cursor, place)) return undefined;
    this.#context.log.warn('the cursor goes back, reading begins again with the next poll');
    return isRepeated ? { ...asked, page: { ...asked.page, records: [] } } : asked;
  }

  /** Asks for the page at the cursor, or for the first one again where the vendor takes the cursor no more. */
  async #ask(live: CursorCheckpoint): Promise<Asked> {
    const { place } = live.cursor;
    if (place === null) return this.#begin(await this.#askFirst(live));
    const atCursor = await this.#askAt(live, place);
    if ('page' in atCursor) return atCursor;
    // Until the first page has come, the cursor stays: it may be the vendor that is away.
    const first = await this.#askAgain(live);
    // The vendor is there now, and may take the cursor: what showed up late lies behind that alone.
    const oncemore = await this.#askAt(live, place);
    if ('page' in oncemore) return oncemore;
    // A vendor that takes none of its cursors would be asked from the start for as long as it has records.
    const isInVain = this.#beginnings > 0 && this.#fresh === 0;
    if (isInVain || this.#beginnings >= mostBeginnings) throw oncemore.refused;
    this.#beginnings += 1;
    this.#fresh = 0;
    await tellBegunAgain(this.#context, first.live, this.#reader, oncemore.refused);
    return this.#begin(first);
  }

  /** The page at the cursor, or why the vendor does not take it. */
  async #askAt(live: CursorCheckpoint, state: PageState): Promise<Asked | { readonly refused: unknown }> {
    const began = vendorNow(this.#context);
    try {
      return { live, began, page: await this.#page({ state }) };
    } catch (error) {
      if (isCursorAtFault(this.#context, error)) return { refused: error };
      throw error;
    }
  }

  /** The first page of a reading that begins again; where the answer tells that our clock is ahead, from where the vendor's says. */
  async #askAgain(live: CursorCheckpoint): Promise<Asked> {
    const first = await this.#askFirst(begunAgain(this.#context, live, this.#reader));
    const slower = begunAgain(this.#context, live, this.#reader, Math.min(first.page.serverTime ?? first.began, first.began));
    return reachesBefore(slower.cursor, first.live.cursor) ? await this.#askFirst(slower) : first;
  }

  #begin(first: Asked): Asked {
    this.#isFromStart = true;
    this.#steps = new CursorSteps(this.#reader);
    return first;
  }

  async #askFirst(live: CursorCheckpoint): Promise<Asked> {
    const began = vendorNow(this.#context);
    const request = firstRequest(this.#context, live, this.#reader);
    let page = await this.#page(request);
    const moved = await following(this.#context, live);
    // The first answer told that our clock is ahead: what the vendor writes from now on would lie before the start.
    if (moved !== live) return this.#askFirst({ ...moved, cursor: { place: null, from: moved.start, isCaughtUp: false } });
    // Or that the vendor keeps what lies further back, however far the clocks are apart: what it does not keep is asked for in vain, the rest would be passed over.
    const slower = firstRequest(this.#context, live, this.#reader, Math.min(page.serverTime ?? began, began));
    if (reachesBefore(slower, request)) page = await this.#page(slower);
    // Also where the log was read to its end before, but without a place to go on from.
    if (request.atEnd !== true) return { began, page, live: { ...live, cursor: { ...live.cursor, isCaughtUp: false } } };
    return { page, began, live: { ...live, start: began, until: began, cursor: { ...live.cursor, from: began } } };
  }

  async #page(request: CursorRequest): Promise<CursorPage> {
    try {
      return await noted(this.#context, this.#reader, () => this.#reader.page(request, this.#halt.hard));
    } catch (error) {
      throw request.state === null ? refusedAtStart(error) : error;
    }
  }

  /** Commits a page, and with its last record the cursor behind it; returns the checkpoint after it. */
  async #take({ page: { records, serverTime }, live, began }: Asked, place: PageState | null | 'begin', isCaughtUp: boolean) {
    const row = await this.#openRow(live);
    const isTimed = this.#reader.begins.atTime && records.length > 0;
    const end = { place, isCaughtUp, began: Math.min(began, serverTime ?? began), count: records.length, isTimed };
    const ownRecords = { leavesOut: this.#leavesOut(live) };
    let at: CursorCheckpoint = { ...live, row };
    let taken = 0;
    for await (const facts of this.#examined(records, live.cursor.taken ?? 0)) {
      at = { ...at, ...newestOf(at, facts, began) };
      const start = taken;
      taken += facts.length;
      const value = taken < records.length ? partly(at, taken) : this.#after(at, end);
      const counts = await admit(this.#context, facts, {
        lane: 'live',
        row: receivedRow(row.from),
        checkpoint: { name: 'live', value },
        partly: (count) => ({ name: 'live', value: partly(at, start + count) }),
        ownRecords,
      });
      this.#fresh += counts.new;
      this.#context.log.debug({ ...counts }, 'page collected');
      this.#noteOutside(live, facts);
      if (taken >= records.length) return value;
    }
    throw new PenstockError('PEN_INTERNAL', 'a page of records has come to no end');
  }

  #after(live: CursorCheckpoint, end: PageEnd): CursorCheckpoint {
    if (end.place !== 'begin') return after(this.#context, live, { ...end, place: end.place });
    const { begunAgain: _again, passed: _passed, ...cursor } = begunAgain(this.#context, live, this.#reader).cursor;
    return { ...live, cursor };
  }

  /** The ledger's row of this hour; the one before it is complete. */
  async #openRow({ row }: CursorCheckpoint): Promise<{ readonly from: number; readonly to: number }> {
    const { key: _key, ...hour } = receivedRow(this.#context.seams.clock.now());
    const isHour = row !== undefined && receivedRow(row.from).to === row.to;
    if (isHour && row.from !== hour.from) await closeRow(this.#context, receivedRow(row.from));
    return hour;
  }

  /** Facts of a page, part by part, of which the first `known` had been committed before. */
  async *#examined(records: RecordList, known: number): AsyncGenerator<readonly RecordFacts[], void, undefined> {
    let start = 0;
    for (const raws of partsOf(records)) {
      const facts = await this.#number(raws, known - start);
      yield* detailsOf(this.#reader)?.add(this.#context, raws, facts, this.#halt.hard) ?? [facts];
      start += raws.length;
    }
  }

  async #number(raws: readonly RawRecord[], known: number): Promise<readonly RecordFacts[]> {
    const facts = await examineAll(this.#context, raws);
    if (this.#isFromStart) return this.#equalRows.number(this.#context, raws, facts, undefined);
    const split = Math.max(0, Math.min(facts.length, known));
    return [...facts.slice(0, split), ...(await numberedOn(this.#context, raws.slice(split), facts.slice(split)))];
  }

  #leavesOut(live: CursorCheckpoint): (facts: RecordFacts) => boolean {
    const floor = floorOf(live, this.#reader);
    const since = Math.min(live.newest ?? live.until, live.until);
    this.#ownRecords ??= new OwnRecords(this.#context, since, vendorNow(this.#context));
    const own = this.#ownRecords;
    return (facts) => (floor !== undefined && facts.time !== undefined && facts.time < floor) || own.leavesOut(facts);
  }

  /** Records from long before the time that was asked for: the vendor did not filter, or its link lost the time. */
  #noteOutside({ cursor: { from, isCaughtUp } }: CursorCheckpoint, facts: readonly RecordFacts[]): void {
    const { memory, settings } = this.#context;
    if (isCaughtUp || !this.#reader.begins.atTime) return;
    const least = from - Math.max(dayMs, settings.window.overlapMs);
    memory.outsideWindow += facts.filter(({ time }) => time !== undefined && time < least).length;
  }
}
