import { PenstockError } from '../../../base/errors.ts';
import { type Json, parseJson } from '../../../base/json.ts';
import type { Reports } from '../../journal.ts';
import { textChecksum } from '../../records/pages.ts';
import { noSource } from '../../records/rows.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';

export type StateStore = ReturnType<typeof openState>;

/** Small things that are remembered by name: checkpoints and notes of sources, holds. The `put` functions run inside a write. */
export function openState(core: Core) {
  return { ...openCheckpoints(core), ...openNotes(core), ...openHolds(core) };
}

function openCheckpoints({ db, names, path }: Core) {
  const put = db.prepare(
    'INSERT INTO checkpoints (source, name, value, crc) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = ?3, crc = ?4',
  );
  const remove = db.prepare('DELETE FROM checkpoints WHERE source = ? AND name = ?');
  const select = db.prepare('SELECT value, crc FROM checkpoints WHERE source = ? AND name = ?');
  return {
    /** null deletes it. */
    putCheckpoint(source: number, name: string, value: Json): void {
      if (value === null || value === undefined) {
        remove.run(source, name);
        return;
      }
      const text = JSON.stringify(value);
      put.run(source, name, text, textChecksum(text));
    },
    /** undefined when there is none; throws PEN_JOURNAL_CORRUPT. */
    checkpoint(sourceName: string, name: string): Json {
      const source = names.source(sourceName);
      const row = source === undefined ? undefined : one<{ value: string; crc: number }>(select, source, name);
      if (row === undefined) return undefined;
      if (row.crc === textChecksum(row.value)) return parseJson(row.value);
      throw new PenstockError('PEN_JOURNAL_CORRUPT', `the checkpoint "${name}" of source "${sourceName}" is damaged`, {
        where: path,
        fix: 'stop the daemon and run "penstock journal check", then "penstock journal repair"',
      });
    },
  };
}

function openNotes({ db, names, writer }: Core) {
  const put = db.prepare('INSERT INTO notes (source, name, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3');
  const select = db.prepare('SELECT value FROM notes WHERE source = ? AND name = ?');
  const selectAll = db.prepare(
    'SELECT o.name AS source, n.value FROM notes n JOIN sources o ON o.id = n.source WHERE n.name = ?',
  );
  const putNote = (source: number, name: string, value: Json): void => {
    put.run(source, name, JSON.stringify(value ?? null));
  };
  return {
    putNote,
    note(sourceName: string, name: string): Json {
      const source = sourceName === '' ? noSource : names.source(sourceName);
      const row = source === undefined ? undefined : one<{ value: string }>(select, source, name);
      return row === undefined ? undefined : parseJson(row.value);
    },
    noteOfAll: (name: string): ReadonlyMap<string, Json> =>
      new Map(all<{ source: string; value: string }>(selectAll, name).map(({ source, value }) => [source, parseJson(value)])),
    setNoteIfAbsent: (sourceName: string, name: string, value: Json): Promise<Json> =>
      writer.write(() => {
        const source = sourceName === '' ? noSource : names.ensureSource(sourceName);
        const row = one<{ value: string }>(select, source, name);
        if (row !== undefined) return parseJson(row.value);
        putNote(source, name, value);
        return value;
      }),
    setNote: (sourceName: string, name: string, value: Json): Promise<void> =>
      writer.write(() => putNote(sourceName === '' ? noSource : names.ensureSource(sourceName), name, value)),
    changeNote: (sourceName: string, name: string, change: (note: Json) => Json): Promise<void> =>
      writer.write(() => {
        const source = sourceName === '' ? noSource : names.ensureSource(sourceName);
        const row = one<{ value: string }>(select, source, name);
        putNote(source, name, change(row === undefined ? undefined : (parseJson(row.value) ?? undefined)));
      }),
  };
}

function openHolds({ db, writer }: Core): Pick<Reports, 'setHold' | 'holds'> {
  const put = db.prepare(
    'INSERT INTO holds (kind, name, since, reason, fix) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET since = ?3, reason = ?4, fix = ?5',
  );
  const remove = db.prepare('DELETE FROM holds WHERE kind = ? AND name = ?');
  const select = db.prepare('SELECT kind, name, since, reason, fix FROM holds ORDER BY kind, name');
  return {
    async setHold(kind, name, hold) {
      await writer.write(() => {
        if (hold === null) remove.run(kind, name);
        else put.run(kind, name, hold.since, hold.reason, hold.fix ?? null);
      });
    },
    async holds() {
      const rows = all<{ kind: 'source' | 'sink'; name: string; since: number; reason: string; fix: string | null }>(select);
      return rows.map(({ kind, name, since, reason, fix }) => ({ kind, name, hold: { since, reason, fix: fix ?? undefined } }));
    },
  };
}
