// A commit is one statement: fence -> lane -> counters -> page rows, ids, days, window, checkpoint, notes. PostgreSQL runs the parts of a
// statement in no order but by data, so each reads from the one that it must follow; no row is written twice. What comes back says whether
// the fence held and whether it was done. It is known by its attempt: asked again after a lost answer, it is done once.
import { sourceCounters } from '../counts.ts';
import type { Commit, RecordLog } from '../journal.ts';
import { AppendListeners, inOrder } from '../records/commits.ts';
import { checkPage, type EncodedPage, encodeRecords, pageChecksum, textChecksum } from '../records/pages.ts';
import { kindNumber } from '../records/positions.ts';
import { onCheckpoint, onNote, onWindow } from './commit-rows.ts';
import { type Core, fencePart, withAttempt } from './core.ts';
import { newAttempt, Values } from './database.ts';
import { fencedError, isLost, sqlState } from './faults.ts';
import { isSameOwnership, type OwnedSource } from './names.ts';
import { isQuiet, openQuiet } from './quiet.ts';
import { bytesPerId, bytesPerRow, type Room } from './room.ts';
import { type CommitIds, idParts, type SeenIndex } from './seen.ts';

/** Takes commits: what a source collected and the checkpoint that covers it. */
export function openAppend(core: Core, seen: SeenIndex, room: Room): Required<Pick<RecordLog, 'append' | 'onAppend'>> {
  const listeners = new AppendListeners();
  const store = openStore(core, seen);
  // The ownership under which a commit was asked for first: it holds however often it is asked again.
  const ownerships = new WeakMap<Commit, OwnedSource>();

  async function run(commit: Commit, earlier: Promise<void> | undefined): Promise<void> {
    if (commit.page !== undefined) checkPage(commit.page);
    const known = core.names.known(commit.source);
    if (known !== undefined && !ownerships.has(commit)) ownerships.set(commit, known);
    const rows = commit.page === undefined ? [] : await encodeRecords(commit.page.records);
    // Encoding takes as long as a page is large: without waiting, a small commit would overtake the one it was made after.
    await earlier;
    const size = {
      bytes: rows.reduce((sum, row) => sum + row.body.length + bytesPerRow, 0) + (commit.seen?.length ?? 0) * bytesPerId,
      pages: rows.length,
      records: commit.page?.records.length ?? 0,
    };
    if (size.bytes > 0) await room.makeRoom(size.bytes);
    const before = await store(commit, rows, ownerships).finally(() => {
      if (rows.length > 0) core.names.looks.ended(commit.source);
    });
    if (before !== undefined) room.appended(size);
    listeners.tell(commit, rows, before);
    // A poll that found nothing new gives nobody anything to read.
    if (rows.length > 0) core.changes.notify();
  }

  return { onAppend: (listener) => listeners.add(listener), append: inOrder(run) };
}

const mostTries = 4;

/** Stores a commit, asking again where the answer was lost. Returns the position before its first record; undefined where it was stored before. */
function openStore(core: Core, seen: SeenIndex) {
  const { names, member } = core;
  const store = openStatements(core);
  // Texts of connectors that stand in the database: they are large, and nearly always known.
  const knownConnectors = new Set<string>();
  return async (
    commit: Commit,
    rows: readonly EncodedPage[],
    ownerships: WeakMap<Commit, OwnedSource>,
  ): Promise<number | undefined> => {
    const { attempt = newAttempt() } = commit;
    const known = { areKnown: false };
    for (let tries = 1; ; tries += 1) {
      try {
        const source = await names.owned(commit.source, member);
        const before = source.ends[laneOf(commit)];
        const ids = { days: seen.daysOf(source.id, commit), ...known };
        const statement = { core, commit, rows, source, before, attempt, ids, knownConnectors };
        const first = ownerships.get(commit) ?? source;
        ownerships.set(commit, first);
        const isOurs = isSameOwnership(first, source);
        const { fence, counted } = isOurs ? await store(statement) : { fence: 1, counted: 0 };
        if (fence === 0) throw fencedError(commit.source);
        if (counted > 0) {
          seen.stored(source.id);
          if (commit.page !== undefined) knownConnectors.add(commit.page.connector.hash);
          source.ends[laneOf(commit)] = before + (commit.page?.records.length ?? 0);
          return before;
        }
        names.doubt(commit.source);
        if (await wasStored(core, statement)) return undefined;
        // The lane is not where this process left it: a standby was promoted that had less.
        if (isOurs) member?.renew(commit.source);
        throw fencedError(commit.source);
      } catch (error) {
        names.doubt(commit.source);
        if (tries >= mostTries || !isWorthAnother(error, knownConnectors, known)) throw error;
      }
    }
  };
}

// The connector's text was deleted between two commits; an id stands in the index already; or the answer was lost.
function isWorthAnother(error: unknown, knownConnectors: Set<string>, ids: { areKnown: boolean }): boolean {
  const state = sqlState(error instanceof Error ? error.cause : undefined);
  if (state === '23503') knownConnectors.clear();
  const meetsKnown = state === '23505' && !ids.areKnown;
  ids.areKnown ||= meetsKnown;
  return state === '23503' || meetsKnown || isLost(error);
}

interface Statement {
  readonly core: Core;
  readonly commit: Commit;
  readonly rows: readonly EncodedPage[];
  readonly source: OwnedSource;
  readonly before: number;
  readonly attempt: string;
  readonly ids: CommitIds;
  readonly knownConnectors: ReadonlySet<string>;
}

interface Outcome {
  readonly fence: number;
  readonly counted: number;
}

/** False when it was not stored because what was remembered of the lane is not what the database says. */
async function wasStored({ db }: Core, { source, attempt }: Statement): Promise<boolean> {
  const [row] = await db.query<{ done: boolean }>(
    `SELECT $2::uuid = ANY(attempts) AS done FROM ${db.s}.counters WHERE source = $1`,
    [source.id, attempt],
  );
  return row?.done === true;
}

/** Runs a commit in a statement of its own, or with others where it has no records. */
function openStatements(core: Core): (statement: Statement) => Promise<Outcome> {
  const storeQuietly = openQuiet(core);
  return async (statement) => {
    if (!isQuiet(statement.commit)) return runCommit(statement);
    try {
      if (await storeQuietly({ ...statement, days: statement.ids.days })) return { fence: 1, counted: 1 };
    } catch (error) {
      if (isLost(error)) throw error;
      // What the database has against one of them is no fault of the others.
    }
    return runCommit(statement);
  };
}

const laneOf = ({ page, window }: Commit): 0 | 1 => ((page ?? window)?.lane === 'backfill' ? 1 : 0);

async function runCommit(statement: Statement): Promise<Outcome> {
  const { core, commit, source } = statement;
  const { s } = core.db;
  const values = new Values();
  const parts = [fencePart(s, values, source)];
  parts.push(...countParts(statement, values), ...pageParts(statement, values), ...idParts(core, statement, values));
  if (commit.window !== undefined) parts.push(windowPart(statement, values));
  if (commit.checkpoint !== undefined) parts.push(checkpointPart(s, commit.checkpoint, values));
  const notes = Object.entries(commit.notes ?? {});
  if (notes.length > 0) parts.push(notesPart(s, notes, values));
  const text = `WITH ${parts.join(',\n')}\nSELECT (SELECT count(*) FROM fence) AS fence, (SELECT count(*) FROM counted) AS counted`;
  const [outcome] = await core.db.query<Outcome>(text, values.list);
  return outcome ?? { fence: 0, counted: 0 };
}

function countParts({ core: { db }, commit, rows, source, before, attempt }: Statement, values: Values): string[] {
  const { page, window, seen = [] } = commit;
  const records = page?.records.length ?? 0;
  const counts = window ?? { fetched: records, new: records };
  const add = (column: string, by: number): string[] =>
    by === 0 ? [] : [`${column} = c.${column} + ${values.add(by, 'bigint')}`];
  const id = values.add(source.id, 'bigint');
  const attemptId = values.add(attempt, 'uuid');
  const sets = [
    ...sourceCounters.flatMap((name) => add(name, (counts as Partial<Record<typeof name, number>>)[name] ?? 0)),
    ...add(
      'bytes',
      rows.reduce((sum, { body }) => sum + body.length, 0),
    ),
    ...add('pages', rows.length),
    ...add('records', records),
    ...add('ids', seen.length),
    `attempts = ${withAttempt('c.attempts', attemptId)}`,
  ];
  return [
    lanePart(db.s, laneOf(commit), id, before, values),
    `counted AS (UPDATE ${db.s}.counters c SET ${sets.join(', ')} FROM lane WHERE c.source = ${id} AND NOT ${attemptId} = ANY(c.attempts) RETURNING c.source)`,
  ];
}

/** The lane as this process remembers it: where it is another, nothing is written, and no checkpoint passes what the database lost. */
const lanePart = (s: string, kind: 0 | 1, source: string, before: number, values: Values): string =>
  `lane AS (SELECT l.source FROM ${s}.lanes l, fence WHERE l.source = ${source} AND l.kind = ${values.add(kind, 'smallint')}
    AND l.appended = ${values.add(before, 'bigint')} FOR UPDATE OF l)`;

const rowColumns =
  'source, kind, first, count, received, received_last, min_time, max_time, connector_name, connector_hash, tenant, labels, raw_bytes, crc, body';

function pageParts(statement: Statement, values: Values): string[] {
  const { core, commit, rows, source, before, knownConnectors } = statement;
  const { s } = core.db;
  const { page } = commit;
  if (page === undefined || rows.length === 0) return [];
  const { name, hash, text } = page.connector;
  const kind = kindNumber(page.lane);
  const said = { connector_name: name, connector_hash: hash, tenant: page.tenant ?? null, labels: JSON.stringify(page.labels) };
  let first = before + 1;
  const tuples = rows.map(({ count, received, rawBytes, body }) => {
    const facts = { source: source.id, kind, first, count, ...said, raw_bytes: rawBytes };
    first += count;
    const numbers = [facts.first, count, received, rawBytes, pageChecksum(facts, body)].map((value) =>
      values.add(value, 'bigint'),
    );
    return `(${[...numbers, values.add(body, 'bytea')].join(', ')})`;
  });
  const kindValue = values.add(kind, 'smallint');
  const times = [core.time.now(), page.minTime, page.maxTime].map((value) => values.add(value, 'bigint'));
  const texts = [name, hash, said.tenant, said.labels].map((value) => values.add(value, 'text'));
  const parts = [
    `moved AS (UPDATE ${s}.lanes l SET appended = ${values.add(first - 1, 'bigint')} FROM counted WHERE l.source = counted.source AND l.kind = ${kindValue})`,
    `page AS (INSERT INTO ${s}.pages (${rowColumns}) SELECT counted.source, ${kindValue}, r.first, r.count, r.received, ${times.join(', ')}, ${texts.join(', ')}, r.raw, r.crc, r.body
      FROM counted, (VALUES ${tuples.join(', ')}) AS r(first, count, received, raw, crc, body) ORDER BY r.first)`,
  ];
  if (knownConnectors.has(hash)) return parts;
  const known = `INSERT INTO ${s}.connectors (hash, text) SELECT ${values.add(hash, 'text')}, ${values.add(text, 'text')} FROM counted ON CONFLICT DO NOTHING`;
  return [`connector AS (${known})`, ...parts];
}

function windowPart({ core, commit }: Statement, values: Values): string {
  const { s } = core.db;
  const { key, lane, from, to, complete = false, ...counts } = commit.window ?? { key: '', lane: 'live', from: null, to: null };
  const place = [
    values.add(key, 'text'),
    values.add(kindNumber(lane), 'smallint'),
    values.add(from, 'bigint'),
    values.add(to, 'bigint'),
  ];
  const numbers = sourceCounters.map((name) => values.add((counts as Partial<Record<typeof name, number>>)[name] ?? 0, 'bigint'));
  const stamps = [
    values.add(complete ? 1 : 0, 'smallint'),
    values.add(core.clock.now(), 'bigint'),
    values.add(core.time.now(), 'bigint'),
  ];
  return `windowed AS (INSERT INTO ${s}.windows AS w (source, key, kind, from_time, to_time, ${sourceCounters.join(', ')}, complete, updated, stamp)
    SELECT counted.source, ${[...place, ...numbers, ...stamps].join(', ')} FROM counted
    ${onWindow})`;
}

function checkpointPart(s: string, { name, value }: NonNullable<Commit['checkpoint']>, values: Values): string {
  const nameValue = values.add(name, 'text');
  if (value === null || value === undefined)
    return `checkpoint AS (DELETE FROM ${s}.checkpoints c USING counted WHERE c.source = counted.source AND c.name = ${nameValue})`;
  const text = JSON.stringify(value);
  return `checkpoint AS (INSERT INTO ${s}.checkpoints (source, name, value, crc) SELECT counted.source, ${nameValue}, ${values.add(text, 'text')}, ${values.add(textChecksum(text), 'bigint')} FROM counted
    ${onCheckpoint})`;
}

function notesPart(s: string, notes: readonly [string, unknown][], values: Values): string {
  const names = values.add(
    notes.map(([name]) => name),
    'text[]',
  );
  const texts = values.add(
    notes.map(([, value]) => JSON.stringify(value ?? null)),
    'text[]',
  );
  return `noted AS (INSERT INTO ${s}.notes (source, name, value) SELECT counted.source, e.name, e.value FROM counted, unnest(${names}, ${texts}) AS e(name, value)
    ${onNote})`;
}
