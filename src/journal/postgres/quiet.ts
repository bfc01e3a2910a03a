// Commits without records, which every poll with nothing new ends with: those of many sources are one statement. It does for each source what
// a commit of its own does, or nothing at all: where another holds the source's rows, the fence says no or the commit was stored before, the
// commit is left to a statement of its own, which says why.

import { dayMs } from '../../base/quantity.ts';
import { sourceCounters } from '../counts.ts';
import type { Commit } from '../journal.ts';
import { textChecksum } from '../records/pages.ts';
import { kindNumber } from '../records/positions.ts';
import { touchEveryMs } from '../records/rows.ts';
import { onCheckpoint, onDay, onNote, onWindow } from './commit-rows.ts';
import { type Core, waitsPart, withAttempt } from './core.ts';
import { Values } from './database.ts';
import { Gathered } from './gathered.ts';
import type { OwnedSource } from './names.ts';
import { listOf } from './seen.ts';

interface QuietCommit {
  readonly commit: Commit;
  readonly source: OwnedSource;
  readonly before: number;
  readonly attempt: string;
  readonly days: readonly number[];
}

/** False for what only a statement of its own stores. */
export const isQuiet = ({ page, seen = [], checkpoint }: Commit): boolean =>
  page === undefined && seen.length === 0 && (checkpoint === undefined || (checkpoint.value ?? null) !== null);

/** Stores commits; gives true for each that it has stored, and nothing of the others. */
export function openQuiet(core: Core): (commit: QuietCommit) => Promise<boolean> {
  const gathered = new Gathered<QuietCommit, true>((commits) => storeAll(core, commits), core.clock);
  return async (commit) => (await gathered.ask(commit)) === true;
}

async function storeAll({ db, clock, time }: Core, commits: readonly QuietCommit[]): Promise<(true | undefined)[]> {
  // Where a source is asked for under two names, no row is written twice.
  const asked = [...new Map(commits.map((commit) => [commit.source.id, commit])).values()];
  const values = new Values();
  const now = values.add(time.now(), 'bigint');
  const parts = [
    askedPart(asked, values),
    ...countParts(db.s),
    windowPart(db.s, values.add(clock.now(), 'bigint'), now),
    checkpointPart(db.s),
    ...dayParts(db.s, asked, values, now),
    ...noteParts(db.s, asked, values),
  ];
  const rows = await db.query<{ attempt: string }>(
    `WITH ${parts.join(',\n')}\nSELECT a.attempt FROM counted JOIN asked a ON a.source = counted.source`,
    values.list,
  );
  const stored = new Set(rows.map(({ attempt }) => attempt));
  return commits.map(({ attempt }) => (stored.has(attempt) ? true : undefined));
}

type Column = readonly [name: string, type: string, of: (commit: QuietCommit) => unknown];

const dayOf = (time: number | null | undefined): number | null => (typeof time === 'number' ? Math.floor(time / dayMs) : null);

const textOf = ({ checkpoint }: Commit): string | null => (checkpoint === undefined ? null : JSON.stringify(checkpoint.value));

const columns: readonly Column[] = [
  ['source', 'bigint', ({ source }) => source.id],
  ['unit', 'bigint', ({ source }) => source.unit],
  ['owner', 'text', ({ source }) => source.owner],
  ['epoch', 'bigint', ({ source }) => source.epoch],
  ['kind', 'smallint', ({ commit }) => kindNumber(commit.window?.lane ?? 'live')],
  ['before', 'bigint', ({ before }) => before],
  ['attempt', 'uuid', ({ attempt }) => attempt],
  ...sourceCounters.map((name): Column => [name, 'bigint', ({ commit }) => commit.window?.[name] ?? 0]),
  ['key', 'text', ({ commit }) => commit.window?.key ?? null],
  ['from_time', 'bigint', ({ commit }) => commit.window?.from ?? null],
  ['to_time', 'bigint', ({ commit }) => commit.window?.to ?? null],
  ['complete', 'smallint', ({ commit }) => (commit.window?.complete === true ? 1 : 0)],
  ['first_day', 'bigint', ({ commit }) => dayOf(commit.window?.from)],
  ['last_day', 'bigint', ({ commit }) => dayOf(commit.window?.to)],
  ['name', 'text', ({ commit }) => commit.checkpoint?.name ?? null],
  ['value', 'text', ({ commit }) => textOf(commit)],
  ['crc', 'bigint', ({ commit }) => (commit.checkpoint === undefined ? null : textChecksum(textOf(commit) ?? ''))],
];

const names = columns.map(([name]) => name).join(', ');

function askedPart(asked: readonly QuietCommit[], values: Values): string {
  const lists = columns.map(([, type, of]) => values.add(asked.map(of), `${type}[]`));
  return `${waitsPart},
    asked AS MATERIALIZED (SELECT a.* FROM waits, unnest(${lists.join(', ')}) AS a(${names}))`;
}

/** The order in which rows are locked is the same in every statement; what another holds is not waited for. */
const countParts = (s: string): string[] => [
  `fence AS MATERIALIZED (SELECT a.source, a.kind, a.before FROM asked a JOIN ${s}.units u ON u.id = a.unit AND u.owner = a.owner AND u.epoch = a.epoch
    ORDER BY u.id FOR SHARE OF u SKIP LOCKED)`,
  `lane AS MATERIALIZED (SELECT l.source FROM fence f JOIN ${s}.lanes l ON l.source = f.source AND l.kind = f.kind AND l.appended = f.before
    JOIN ${s}.counters c ON c.source = f.source ORDER BY l.source FOR UPDATE OF l, c SKIP LOCKED)`,
  `counted AS (UPDATE ${s}.counters c SET ${sourceCounters.map((name) => `${name} = c.${name} + a.${name}`).join(', ')}, attempts = ${withAttempt('c.attempts', 'a.attempt')}
    FROM lane JOIN asked a ON a.source = lane.source WHERE c.source = a.source AND NOT a.attempt = ANY(c.attempts) RETURNING c.source)`,
];

const windowPart = (s: string, updated: string, stamp: string): string =>
  `windowed AS (INSERT INTO ${s}.windows AS w (source, key, kind, from_time, to_time, ${sourceCounters.join(', ')}, complete, updated, stamp)
    SELECT a.source, a.key, a.kind, a.from_time, a.to_time, ${sourceCounters.map((name) => `a.${name}`).join(', ')}, a.complete, ${updated}, ${stamp}
    FROM counted JOIN asked a ON a.source = counted.source WHERE a.key IS NOT NULL ${onWindow} RETURNING 1)`;

const checkpointPart = (s: string): string => `checkpoint AS (INSERT INTO ${s}.checkpoints (source, name, value, crc)
    SELECT a.source, a.name, a.value, a.crc FROM counted JOIN asked a ON a.source = counted.source WHERE a.name IS NOT NULL ${onCheckpoint} RETURNING 1)`;

/** Days of which ids were met, and those that a window is about: as long as it is being read, it may be read again from its beginning. */
function dayParts(s: string, asked: readonly QuietCommit[], values: Values, now: string): string[] {
  const pairs = asked.flatMap(({ source, days }) => days.map((day) => [source.id, day] as const));
  const [ofSource, ofDay] = [0, 1].map((at) =>
    values.add(listOf(pairs.map((pair) => pair[at as 0 | 1])), at === 0 ? 'bigint[]' : 'int[]'),
  );
  const met = `unnest(${ofSource}, ${ofDay}) AS m(source, day)`;
  return [
    `days AS (INSERT INTO ${s}.seen_days AS d (source, day, touched) SELECT m.source, m.day, ${now} FROM counted JOIN ${met} ON m.source = counted.source ${onDay} RETURNING 1)`,
    `span AS (UPDATE ${s}.seen_days d SET touched = ${now} FROM counted JOIN asked a ON a.source = counted.source WHERE d.source = a.source
      AND d.day BETWEEN a.first_day AND a.last_day AND NOT EXISTS (SELECT 1 FROM ${met} WHERE m.source = d.source AND m.day = d.day)
      AND d.touched < ${now} - ${touchEveryMs} RETURNING 1)`,
  ];
}

function noteParts(s: string, asked: readonly QuietCommit[], values: Values): string[] {
  const notes = asked.flatMap(({ source, commit }) =>
    Object.entries(commit.notes ?? {}).map(([name, value]) => [source.id, name, JSON.stringify(value ?? null)] as const),
  );
  if (notes.length === 0) return [];
  const lists = (['bigint[]', 'text[]', 'text[]'] as const).map((type, at) =>
    values.add(
      notes.map((note) => note[at as 0 | 1 | 2]),
      type,
    ),
  );
  return [
    `noted AS (INSERT INTO ${s}.notes (source, name, value) SELECT n.source, n.name, n.value FROM counted JOIN unnest(${lists.join(', ')}) AS n(source, name, value)
      ON n.source = counted.source ${onNote} RETURNING 1)`,
  ];
}
