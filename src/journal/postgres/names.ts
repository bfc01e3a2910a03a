// Sources and sinks by their names: their row ids, and where the sources stand that this member owns.

import { PenstockError } from '../../base/errors.ts';
import { notFound } from '../records/rows.ts';
import type { Database, Sql } from './database.ts';
import { fencedError } from './faults.ts';
import { Gathered } from './gathered.ts';
import { LaneLooks } from './lane-looks.ts';
import type { Membership } from './membership.ts';

/** A source that this process owns, with what its commits need. */
export interface OwnedSource {
  readonly id: number;
  readonly unit: number;
  readonly epoch: number;
  /** The id of the member's life. */
  readonly owner: string;
  /** Last position of each lane, by its kind's number. */
  readonly ends: [number, number];
}

/** False when the source was another's meanwhile, or may have been. */
export const isSameOwnership = (one: OwnedSource, other: OwnedSource): boolean =>
  one.unit === other.unit && one.epoch === other.epoch && one.owner === other.owner;

/** Names to row ids: everything stored refers to the id, so that a rename touches one row. Known ones are remembered. */
export class Names {
  readonly looks = new LaneLooks();
  readonly #db: Database;
  readonly #sources = new Map<string, number>();
  readonly #sinks = new Map<string, number>();
  readonly #owned = new Map<string, OwnedSource>();
  /** Of `#owned`: those to read anew before they are used. */
  readonly #unsure = new Set<string>();
  readonly #ids: Readonly<Record<'sources' | 'sinks', Gathered<string, number>>>;
  readonly #places: Gathered<string, OwnedSource>;
  /** Those that are being read: a second reader would put what it saw in place of what was stored since. */
  readonly #reading = new Map<string, Promise<OwnedSource>>();

  constructor(db: Database, member: () => string | undefined) {
    this.#db = db;
    const ids = (table: string) => new Gathered<string, number>((names) => readIds(db, table, names));
    this.#ids = { sources: ids('sources'), sinks: ids('sinks') };
    this.#places = new Gathered((names) => readPlaces(db, names, member() ?? ''));
  }

  forget(): void {
    this.looks.forget();
    this.#sources.clear();
    this.#sinks.clear();
    for (const source of this.#owned.keys()) this.#unsure.add(source);
  }

  /** A commit of the source failed: the database may have more of it than is remembered. */
  doubt(source: string): void {
    this.#unsure.add(source);
  }

  /** The source's unit changed hands. */
  forgetOwned(source: string): void {
    this.looks.forget();
    this.#owned.delete(source);
    this.#reading.delete(source);
  }

  /** What is remembered of a source that this member owns. */
  known(source: string): OwnedSource | undefined {
    return this.#owned.get(source);
  }

  source(name: string): Promise<number | undefined> {
    return this.#find('sources', this.#sources, name);
  }

  sink(name: string): Promise<number | undefined> {
    return this.#find('sinks', this.#sinks, name);
  }

  /** Throws PEN_NOT_FOUND. */
  async requireSink(name: string): Promise<number> {
    return (await this.sink(name)) ?? notFound('sink', name);
  }

  /** Throws PEN_NOT_FOUND. */
  async requireSource(name: string): Promise<number> {
    return (await this.source(name)) ?? notFound('source', name);
  }

  /**
   * A source of this member's, which appears with its first commit when nothing was registered. Throws where it is another's, and where the
   * database has less of it than it confirmed: a standby was promoted, and all that is remembered of the source has to go.
   */
  async owned(name: string, member: Membership | undefined): Promise<OwnedSource> {
    const known = this.#owned.get(name);
    if (known !== undefined && !this.#unsure.has(name)) return known;
    if (member === undefined || !member.mayTake(name)) throw fencedError(name);
    const reading = this.#reading.get(name) ?? this.#compare(name, member);
    this.#reading.set(name, reading);
    try {
      return await reading;
    } finally {
      if (this.#reading.get(name) === reading) this.#reading.delete(name);
    }
  }

  async #compare(name: string, member: Membership): Promise<OwnedSource> {
    const known = this.#owned.get(name);
    // A commit under way may move them while they are read.
    const confirmed = [...(known?.ends ?? [])];
    this.#unsure.delete(name);
    const found = await this.#read(name, member.id);
    // It changed hands meanwhile, and what asked is of before.
    if (!member.mayTake(name, found.epoch)) throw fencedError(name);
    if (known === undefined || !isSameOwnership(known, found)) {
      this.#owned.set(name, found);
      return found;
    }
    if (found.ends.some((end, kind) => end < (confirmed[kind] ?? 0))) {
      member.renew(name);
      throw fencedError(name);
    }
    for (const kind of [0, 1] as const) known.ends[kind] = Math.max(known.ends[kind], found.ends[kind]);
    return known;
  }

  async #read(name: string, member: string): Promise<OwnedSource> {
    try {
      const place = await this.#places.ask(name);
      // It stood there for the life that asked.
      const found =
        place?.owner === member ? place : await this.#db.transaction((sql) => takeSource(sql, this.#db.s, name, member));
      this.#sources.set(name, found.id);
      return found;
    } catch (error) {
      this.#unsure.add(name);
      throw error;
    }
  }

  async #find(table: 'sources' | 'sinks', known: Map<string, number>, name: string): Promise<number | undefined> {
    const id = known.get(name);
    if (id !== undefined) return id;
    const found = await this.#ids[table].ask(name);
    if (found !== undefined) known.set(name, found);
    return found;
  }
}

async function readIds(db: Database, table: string, names: readonly string[]): Promise<(number | undefined)[]> {
  const rows = await db.query<{ id: number; name: string }>(
    `SELECT id, name FROM ${db.s}.${table} WHERE name = ANY($1::text[])`,
    [names],
  );
  const ids = new Map(rows.map(({ id, name }) => [name, id]));
  return names.map((name) => ids.get(name));
}

/**
 * Where sources stand that a member owns. Who owned them before has written what it could when the member came to own them, and so the
 * statement sees it.
 */
async function readPlaces(db: Database, names: readonly string[], owner: string): Promise<(OwnedSource | undefined)[]> {
  const { s } = db;
  const rows = await db.query<{ name: string; id: number; unit: number; epoch: number; kind: 0 | 1; appended: number }>(
    `SELECT o.name, o.id, u.id AS unit, u.epoch, l.kind, l.appended FROM ${s}.sources o JOIN ${s}.units u ON u.id = o.unit JOIN ${s}.lanes l ON l.source = o.id
     WHERE o.name = ANY($1::text[]) AND u.owner = $2`,
    [names, owner],
  );
  const places = new Map<string, OwnedSource>();
  for (const { name, id, unit, epoch, kind, appended } of rows) {
    const place = places.get(name) ?? { id, unit, epoch, owner, ends: [0, 0] };
    place.ends[kind] = appended;
    places.set(name, place);
  }
  return names.map((name) => places.get(name));
}

/** The id of a source; makes it with its unit, its lanes and its counters where there is none. Only inside a transaction. */
export async function ensureSource(sql: Sql, s: string, name: string): Promise<number> {
  const find = `SELECT id FROM ${s}.sources WHERE name = $1`;
  const [known] = await sql.query<{ id: number }>(find, [name]);
  if (known !== undefined) return known.id;
  await sql.run(`INSERT INTO ${s}.units (kind, name) VALUES ('source', $1) ON CONFLICT DO NOTHING`, [name]);
  await sql.run(
    `INSERT INTO ${s}.sources (name, unit) SELECT $1, id FROM ${s}.units WHERE kind = 'source' AND name = $1 ON CONFLICT DO NOTHING`,
    [name],
  );
  const [made] = await sql.query<{ id: number }>(find, [name]);
  if (made === undefined) throw new PenstockError('PEN_INTERNAL', 'the journal returned no row for a new source');
  await sql.run(`INSERT INTO ${s}.counters (source) VALUES ($1) ON CONFLICT DO NOTHING`, [made.id]);
  await sql.run(`INSERT INTO ${s}.lanes (source, kind) VALUES ($1, 0), ($1, 1) ON CONFLICT DO NOTHING`, [made.id]);
  return made.id;
}

/** Reads a source that the member owns, or takes one that nobody alive does. */
async function takeSource(sql: Sql, s: string, name: string, member: string): Promise<OwnedSource> {
  const id = await ensureSource(sql, s, name);
  await sql.run(
    `UPDATE ${s}.units u SET owner = $2, epoch = epoch + 1, since = now() FROM ${s}.sources o WHERE o.id = $1 AND u.id = o.unit
     AND u.owner IS DISTINCT FROM $2 AND NOT EXISTS (SELECT 1 FROM ${s}.members m WHERE m.id = u.owner AND m.expires > now())
     AND EXISTS (SELECT 1 FROM ${s}.members m WHERE m.id = $2 AND m.expires > now())`,
    [id, member],
  );
  const [unit] = await sql.query<{ unit: number; epoch: number }>(
    `SELECT u.id AS unit, u.epoch FROM ${s}.sources o JOIN ${s}.units u ON u.id = o.unit WHERE o.id = $1 AND u.owner = $2 FOR SHARE OF u`,
    [id, member],
  );
  if (unit === undefined) throw fencedError(name);
  const lanes = await sql.query<{ kind: number; appended: number }>(`SELECT kind, appended FROM ${s}.lanes WHERE source = $1`, [
    id,
  ]);
  const end = (kind: number): number => lanes.find((lane) => lane.kind === kind)?.appended ?? 0;
  return { id, ...unit, owner: member, ends: [end(0), end(1)] };
}

/** Names of sources that read the same as this one and are not configured any more. */
export async function formerNames(db: Database, source: string): Promise<string[]> {
  const { s } = db;
  const rows = await db.query<{ name: string }>(
    `SELECT o.name FROM ${s}.sources n JOIN ${s}.sources o ON o.identity = n.identity AND NOT o.configured WHERE n.name = $1 AND o.name <> $1 ORDER BY o.name COLLATE "C"`,
    [source],
  );
  return rows.map(({ name }) => name);
}
