// Finding dead letters among a million: how many there are of each sink, source, code and action is counted as they come and go, and an
// index leads to the letters of one such group in the order of their ids.

import type { SQLInputValue } from 'node:sqlite';
import type { LetterFilter } from '../../journal.ts';
import { type LetterRange } from '../../records/letter-rows.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';

export type LetterSearch = ReturnType<typeof openLetterSearch>;

/** A filter that matches more groups than these matches most letters: going through all of them finds a page soon. */
const mostGroups = 32;

interface Group {
  readonly sink: number;
  readonly source: number;
  readonly code: string;
  readonly action: string;
}

type Part = readonly [sql: string, value: SQLInputValue];

export function openLetterSearch(core: Core) {
  const { db } = core;
  return {
    /** Ids of letters in ascending order, at most `limit`. */
    ids(filter: LetterFilter, range: LetterRange, limit: number): number[] {
      const parts = partsOf(core, filter);
      if (parts === undefined) return [];
      if (parts.length === 0 || filter.ids !== undefined) return scan(core, [...parts, ...restOf(filter, range)], limit);
      const groups = groupsOf(core, parts);
      if (groups.length > mostGroups) return scan(core, [...parts, ...restOf(filter, range)], limit);
      const rest = joined(restOf(filter, range));
      const ofGroup = db.prepare(
        `SELECT id FROM dead_letters WHERE sink = ? AND source = ? AND code = ? AND ifnull(action, '') = ? AND ${rest.sql} ORDER BY id LIMIT ?`,
      );
      return groups
        .flatMap(({ sink, source, code, action }) =>
          all<{ id: number }>(ofGroup, sink, source, code, action, ...rest.values, limit),
        )
        .map(({ id }) => id)
        .sort((a, b) => a - b)
        .slice(0, limit);
    },
    count(filter: LetterFilter, range: LetterRange = {}): number {
      const parts = partsOf(core, filter);
      if (parts === undefined) return 0;
      const rest = restOf(filter, range);
      const { sql, values } = joined([...parts, ...rest]);
      const counting =
        rest.length === 0 ? 'SELECT ifnull(sum(letters), 0) AS n FROM letter_counts' : 'SELECT count(*) AS n FROM dead_letters';
      return one<{ n: number }>(db.prepare(`${counting} WHERE ${sql}`), ...values)?.n ?? 0;
    },
  };
}

/** What a group is chosen by; undefined for a name that the journal does not know. */
function partsOf({ names }: Core, filter: LetterFilter): Part[] | undefined {
  const sink = filter.sink === undefined ? undefined : (names.sink(filter.sink) ?? -1);
  const source = filter.source === undefined ? undefined : (names.source(filter.source) ?? -1);
  if (sink === -1 || source === -1) return undefined;
  return used([
    ['sink = ?', sink],
    ['source = ?', source],
    ['code = ?', filter.code],
    ["ifnull(action, '') = ?", filter.action],
  ]);
}

/** What letters of a group are chosen by. */
function restOf({ from, to, ids, uids }: LetterFilter, { after, upTo }: LetterRange): Part[] {
  return used([
    ['id > ?', after],
    ['id <= ?', upTo],
    ['event_time >= ?', from],
    ['event_time <= ?', to],
    ['id IN (SELECT value FROM json_each(?))', ids === undefined ? undefined : JSON.stringify(ids)],
    ['uid IN (SELECT value FROM json_each(?))', uids === undefined ? undefined : JSON.stringify(uids)],
  ]);
}

const used = (parts: readonly (readonly [string, SQLInputValue | undefined])[]): Part[] =>
  parts.filter((part): part is Part => part[1] !== undefined);

function joined(parts: readonly Part[]): { sql: string; values: SQLInputValue[] } {
  return { sql: parts.map(([sql]) => sql).join(' AND ') || 'true', values: parts.map(([, value]) => value) };
}

function groupsOf({ db }: Core, parts: readonly Part[]): Group[] {
  const { sql, values } = joined(parts);
  return all<Group>(
    db.prepare(`SELECT sink, source, code, action FROM letter_counts WHERE ${sql} LIMIT ${mostGroups + 1}`),
    ...values,
  );
}

function scan({ db }: Core, parts: readonly Part[], limit: number): number[] {
  const { sql, values } = joined(parts);
  const select = db.prepare(`SELECT id FROM dead_letters NOT INDEXED WHERE ${sql} ORDER BY id LIMIT ?`);
  return all<{ id: number }>(select, ...values, limit).map(({ id }) => id);
}
