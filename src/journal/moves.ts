import type { StatementSync } from 'node:sqlite';
import { PenstockError } from '../base/errors.ts';
import type { Json } from '../base/json.ts';
import type { Core } from './core.ts';
import { one } from './database.ts';
import type { OffsetStore } from './offsets.ts';
import type { StateStore } from './state.ts';

/** What an operator does to names: rename, forget, reset. */
export interface Moves {
  renameSource(from: string, to: string): Promise<void>;
  renameSink(from: string, to: string): Promise<void>;
  forgetSink(name: string): Promise<void>;
  resetSource(name: string, checkpoint: Json): Promise<void>;
}

/** Prepares the moves. */
export function openMoves(core: Core, offsets: OffsetStore, state: StateStore): Moves {
  return { ...openRenames(core), forgetSink: openForget(core, offsets), resetSource: openReset(core, state) };
}

function openRenames({ db, names, writer }: Core): Pick<Moves, 'renameSource' | 'renameSink'> {
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
        if (one(used[kind], other) !== undefined) throw taken(kind, from, to);
        drop[kind](other);
      }
      rename[kind].run(to, standsConfigured, id);
      hold.run(kind, from, to);
    });
  };
  return { renameSource: (from, to) => run('source', from, to), renameSink: (from, to) => run('sink', from, to) };
}

function taken(kind: 'source' | 'sink', from: string, to: string): PenstockError {
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

function openDrop(db: Core['db'], kind: 'source' | 'sink'): (id: number) => void {
  const statements: StatementSync[] = tablesOf[kind].map((table) => db.prepare(`DELETE FROM ${table} WHERE ${kind} = ?`));
  statements.push(db.prepare(`DELETE FROM ${kind}s WHERE id = ?`));
  return (id) => {
    for (const statement of statements) statement.run(id);
  };
}

function openForget({ db, names, writer, log, clock }: Core, offsets: OffsetStore): Moves['forgetSink'] {
  const drop = openDrop(db, 'sink');
  const letters = db.prepare('SELECT count(*) AS n FROM dead_letters WHERE sink = ?');
  const unhold = db.prepare("DELETE FROM holds WHERE kind = 'sink' AND name = ?");
  const note = db.prepare('INSERT OR REPLACE INTO notes (source, name, value) VALUES (0, ?, ?)');
  return async (name) => {
    const gone = await writer.write(() => {
      const sink = names.requireSink(name);
      const abandoned = offsets.lanes(sink).reduce((sum, lane) => sum + lane.pending, 0);
      const discarded = one<{ n: number }>(letters, sink)?.n ?? 0;
      drop(sink);
      unhold.run(name);
      // The sink's rows of the ledger go with it; what it left undelivered stays on record.
      note.run(`forgotten:${name}`, JSON.stringify({ at: clock.now(), abandoned, discarded }));
      return { abandoned, discarded };
    });
    log.warn({ sink: name, ...gone }, 'sink forgotten');
  };
}

function openReset({ db, names, writer }: Core, state: StateStore): Moves['resetSource'] {
  const adopt = db.prepare('UPDATE sources SET identity = registered WHERE id = ?');
  return async (name, checkpoint) => {
    await writer.write(() => {
      const source = names.ensureSource(name);
      adopt.run(source);
      state.putCheckpoint(source, 'live', checkpoint);
    });
  };
}
