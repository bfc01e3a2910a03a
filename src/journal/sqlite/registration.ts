import type { StatementSync } from 'node:sqlite';
import type { Registration, RegistrationReport, SinkRegistration, SourceRegistration } from '../journal.ts';
import { forgottenNote } from '../records/given-up.ts';
import { connectorOf, identityOf, identityText, nameTaken, noSource } from '../records/rows.ts';
import type { Core } from './core.ts';
import type { LetterStore } from './delivery/dead-letters.ts';
import type { OffsetStore } from './delivery/offsets.ts';
import { all, one } from './file/database.ts';
import type { StateStore } from './records/state.ts';

interface Stores {
  readonly offsets: OffsetStore;
  readonly letters: LetterStore;
  readonly state: StateStore;
}

/** The names that the journal keeps state for: configured, renamed, forgotten, reset. */
export function openRegistration(core: Core, stores: Stores): Registration {
  return {
    register: openRegister(core, stores),
    formerNames: openFormerNames(core),
    ...openRename(core),
    ...openForget(core, stores),
    resetSource: openReset(core, stores.state),
  };
}

/** Gives new sinks their starting offsets and finds orphans and changed identities. */
function openRegister(core: Core, stores: Stores): Registration['register'] {
  const { db, writer, changes } = core;
  const putSources = openPutSources(core);
  const { offsets } = stores;
  const putSinks = openPutSinks(core, stores);
  const orphanSinks = db.prepare('SELECT id, name FROM sinks WHERE configured = 0 ORDER BY name');
  const orphanSources = db.prepare('SELECT name FROM sources WHERE configured = 0 ORDER BY name');
  const pending = (sink: number): number => offsets.lanes(sink).reduce((sum, lane) => sum + lane.pending, 0);

  return async (sources, sinks) => {
    const report = await writer.write(() => {
      db.exec('UPDATE sources SET configured = 0; UPDATE sinks SET configured = 0');
      const changedSources = putSources(sources);
      const appeared = putSinks(sinks);
      return {
        newSinks: appeared.map(({ id, name }) => ({ name, pending: pending(id) })),
        orphanSinks: all<{ id: number; name: string }>(orphanSinks).map(({ id, name }) => ({ name, pending: pending(id) })),
        orphanSources: all<{ name: string }>(orphanSources).map(({ name }) => name),
        changedSources,
      };
    });
    changes.notify();
    return report;
  };
}

function openPutSources({ db, names }: Core) {
  const configure = db.prepare(
    'UPDATE sources SET configured = 1, registered = ?2, identity = ifnull(identity, ?2), seen_ttl_ms = ?3, seen_pinned_ms = ?4 WHERE id = ?1 RETURNING identity',
  );
  return (sources: readonly SourceRegistration[]): RegistrationReport['changedSources'] =>
    sources.flatMap(({ name, connector, identity, seenTtlMs, seenPinnedMs }) => {
      const is = identityText(connector, identity);
      const was = one<{ identity: string }>(configure, names.ensureSource(name), is, seenTtlMs, seenPinnedMs)?.identity ?? is;
      return was === is ? [] : [{ name, was: identityOf(was, connector), is: identityOf(is, connectorOf(was)) }];
    });
}

function openPutSinks({ db, names, clock }: Core, { offsets, state }: Stores) {
  const update = db.prepare('UPDATE sinks SET configured = 1, type = ?, when_full = ? WHERE id = ?');
  const insert = db.prepare('INSERT INTO sinks (name, type, when_full, configured, created) VALUES (?, ?, ?, 1, ?)');
  const lanes = db.prepare('SELECT source, kind, appended FROM lanes');
  const startOf = openStartOf(db);
  return (sinks: readonly SinkRegistration[]): { id: number; name: string }[] =>
    sinks.flatMap(({ name, type, whenFull, start }) => {
      const known = names.sink(name);
      if (known !== undefined) {
        update.run(type, whenFull, known);
        return [];
      }
      const id = Number(insert.run(name, type, whenFull, clock.now()).lastInsertRowid);
      const passed: Record<number, number> = {};
      for (const lane of all<{ source: number; kind: number; appended: number }>(lanes)) {
        // What lies before its start was never meant for this sink; the balance says so, and a note how much of it that is.
        const records = offsets.pass(id, lane.source, lane.kind, startOf(lane, start), 'not_routed');
        if (records > 0) passed[lane.source] = (passed[lane.source] ?? 0) + records;
      }
      if (Object.keys(passed).length > 0) state.putNote(noSource, `start:${id}`, passed);
      return [{ id, name }];
    });
}

function openStartOf(db: Core['db']) {
  // Pages pinned by a replay may stay behind when their neighbours are trimmed: only the run of pages without a hole can be read as a lane.
  const oldest =
    db.prepare(`SELECT first FROM (SELECT first, lag(first + count) OVER (ORDER BY first) AS expected FROM pages WHERE source = ?1 AND kind = ?2)
    WHERE expected IS NULL OR expected <> first ORDER BY first DESC LIMIT 1`);
  const since = db.prepare(
    'SELECT first FROM pages WHERE source = ? AND kind = ? AND first >= ? AND max_time >= ? ORDER BY first LIMIT 1',
  );
  return (
    { source, kind, appended }: { source: number; kind: number; appended: number },
    start: SinkRegistration['start'],
  ): number => {
    const first = start === 'now' ? undefined : one<{ first: number }>(oldest, source, kind)?.first;
    if (first === undefined) return appended;
    const from = start === 'oldest' ? first : one<{ first: number }>(since, source, kind, first, Number(start))?.first;
    return from === undefined ? appended : from - 1;
  };
}

function openFormerNames({ db }: Core): Registration['formerNames'] {
  const select = db.prepare(
    'SELECT o.name FROM sources n JOIN sources o ON o.identity = n.identity AND o.configured = 0 WHERE n.name = ?1 AND o.name <> ?1 ORDER BY o.name',
  );
  return async (source) => all<{ name: string }>(select, source).map(({ name }) => name);
}

function openForget(
  { db, names, writer, log, clock }: Core,
  { letters, state }: Stores,
): Pick<Registration, 'forgetSink' | 'forgetSource'> {
  const unhold = db.prepare('DELETE FROM holds WHERE kind = ? AND name = ?');
  const forget = (kind: 'source' | 'sink', idOf: (name: string) => number) => {
    const drop = openDrop(db, kind);
    const pending =
      db.prepare(`SELECT ifnull(sum(l.appended - ifnull(o.position, 0)), 0) AS n FROM lanes l CROSS JOIN sinks k LEFT JOIN offsets o
      ON o.sink = k.id AND o.source = l.source AND o.kind = l.kind WHERE ${kind === 'sink' ? 'k.id' : 'l.source'} = ?`);
    return async (name: string): Promise<void> => {
      const gone = await writer.write(() => {
        const id = idOf(name);
        const abandoned = one<{ n: number }>(pending, id)?.n ?? 0;
        const discarded = letters.discard({ [kind]: name });
        drop(id);
        unhold.run(kind, name);
        // Its rows of the ledger go with it; what it left undelivered stays on record.
        const forgotten = { [kind]: name, at: clock.now(), abandoned, discarded };
        state.putNote(noSource, forgottenNote(kind, id), forgotten);
        return { abandoned, discarded };
      });
      log.warn({ [kind]: name, ...gone }, 'forgotten');
    };
  };
  return { forgetSink: forget('sink', names.requireSink), forgetSource: forget('source', names.requireSource) };
}

function openReset({ db, names, writer }: Core, state: StateStore): Registration['resetSource'] {
  const adopt = db.prepare('UPDATE sources SET identity = registered WHERE id = ?');
  return async (name, checkpoint) => {
    await writer.write(() => {
      const source = names.ensureSource(name);
      adopt.run(source);
      state.putCheckpoint(source, 'live', checkpoint);
    });
  };
}

/** Gives a source or a sink another name; everything stored refers to its id and stays. */
function openRename({ db, names, writer }: Core): Pick<Registration, 'renameSource' | 'renameSink'> {
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

const tablesOf = {
  source: [
    'lanes',
    'pages',
    'offsets',
    'totals',
    'checkpoints',
    'notes',
    'seen',
    'seen_blocks',
    'seen_days',
    'windows',
    'replays',
    'skips',
  ],
  sink: ['offsets', 'totals', 'dead_letters', 'replays', 'skips'],
} as const;

/** Deletes a source or a sink with everything that refers to it. Only inside a write. */
function openDrop(db: Core['db'], kind: 'source' | 'sink'): (id: number) => void {
  const statements: StatementSync[] = tablesOf[kind].map((table) => db.prepare(`DELETE FROM ${table} WHERE ${kind} = ?`));
  statements.push(db.prepare(`DELETE FROM ${kind}s WHERE id = ?`));
  return (id) => {
    for (const statement of statements) statement.run(id);
  };
}
