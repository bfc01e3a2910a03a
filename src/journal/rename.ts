import type { StatementSync } from 'node:sqlite';
import { PenstockError } from '../base/errors.ts';
import type { Core } from './core.ts';
import { one } from './file/database.ts';
import type { Registration } from './journal.ts';

/** Gives a source or a sink another name; everything stored refers to its id and stays. */
export function openRename({ db, names, writer }: Core): Pick<Registration, 'renameSource' | 'renameSink'> {
  const rename = {
    source: db.prepare('UPDATE sources SET name = ?, configured = max(configured, ?) WHERE id = ?'),
    sink: db.prepare('UPDATE sinks SET name = ?, configured = max(configured, ?) WHERE id = ?'),
  };
  const configured = {
    source: db.prepare('SELECT configured FROM sources WHERE id = ?'),
    sink: db.prepare('SELECT configured FROM sinks WHERE id = ?'),
  };
  const hold = db.prepare('UPDATE OR REPLACE holds SET name = ?3 WHERE kind = ?1 AND name = ?2');
  // A name that stands in the configuration already has a row by the first start after the edit. As long as nothing happened under
  // it, that row gives way to the one with the history.
  const used = {
    source: db.prepare(
      'SELECT 1 AS found FROM sources WHERE id = ?1 AND (fetched > 0 OR EXISTS (SELECT 1 FROM checkpoints WHERE source = ?1))',
    ),
    sink: db.prepare(
      'SELECT 1 AS found FROM totals WHERE sink = ? AND acknowledged + unconfirmed + dead_lettered + discarded + replayed > 0',
    ),
  };
  const drop = { source: openDrop(db, 'source'), sink: openDrop(db, 'sink') };
  const run = async (kind: 'source' | 'sink', from: string, to: string): Promise<void> => {
    await writer.write(() => {
      const id = kind === 'source' ? names.requireSource(from) : names.requireSink(from);
      const other = names[kind](to);
      if (other === id) return;
      // The name is configured already when its row is: the renamed one is no orphan from now on.
      const standsConfigured = other === undefined ? 0 : (one<{ configured: number }>(configured[kind], other)?.configured ?? 0);
      if (other !== undefined) {
        if (one(used[kind], other) !== undefined) throw nameTaken(kind, from, to);
        drop[kind](other);
      }
      rename[kind].run(to, standsConfigured, id);
      hold.run(kind, from, to);
    });
  };
  return { renameSource: (from, to) => run('source', from, to), renameSink: (from, to) => run('sink', from, to) };
}

function nameTaken(kind: 'source' | 'sink', from: string, to: string): PenstockError {
  return new PenstockError(
    'PEN_OPERATION_FAILED',
    `the ${kind} "${from}" cannot be renamed: "${to}" has a history of its own in the journal`,
    {
      fix: kind === 'sink' ? `drop it with "penstock sinks forget ${to}", or choose another name` : 'choose another name',
    },
  );
}

const tablesOf = {
  source: ['lanes', 'offsets', 'totals', 'checkpoints', 'notes', 'seen', 'seen_days', 'windows', 'replays', 'skips'],
  sink: ['offsets', 'totals', 'dead_letters', 'replays', 'skips'],
} as const;

/** Deletes a source or a sink with everything that refers to it. Only inside a write. */
export function openDrop(db: Core['db'], kind: 'source' | 'sink'): (id: number) => void {
  const statements: StatementSync[] = tablesOf[kind].map((table) => db.prepare(`DELETE FROM ${table} WHERE ${kind} = ?`));
  statements.push(db.prepare(`DELETE FROM ${kind}s WHERE id = ?`));
  return (id) => {
    for (const statement of statements) statement.run(id);
  };
}
