// Dead letters. How many there are of each sink, source, code and action is counted with every one that comes, changes or goes, and an index
// leads to the letters of such a group in the order of their ids: among a million, a page and a count are found soon.

import type { DeadLetter, LetterFilter, NewDeadLetter } from '../journal.ts';
import { type DiscardedRow, discardedAtOnce, discardNotes } from '../records/given-up.ts';
import { columnsOf, type LetterRange, type LetterRow, letterColumns, letterOf } from '../records/letter-rows.ts';
import { noSource } from '../records/rows.ts';
import type { Core } from './core.ts';
import { type Sql, Values } from './database.ts';
import { Gathered } from './gathered.ts';
import { addTotals } from './ledger.ts';
import { putNote } from './state.ts';

const atOnce = 500;
const group = "sink, source, code, coalesce(action, '') AS action";
const columnNames = letterColumns.split(', ');

/** Counts the letters of a CTE into or out of their groups, always in the same order, so that two writers do not wait for each other. */
const countGroups = (s: string, from: string, sign: 1 | -1): string =>
  `INSERT INTO ${s}.letter_counts AS c (sink, source, code, action, letters) SELECT sink, source, code, action, ${sign} * count(*) FROM ${from} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
   ON CONFLICT (sink, source, code, action) DO UPDATE SET letters = c.letters + excluded.letters RETURNING 1`;

/** `counted` is false for events that the ledger has settled before: a refused replay. Only inside a transaction. */
export async function insertLetters(
  sql: Sql,
  s: string,
  sink: number,
  source: number,
  letters: readonly NewDeadLetter[],
  counted: boolean,
): Promise<void> {
  for (let from = 0; from < letters.length; from += atOnce) {
    const values = new Values();
    const rows = letters.slice(from, from + atOnce).map((letter) => {
      const row: Record<string, unknown> = { sink, source, ...columnsOf(letter), counted: counted ? 1 : 0 };
      return `(${columnNames.map((name) => values.add(row[name])).join(', ')})`;
    });
    await sql.run(
      `WITH gone AS (INSERT INTO ${s}.dead_letters (${letterColumns}) VALUES ${rows.join(', ')} RETURNING ${group}) ${countGroups(s, 'gone', 1)}`,
      values.list,
    );
  }
  if (counted) await addTotals(sql, s, sink, source, { dead_lettered: letters.length });
}

/** Updates the event's letter; false when there is none. Only inside a transaction. */
export async function refuseAgain(sql: Sql, s: string, sink: number, source: number, letter: NewDeadLetter): Promise<boolean> {
  const { record, code, text, attempts, last } = letter;
  const olds = await sql.query<{ id: number }>(
    `WITH old AS (SELECT id, ${group} FROM ${s}.dead_letters WHERE sink = $1 AND source = $2 AND uid = $3 FOR UPDATE),
     less AS (${countGroups(s, '(SELECT * FROM old WHERE code <> $4) AS changed', -1)})
     SELECT id FROM old`,
    [sink, source, record.uid, code],
  );
  if (olds.length === 0) return false;
  await sql.run(
    `WITH changed AS (UPDATE ${s}.dead_letters d SET code = $2, text = $3, attempts = d.attempts + $4, last = $5 FROM ${s}.dead_letters o WHERE d.id = ANY($1::bigint[]) AND o.id = d.id
       RETURNING d.sink, d.source, d.code, coalesce(d.action, '') AS action, o.code AS was),
     more AS (${countGroups(s, '(SELECT * FROM changed WHERE was <> code) AS changed', 1)}) SELECT 1`,
    [olds.map(({ id }) => id), code, text, attempts, last],
  );
  return true;
}

/** Deletes letters that were delivered at last; `unconfirmed` of them by a protocol that knows no acknowledgement. Only inside a transaction. */
export async function resolveLetters(
  sql: Sql,
  s: string,
  sink: number,
  ids: readonly number[],
  unconfirmed: number,
): Promise<void> {
  if (ids.length === 0) return;
  // Those that are gone: the settle was repeated, or a person discarded the letter meanwhile, which has been counted.
  const rows = await remove(sql, s, 'sink = $1 AND id = ANY($2::bigint[])', [sink, ids]);
  let sent = unconfirmed;
  for (const { source, counted } of rows) {
    if (counted === 0) continue;
    await addTotals(sql, s, sink, source, { dead_lettered: -1, [sent > 0 ? 'unconfirmed' : 'acknowledged']: 1 });
    sent -= 1;
  }
}

interface Gone {
  readonly sink: number;
  readonly source: number;
  readonly counted: number;
}

const removing = (s: string, where: string): string =>
  `WITH gone AS (DELETE FROM ${s}.dead_letters WHERE ${where} RETURNING id, counted, uid, event_time, ${group}), less AS (${countGroups(s, 'gone', -1)})`;

const remove = (sql: Sql, s: string, where: string, values: readonly unknown[]): Promise<Gone[]> =>
  sql.query<Gone>(`${removing(s, where)} SELECT sink, source, counted FROM gone ORDER BY id`, values);

interface GoneNamed extends DiscardedRow {
  readonly sinkId: number;
  readonly sourceId: number;
}

const removeNamed = (sql: Sql, s: string, where: string, values: readonly unknown[]): Promise<GoneNamed[]> =>
  sql.query<GoneNamed>(
    `${removing(s, where)} SELECT g.id, k.name AS sink, o.name AS source, g.uid, g.event_time, g.action, g.code, g.counted, g.sink AS "sinkId", g.source AS "sourceId"
     FROM gone g JOIN ${s}.sinks k ON k.id = g.sink JOIN ${s}.sources o ON o.id = g.source ORDER BY g.id`,
    values,
  );

/** Deletes letters, counted as discarded, and notes down which. Returns how many. Only inside a transaction. */
export async function discardLetters({ db: { s }, clock }: Core, sql: Sql, filter: LetterFilter): Promise<number> {
  const values = new Values();
  const where = joined([...partsOf(s, filter, values), ...restOf(filter, {}, values)]);
  const at = clock.now();
  for (let discarded = 0; ; ) {
    const part = `id IN (SELECT d.id FROM ${s}.dead_letters d WHERE ${where} ORDER BY d.id LIMIT ${discardedAtOnce})`;
    const gone = await removeNamed(sql, s, part, values.list);
    for (const { name, ...discard } of discardNotes(gone, filter, at)) await putNote(sql, s, noSource, name, discard);
    const counted = new Map<string, { sink: number; source: number; n: number }>();
    for (const { sinkId: sink, sourceId: source, counted: n } of gone) {
      const key = `${sink} ${source}`;
      counted.set(key, { sink, source, n: (counted.get(key)?.n ?? 0) + n });
    }
    for (const { sink, source, n } of counted.values())
      await addTotals(sql, s, sink, source, { dead_lettered: -n, discarded: n });
    discarded += gone.length;
    if (gone.length < discardedAtOnce) return discarded;
  }
}

/** The letter of each uid, undefined where there is none; undefined when none has one. */
export async function lettersOf(sql: Sql, s: string, sink: number, source: number, uids: readonly string[]) {
  const rows = await sql.query<{ id: number; uid: string }>(
    `SELECT id, uid FROM ${s}.dead_letters WHERE sink = $1 AND source = $2 AND uid = ANY($3::text[])`,
    [sink, source, uids],
  );
  const known = new Map(rows.map(({ id, uid }) => [uid, id]));
  return known.size === 0 ? undefined : uids.map((uid) => known.get(uid));
}

/** Letters in the order of their ids. */
export async function listLetters(
  { db }: Core,
  filter: LetterFilter,
  limit: number,
  range: LetterRange = {},
): Promise<DeadLetter[]> {
  const { s } = db;
  const values = new Values();
  const parts = partsOf(s, filter, values);
  const rest = joined(restOf(filter, range, values));
  const most = values.add(limit, 'bigint');
  // Without a group to look in, or with ids, going through the letters in order finds a page soonest.
  const ids =
    parts.length === 0 || filter.ids !== undefined
      ? `SELECT id FROM ${s}.dead_letters WHERE ${joined([...parts, rest])} ORDER BY id LIMIT ${most}`
      : `SELECT l.id FROM (SELECT sink, source, code, action FROM ${s}.letter_counts WHERE letters > 0 AND ${joined(parts).replaceAll("coalesce(action, '')", 'action')}) g
         CROSS JOIN LATERAL (SELECT d.id FROM ${s}.dead_letters d WHERE d.sink = g.sink AND d.source = g.source AND d.code = g.code AND coalesce(d.action, '') = g.action AND ${rest}
           ORDER BY d.id LIMIT ${most}) l ORDER BY l.id LIMIT ${most}`;
  const rows = await db.query<LetterRow>(
    `SELECT d.*, k.name AS sink, o.name AS source FROM (${ids}) w JOIN ${s}.dead_letters d ON d.id = w.id JOIN ${s}.sinks k ON k.id = d.sink JOIN ${s}.sources o ON o.id = d.source ORDER BY d.id`,
    values.list,
  );
  return rows.map(letterOf);
}

/** How many letters there are: of whole sinks, which each asks for every few seconds, all that ask at the same time are told together. */
export function openLetterCounts(core: Core): (filter: LetterFilter) => Promise<number> {
  const { db } = core;
  const ofSinks = new Gathered<string, number>(async (sinks) => {
    const rows = await db.query<{ n: number }>(
      `SELECT coalesce(sum(c.letters), 0) AS n FROM unnest($1::text[]) WITH ORDINALITY AS w(name, place) LEFT JOIN ${db.s}.sinks k ON k.name = w.name
       LEFT JOIN ${db.s}.letter_counts c ON c.sink = k.id GROUP BY w.place ORDER BY w.place`,
      [sinks],
    );
    return rows.map(({ n }) => n);
  });
  return async ({ sink, ...rest }) => {
    if (sink === undefined || Object.keys(rest).length > 0)
      return countLetters(core, { ...rest, ...(sink !== undefined && { sink }) });
    return (await ofSinks.ask(sink)) ?? 0;
  };
}

export async function countLetters({ db }: Core, filter: LetterFilter, range: LetterRange = {}, sql: Sql = db): Promise<number> {
  const values = new Values();
  const parts = partsOf(db.s, filter, values);
  const rest = restOf(filter, range, values);
  const where = joined([...parts, ...rest]);
  const counting =
    rest.length === 0
      ? `SELECT coalesce(sum(letters), 0) AS n FROM ${db.s}.letter_counts WHERE ${where.replaceAll("coalesce(action, '')", 'action')}`
      : `SELECT count(*) AS n FROM ${db.s}.dead_letters WHERE ${where}`;
  const [row] = await sql.query<{ n: number }>(counting, values.list);
  return row?.n ?? 0;
}

/**
 * What a group is chosen by. Names are looked up by the statement itself: a transaction that asked `names` would wait for a second connection
 * while it holds one, and as many of them as there are connections would wait for ever.
 */
function partsOf(s: string, filter: LetterFilter, values: Values): string[] {
  const idOf = (table: 'sinks' | 'sources', name: string): string =>
    `(SELECT t.id FROM ${s}.${table} t WHERE t.name = ${values.add(name, 'text')})`;
  return [
    ...(filter.sink === undefined ? [] : [`sink = ${idOf('sinks', filter.sink)}`]),
    ...(filter.source === undefined ? [] : [`source = ${idOf('sources', filter.source)}`]),
    ...(filter.code === undefined ? [] : [`code = ${values.add(filter.code, 'text')}`]),
    ...(filter.action === undefined ? [] : [`coalesce(action, '') = ${values.add(filter.action, 'text')}`]),
  ];
}

/** What letters of a group are chosen by. */
function restOf({ from, to, ids, uids }: LetterFilter, { after, upTo }: LetterRange, values: Values): string[] {
  const bounds = [
    ['id >', after],
    ['id <=', upTo],
    ['event_time >=', from],
    ['event_time <=', to],
  ] as const;
  return [
    ...bounds.flatMap(([what, value]) => (value === undefined ? [] : [`${what} ${values.add(value, 'bigint')}`])),
    ...(ids === undefined ? [] : [`id = ANY(${values.add(ids, 'bigint[]')})`]),
    ...(uids === undefined ? [] : [`uid = ANY(${values.add(uids, 'text[]')})`]),
  ];
}

const joined = (parts: readonly string[]): string => parts.join(' AND ') || 'true';
