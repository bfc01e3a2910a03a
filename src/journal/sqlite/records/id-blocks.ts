// New ids of a commit, day by day, as one block of rows behind the last one: sorted into `seen` each id would write a page of its own. A block
// lives until its day is moved into `seen`, which happens once for many ids. Until then the ids of its day are found in memory: what a table
// holds is what the blocks of the day hold, and it is compared with them at each look, so that nobody has to tell it what was written, undone
// or deleted meanwhile, by this process or another.

import type { DatabaseSync } from 'node:sqlite';
import zlib from 'node:zlib';
import { PenstockError } from '../../../base/errors.ts';
import { counted } from '../../../base/quantity.ts';
import type { Seen } from '../../journal.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';
import { IdTable, idBytes, rowBytes } from './id-table.ts';

/** Fewer ids of a day than this in one commit cost no more in `seen`. */
const blockIds = 16;
/** Ids in blocks, of all sources together; beyond it the days that were longest out of use go into `seen`. 16 to 32 MB of memory. */
const mostHot = 500_000;
/** Ids moved in one transaction, so that the event loop turns. */
const moveIds = 2000;

export interface Block {
  readonly id: number;
  readonly source: number;
  readonly day: number;
  readonly count: number;
  readonly crc: number;
  readonly ids: Uint8Array;
}

/** CRC-32 of a block, so that a flipped byte is found before an id is taken for known that is not. */
function blockChecksum({ source, day, count }: Pick<Block, 'source' | 'day' | 'count'>, ids: Uint8Array): number {
  return zlib.crc32(ids, zlib.crc32(JSON.stringify([source, day, count])));
}

/** True for a block that is as it was written. */
export function isWhole(block: Block): boolean {
  return block.ids.length === block.count * rowBytes && blockChecksum(block, block.ids) === block.crc;
}

const isRow = ({ id, fingerprint }: Seen): boolean =>
  id.length === 2 * idBytes && fingerprint.length === 2 * (rowBytes - idBytes);

/** The rows of a block; undefined for entries that do not fit into one. */
function rowsOf(entries: readonly Seen[]): Buffer | undefined {
  if (entries.length < blockIds || !entries.every(isRow)) return undefined;
  const rows = Buffer.from(entries.map(({ id, fingerprint }) => id + fingerprint).join(''), 'hex');
  return rows.length === entries.length * rowBytes ? rows : undefined;
}

/** The ids as bytes, with the places of those that can lie in a block. */
function bytesOfIds(ids: readonly string[]): { readonly bytes: Buffer; readonly places: readonly number[] } {
  const places = ids.flatMap((id, place) => (id.length === 2 * idBytes && /^[\da-f]+$/i.test(id) ? [place] : []));
  return { bytes: Buffer.from(places.map((place) => ids[place]).join(''), 'hex'), places };
}

export type IdBlocks = ReturnType<typeof openIdBlocks>;

/** The blocks of a journal with what they hold in memory. */
export function openIdBlocks({ db, path }: Pick<Core, 'db' | 'path'>) {
  const insert = db.prepare('INSERT INTO seen_blocks (source, day, count, crc, ids) VALUES (?, ?, ?, ?, ?)');
  const tables = openTables(db, path);
  return {
    /** Writes a block; false for entries that belong into `seen`. Only inside a write. */
    put(source: number, day: number, entries: readonly Seen[]): boolean {
      const ids = rowsOf(entries);
      if (ids === undefined) return false;
      const facts = { source, day, count: entries.length };
      insert.run(source, day, facts.count, blockChecksum(facts, ids), ids);
      return true;
    },
    /** Which of the ids (by index) the blocks of a day know, with each fingerprint. */
    find(source: number, day: number, ids: readonly string[]): [index: number, fingerprint: string][] {
      const table = tables.of(source, day);
      if (table === undefined) return [];
      const { bytes, places } = bytesOfIds(ids);
      const found: [number, string][] = [];
      table.find(bytes, (index, fingerprint) => found.push([places[index] ?? -1, fingerprint]));
      return found;
    },
    /** Gives the memory of a day back that has no blocks any more. */
    forget: (source: number, day: number): void => tables.forget(source, day),
  };
}

interface DayTable {
  readonly table: IdTable;
  /** How many blocks are in it, and the last of them. */
  blocks: number;
  last: number;
}

function openTables(db: DatabaseSync, path: string) {
  const newer = db.prepare(
    'SELECT id, source, day, count, crc, ids FROM seen_blocks WHERE source = ? AND day = ? AND id > ? ORDER BY id',
  );
  const count = db.prepare('SELECT count(*) AS blocks FROM seen_blocks WHERE source = ? AND day = ?');
  const days = new Map<string, DayTable>();

  function load(known: DayTable, source: number, day: number): void {
    for (const block of all<Block>(newer, source, day, known.last)) {
      if (!isWhole(block)) throw damagedBlock(block, path);
      known.table.add(block.ids);
      known.blocks += 1;
      known.last = block.id;
    }
  }
  return {
    /** The ids in the blocks of a day; undefined when it has none. */
    of(source: number, day: number): IdTable | undefined {
      const key = `${source}/${day}`;
      const stored = one<{ blocks: number }>(count, source, day)?.blocks ?? 0;
      let known = days.get(key) ?? { table: new IdTable(), blocks: 0, last: 0 };
      load(known, source, day);
      if (known.blocks !== stored) {
        // Some were deleted meanwhile: their ids are in `seen`, or to be forgotten.
        known = { table: new IdTable(), blocks: 0, last: 0 };
        load(known, source, day);
      }
      if (stored === 0) days.delete(key);
      else days.set(key, known);
      return stored === 0 ? undefined : known.table;
    },
    forget: (source: number, day: number) => void days.delete(`${source}/${day}`),
  };
}

/** What a block that is not whole is refused with. */
export function damagedBlock({ id, count }: Pick<Block, 'id' | 'count'>, path: string): PenstockError {
  return new PenstockError('PEN_JOURNAL_CORRUPT', `block ${id} with ${counted(count, 'id')} is damaged`, {
    where: path,
    fix: 'stop the daemon and run "penstock journal check", then "penstock journal repair"',
  });
}

interface MovingDay {
  readonly source: number;
  readonly day: number;
  readonly first: number;
  readonly last: number;
  readonly ids: number;
}

/**
 * Moves whole days into `seen` while there are too many ids in blocks, those first that were longest out of use. The blocks go once all of
 * their ids are there; until then both know them, which does no harm.
 */
export function openMoveBlocks(
  { db, writer, log }: Core,
  blocks: IdBlocks,
): (isClosed: () => boolean, most?: number) => Promise<void> {
  const total = db.prepare('SELECT ifnull(sum(count), 0) AS ids FROM seen_blocks');
  const oldest = db.prepare(
    `SELECT b.source AS source, b.day AS day, min(b.id) AS first, max(b.id) AS last, sum(b.count) AS ids FROM seen_blocks b
     LEFT JOIN seen_days d ON d.source = b.source AND d.day = b.day GROUP BY b.source, b.day ORDER BY d.touched`,
  );
  const ofDay = db.prepare(
    'SELECT id, source, day, count, crc, ids FROM seen_blocks WHERE source = ? AND day = ? AND id <= ? ORDER BY id',
  );
  const remove = db.prepare('DELETE FROM seen_blocks WHERE source = ? AND day = ? AND id <= ?');
  const put = openPutRows(db);

  async function move({ source, day, first, last }: MovingDay, isClosed: () => boolean): Promise<'moved' | 'damaged' | 'later'> {
    const read = all<Block>(ofDay, source, day, last);
    const broken = read.find((block) => !isWhole(block));
    if (broken !== undefined) {
      // It stays where looks, check and repair find it.
      log.error({ block: broken.id }, 'a block of ids is damaged: stop the daemon and run "penstock journal repair"');
      return 'damaged';
    }
    const rows = nearlySorted(Buffer.concat(read.map(({ ids }) => ids)));
    for (let from = 0; from < rows.length; from += moveIds * rowBytes) {
      const part = rows.subarray(from, from + moveIds * rowBytes);
      // As an append: the space that is kept for offsets and dead letters is not for this.
      if (isClosed() || !(await writer.write(() => put(source, day, part, first), 'append'))) return 'later';
    }
    await writer.write(() => void remove.run(source, day, last));
    blocks.forget(source, day);
    return 'moved';
  }
  return async (isClosed, most = mostHot) => {
    let left = one<{ ids: number }>(total)?.ids ?? 0;
    if (left <= most) return;
    // The days are looked up once for all: that takes longer than moving one.
    for (const next of all<MovingDay>(oldest)) {
      const became = left <= most ? 'later' : await move(next, isClosed);
      if (became === 'later') return;
      if (became === 'moved') left -= next.ids;
    }
  };
}

/** Puts rows into `seen`; false when the block that they came from is gone: then they are to be forgotten. */
function openPutRows(db: DatabaseSync): (source: number, day: number, rows: Buffer, block: number) => boolean {
  const stands = db.prepare('SELECT 1 AS stands FROM seen_blocks WHERE id = ?');
  const insert = db.prepare('INSERT OR IGNORE INTO seen (source, day, id, fingerprint) VALUES (?, ?, ?, ?)');
  return (source, day, rows, block) => {
    if (one(stands, block) === undefined) return false;
    for (let at = 0; at < rows.length; at += rowBytes)
      insert.run(source, day, rows.subarray(at, at + idBytes), rows.subarray(at + idBytes, at + rowBytes));
    return true;
  };
}

/** Rows in the order of their first two bytes: near enough for each page of `seen` to be written about once. */
function nearlySorted(rows: Buffer): Buffer {
  const starts = new Uint32Array(65_537);
  const key = (at: number): number => rows.readUInt16BE(at);
  for (let at = 0; at < rows.length; at += rowBytes) starts[key(at) + 1] = (starts[key(at) + 1] ?? 0) + 1;
  for (let value = 1; value < starts.length; value += 1) starts[value] = (starts[value] ?? 0) + (starts[value - 1] ?? 0);
  const sorted = Buffer.allocUnsafe(rows.length);
  for (let at = 0; at < rows.length; at += rowBytes) {
    const place = starts[key(at)] ?? 0;
    starts[key(at)] = place + 1;
    rows.copy(sorted, place * rowBytes, at, at + rowBytes);
  }
  return sorted;
}

/** Blocks that are not as they were written. */
export function damagedBlocks(db: DatabaseSync): Pick<Block, 'id' | 'count'>[] {
  const next = db.prepare('SELECT id, source, day, count, crc, ids FROM seen_blocks WHERE id > ? ORDER BY id LIMIT 1');
  const damagedOnes: Block[] = [];
  for (let block = one<Block>(next, 0); block !== undefined; block = one<Block>(next, block.id))
    if (!isWhole(block)) damagedOnes.push(block);
  return damagedOnes;
}

/** Moves all whole blocks into `seen` at once, for a repair; returns how many ids were lost with damaged ones. Only inside a transaction. */
export function unpackBlocks(db: DatabaseSync): number {
  const put = openPutRows(db);
  let lost = 0;
  for (const block of all<Block>(db.prepare('SELECT id, source, day, count, crc, ids FROM seen_blocks ORDER BY id'))) {
    if (isWhole(block)) put(block.source, block.day, Buffer.from(block.ids), block.id);
    else lost += block.count;
  }
  db.exec('DELETE FROM seen_blocks');
  return lost;
}
