import type { DeadLetter, LetterFilter, NewDeadLetter } from '../../journal.ts';
import { type DiscardedRow, discardedAtOnce, discardNotes } from '../../records/given-up.ts';
import { columnsOf, type LetterRange, type LetterRow, letterColumns, letterOf } from '../../records/letter-rows.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';
import type { LedgerStore } from './ledger.ts';
import { type LetterSearch, openLetterSearch } from './letter-search.ts';

export type LetterStore = ReturnType<typeof openLetters>;

/** Events that a sink refused for good. `insert`, `refuseAgain`, `resolve` and `discard` run inside a write. */
export function openLetters(core: Core, ledger: LedgerStore) {
  const search = openLetterSearch(core);
  return { ...openWriting(core, ledger), ...openReading(core, search), discard: openDiscard(core, ledger, search) };
}

function openWriting({ db, names }: Core, ledger: LedgerStore) {
  const insert = db.prepare(`INSERT INTO dead_letters (${letterColumns}) VALUES (${letterColumns.replace(/\w+/g, ':$&')})`);
  const again = db.prepare(
    'UPDATE dead_letters SET code = ?, text = ?, attempts = attempts + ?, last = ? WHERE sink = ? AND source = ? AND uid = ?',
  );
  const remove = db.prepare('DELETE FROM dead_letters WHERE id = ? AND sink = ? RETURNING source, counted');
  return {
    /** `counted` is false for an event that the ledger has settled before: a refused replay. */
    insert(sink: number, source: number, letter: NewDeadLetter, counted: boolean): void {
      insert.run({ sink, source, ...columnsOf(letter), counted: counted ? 1 : 0 });
      if (counted) ledger.add(sink, source, 'dead_lettered', 1);
    },
    /** Updates the event's letter; false when there is none. */
    refuseAgain(sink: number, { record, source, code, text, attempts, last }: NewDeadLetter): boolean {
      return again.run(code, text, attempts, last, sink, names.requireSource(source), record.uid).changes > 0;
    },
    /** Deletes letters that were delivered at last; `unconfirmed` of them by a protocol that knows no acknowledgement. */
    resolve(sink: number, ids: readonly number[], unconfirmed: number): void {
      let sent = unconfirmed;
      for (const id of ids) {
        const row = one<{ source: number; counted: number }>(remove, id, sink);
        // Gone already: the settle was repeated, or a person discarded the letter meanwhile, which has been counted.
        if (row === undefined || row.counted === 0) continue;
        ledger.add(sink, row.source, 'dead_lettered', -1);
        ledger.add(sink, row.source, sent > 0 ? 'unconfirmed' : 'acknowledged', 1);
        sent--;
      }
    },
  };
}

function openReading({ db }: Core, search: LetterSearch) {
  const byId = db.prepare(
    `SELECT d.*, k.name AS sink, s.name AS source FROM json_each(?) AS wanted CROSS JOIN dead_letters d ON d.id = wanted.value
     JOIN sinks k ON k.id = d.sink JOIN sources s ON s.id = d.source ORDER BY d.id`,
  );
  const any = db.prepare('SELECT 1 FROM dead_letters WHERE sink = ? AND source = ? LIMIT 1');
  const byUid = db.prepare(
    'SELECT id, uid FROM dead_letters WHERE sink = ? AND source = ? AND uid IN (SELECT value FROM json_each(?))',
  );
  return {
    /** The letter of each uid, undefined where there is none; undefined when none has one. */
    of(sink: number, source: number, uids: readonly string[]): (number | undefined)[] | undefined {
      if (one(any, sink, source) === undefined) return undefined;
      const rows = all<{ id: number; uid: string }>(byUid, sink, source, JSON.stringify(uids));
      const known = new Map(rows.map(({ id, uid }) => [uid, id]));
      return known.size === 0 ? undefined : uids.map((uid) => known.get(uid));
    },
    /** Letters with an id after `after`, up to `upTo`. */
    list(filter: LetterFilter, limit: number, after = 0, upTo = Number.MAX_SAFE_INTEGER): DeadLetter[] {
      const ids = search.ids(filter, { after, upTo }, limit);
      return all<LetterRow>(byId, JSON.stringify(ids)).map(letterOf);
    },
    count: (filter: LetterFilter, range?: LetterRange): number => search.count(filter, range),
  };
}

function openDiscard({ db, clock }: Core, ledger: LedgerStore, search: LetterSearch) {
  const select = db.prepare(
    `SELECT d.id, k.name AS sink, s.name AS source, d.uid, d.event_time, d.action, d.code, d.counted FROM json_each(?) AS wanted CROSS JOIN dead_letters d ON d.id = wanted.value
     JOIN sinks k ON k.id = d.sink JOIN sources s ON s.id = d.source ORDER BY d.id`,
  );
  const remove = db.prepare(
    'DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?)) RETURNING sink, source, counted',
  );
  const note = db.prepare('INSERT INTO notes (source, name, value) VALUES (0, ?, ?)');
  /** Only inside a write. */
  return (filter: LetterFilter): number => {
    // Whoever discards a letter wants its text gone, not only out of sight.
    db.exec('PRAGMA secure_delete = ON');
    const at = clock.now();
    const ids = search.ids(filter, {}, Number.MAX_SAFE_INTEGER);
    for (let from = 0; from < ids.length; from += discardedAtOnce) {
      const part = JSON.stringify(ids.slice(from, from + discardedAtOnce));
      for (const { name, ...discard } of discardNotes(all<DiscardedRow>(select, part), filter, at))
        note.run(name, JSON.stringify(discard));
      for (const { sink, source, counted } of all<{ sink: number; source: number; counted: number }>(remove, part)) {
        ledger.add(sink, source, 'dead_lettered', -counted);
        ledger.add(sink, source, 'discarded', counted);
      }
    }
    db.exec('PRAGMA secure_delete = OFF');
    return ids.length;
  };
}
