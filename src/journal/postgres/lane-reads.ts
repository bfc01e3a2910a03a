// A sink that lags reads a lane page after page. Each statement costs as much as decoding a page, so it brings some pages more than were asked
// for, as bytes: twice as many with each statement that goes on where the one before ended. They wait for the next reading, within a bound for
// all lanes together, and no longer than the source is this replica's. Pages are never put between others and never change: what follows a
// page was read with it, and one that was deleted meanwhile is one that its reader had in hand.
import type { Lane, Position, StoredPage } from '../journal.ts';
import { maxReadBytes, type PageRow, pageColumns, readRows, stepsOver } from '../records/page-rows.ts';
import { kindNumber } from '../records/positions.ts';
import type { Core } from './core.ts';
import type { OwnedSource } from './names.ts';

/** Bodies that one statement brings at most, bytes, besides its first row. */
const statementBytes = 4 * 1024 * 1024;
/** Bodies that wait at most, of all lanes. */
const keptBytes = 4 * 1024 * 1024;
const keptLanes = 1000;
/** Two rows say whether there is more behind the first. */
const fewestRows = 2;
const mostRows = 200;
const mostAhead = 16;

/** A row of pages; without its body where that would have been too much. */
type Row = Omit<PageRow, 'body'> & { readonly body: Uint8Array | null };

const endOf = ({ first, count }: Row): number => first + count - 1;

/** What was read of a lane and is not used yet. */
interface Kept {
  readonly owned: OwnedSource;
  readonly rows: readonly PageRow[];
  /** Position that the rows follow, and where what they are followed by begins. */
  readonly after: number;
  readonly end: number;
  /** Rows that the last statement asked for because reading went on. */
  readonly ahead: number;
}

export class LaneReads {
  readonly #core: Core;
  /** The lane that was not read for longest comes first. */
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Pages of a stored lane after a position. */
  async read(sink: string, lane: Lane, after: Position, limit: number): Promise<StoredPage[]> {
    const { names, db } = this.#core;
    const source = await names.source(lane.source);
    if (source === undefined) return [];
    const place = { source, kind: kindNumber(lane.kind) };
    const key = `${place.source}/${place.kind}/${sink}`;
    const owned = names.known(lane.source);
    const kept = this.#take(key, owned, after);
    const rows = [...(kept?.rows ?? [])];
    let end = kept?.end ?? after;
    let ahead = kept?.ahead ?? 1;
    for (let isAtEnd = false; !isAtEnd && usedOf(rows, after, limit) === undefined; ) {
      ahead = Math.min(mostAhead, ahead * 2);
      const found = await this.#fetch(place, end, rowsToAsk(rows, after, limit, ahead));
      rows.push(...found.rows);
      end = rows.length === 0 ? end : endOf(rows.at(-1) as PageRow);
      isAtEnd = found.isAtEnd;
    }
    const used = rows.slice(0, usedOf(rows, after, limit));
    const steps = stepsOver(used, {
      positionOf: (row, index) => row.first + index,
      leaveOut: (row) => Math.max(0, after + 1 - row.first),
    });
    const pages = await readRows(steps, lane.source, limit, db.where);
    // Of the last page its reader may have room for some records only.
    const rest = rows.slice(Math.max(0, used.length - 1));
    const before = used.at(-2);
    if (owned !== undefined && names.known(lane.source) === owned)
      this.#keep(key, { owned, rows: rest, after: before === undefined ? after : endOf(before), end, ahead });
    return pages;
  }

  /** What waits of the lane, if reading goes on there. */
  #take(key: string, owned: OwnedSource | undefined, after: number): Kept | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#drop(key, kept);
    if (kept.owned !== owned || after < kept.after || after > kept.end) return undefined;
    return { ...kept, rows: kept.rows.filter((row) => endOf(row) > after) };
  }

  #keep(key: string, kept: Kept): void {
    const former = this.#kept.get(key);
    if (former !== undefined) this.#drop(key, former);
    this.#kept.set(key, kept);
    this.#keptBytes += bytesOf(kept);
    for (const [oldest, gone] of this.#kept) {
      if (this.#keptBytes <= keptBytes && this.#kept.size <= keptLanes) return;
      this.#drop(oldest, gone);
    }
  }

  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#keptBytes -= bytesOf(kept);
  }

  /** Rows from the one on that holds the record after a position, or that follows it: up to the first that is too large to come with others. */
  async #fetch(place: Place, after: number, count: number, largest = Math.floor(statementBytes / count)): Promise<Found> {
    const { db } = this.#core;
    const pages = `${db.s}.pages WHERE source = $1 AND kind = $2`;
    const all = await db.query<Row>(
      `SELECT ${columns}, CASE WHEN first <= $3::bigint + 1 OR octet_length(body) <= $5::bigint THEN body END AS body FROM ${pages} AND first + count > $3::bigint + 1
       AND first >= coalesce((SELECT max(first) FROM ${pages} AND first <= $3::bigint + 1), 0) ORDER BY first LIMIT $4`,
      [place.source, place.kind, after, count, largest],
    );
    const cut = all.findIndex(({ body }) => body === null);
    // Between the position and this row others were deleted.
    if (cut === 0) return this.#fetch(place, after, 1, Number.MAX_SAFE_INTEGER);
    const rows = all.slice(0, cut === -1 ? undefined : cut) as PageRow[];
    return { rows, isAtEnd: all.length < count };
  }
}

const columns = pageColumns.replace(/, body$/, '');

interface Place {
  readonly source: number;
  readonly kind: number;
}

interface Found {
  readonly rows: readonly PageRow[];
  /** The lane has no more. */
  readonly isAtEnd: boolean;
}

const bytesOf = ({ rows }: Kept): number => rows.reduce((sum, { body }) => sum + body.length, 0);

/** Records of rows behind a position. */
const recordsOf = (rows: readonly PageRow[], after: number): number =>
  rows.reduce((sum, row) => sum + Math.min(row.count, endOf(row) - after), 0);

/** How many rows a reading takes; undefined where they are not enough for it. */
function usedOf(rows: readonly PageRow[], after: number, limit: number): number | undefined {
  let [records, bytes] = [0, 0];
  for (const [index, row] of rows.entries()) {
    records += Math.min(row.count, endOf(row) - after);
    bytes += row.raw_bytes;
    if (records >= limit || bytes >= maxReadBytes) return index + 1;
  }
  return undefined;
}

/** As many as are likely to hold what is missing, by those that came before them, and fit into a statement. */
function rowsToAsk(rows: readonly PageRow[], after: number, limit: number, ahead: number): number {
  if (rows.length === 0) return Math.max(fewestRows, ahead);
  const missing = limit - recordsOf(rows, after);
  const likely = Math.ceil((missing * rows.length) / Math.max(1, recordsOf(rows, after)));
  const largest = Math.max(...rows.map(({ body }) => body.length));
  const fitting = Math.floor(statementBytes / (2 * Math.max(1, largest)));
  return Math.max(fewestRows, Math.min(mostRows, fitting, Math.max(ahead, likely)));
}
