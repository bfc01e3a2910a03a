import { addCounts, type SourceTotals, sourceCounters, zeroCounts } from '../../counts.ts';
import type { Commit, NewPage, RecordLog, WindowDelta } from '../../journal.ts';
import { AppendListeners, inOrder } from '../../records/commits.ts';
import { checkPage, type EncodedPage, encodeRecords, pageChecksum } from '../../records/pages.ts';
import { kindNumber } from '../../records/positions.ts';
import type { Core } from '../core.ts';
import { one } from '../file/database.ts';
import type { Limits } from '../upkeep/room.ts';
import type { SeenIndex } from './seen.ts';
import type { StateStore } from './state.ts';

/** Takes commits: what a source collected and the checkpoint that covers it. */
export function openAppend(
  core: Core,
  stores: { readonly seen: SeenIndex; readonly state: StateStore; readonly limits: Limits },
): Required<Pick<RecordLog, 'append' | 'onAppend'>> {
  const { limits } = stores;
  const apply = openApply(core, stores);
  const isMade = openIsMade(core);
  const listeners = new AppendListeners();

  async function run(commit: Commit, earlier: Promise<void> | undefined): Promise<void> {
    const rows = commit.page === undefined ? [] : await encodeRecords(commit.page.records);
    // Encoding takes as long as a page is large: without waiting, a small commit would overtake the one it was made after.
    await earlier;
    const bytes = rows.reduce((sum, row) => sum + row.body.length, 0) + (commit.seen?.length ?? 0) * bytesPerSeen;
    if (bytes > 0) await limits.makeRoom(bytes);
    const before = await core.writer.write(() => {
      if (isMade(commit)) return undefined;
      if (bytes > 0) limits.assertRoom(bytes);
      return apply(commit, rows);
    }, 'append');
    listeners.tell(commit, rows, before);
    core.changes.notify();
  }

  return { onAppend: (listener) => listeners.add(listener), append: inOrder(run) };
}

/** What an id costs in the file, bytes: key, b-tree overhead and the half-empty pages of random inserts. */
const bytesPerSeen = 64;

/** Whether the commit was made before and its answer lost; takes note of it when not. Only inside a write. */
function openIsMade({ db, names }: Core): (commit: Commit) => boolean {
  const last = db.prepare('SELECT 1 AS made FROM sources WHERE id = ? AND attempt = ?');
  const note = db.prepare('UPDATE sources SET attempt = ? WHERE id = ?');
  return ({ source: name, attempt }) => {
    if (attempt === undefined) return false;
    const source = names.ensureSource(name);
    if (one(last, source, attempt) !== undefined) return true;
    note.run(attempt, source);
    return false;
  };
}

function openApply(core: Core, { seen, state }: { readonly seen: SeenIndex; readonly state: StateStore }) {
  const addPage = openAddPage(core);
  const addWindow = openAddWindow(core);
  return (commit: Commit, rows: readonly EncodedPage[]): number => {
    const source = core.names.ensureSource(commit.source);
    const before = commit.page === undefined ? 0 : addPage(source, commit.page, rows);
    if (commit.window !== undefined) addWindow(source, commit.window);
    else if (rows.length > 0)
      addWindow.count(source, { fetched: commit.page?.records.length ?? 0, new: commit.page?.records.length ?? 0 });
    // Also without new ids: days in which duplicates were found have been touched.
    seen.remember(source, commit.seen ?? [], commit.window);
    if (commit.checkpoint !== undefined) state.putCheckpoint(source, commit.checkpoint.name, commit.checkpoint.value);
    for (const [name, value] of Object.entries(commit.notes ?? {})) state.putNote(source, name, value);
    return before;
  };
}

const pageColumns =
  'source, kind, first, count, received, received_last, min_time, max_time, connector_name, connector_hash, tenant, labels, raw_bytes, crc, body';

function openAddPage({ db, time }: Core) {
  const appended = db.prepare('SELECT appended FROM lanes WHERE source = ? AND kind = ?');
  const advance = db.prepare(
    'INSERT INTO lanes (source, kind, appended) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET appended = ?3',
  );
  const keepConnector = db.prepare('INSERT OR IGNORE INTO connectors (hash, text) VALUES (?, ?)');
  const insert = db.prepare(`INSERT INTO pages (${pageColumns}) VALUES (${pageColumns.replace(/\w+/g, ':$&')})`);
  return (source: number, page: NewPage, rows: readonly EncodedPage[]): number => {
    checkPage(page);
    const { hash, text } = page.connector;
    const kind = kindNumber(page.lane);
    const said = {
      connector_name: page.connector.name,
      connector_hash: hash,
      tenant: page.tenant ?? null,
      labels: JSON.stringify(page.labels),
    };
    const before = one<{ appended: number }>(appended, source, kind)?.appended ?? 0;
    let end = before;
    keepConnector.run(hash, text);
    for (const { count, received, rawBytes, body } of rows) {
      const facts = { source, kind, first: end + 1, count, ...said, raw_bytes: rawBytes };
      const times = { received, received_last: time.now(), min_time: page.minTime, max_time: page.maxTime };
      insert.run({ ...facts, ...times, crc: pageChecksum(facts, body), body });
      end += count;
    }
    advance.run(source, kind, end);
    return before;
  };
}

function openAddWindow({ db, clock, time }: Core) {
  const add = db.prepare(
    `UPDATE sources SET ${sourceCounters.map((name) => `${name} = ${name} + :${name}`).join(', ')} WHERE id = :source`,
  );
  const upsert = db.prepare(
    `INSERT INTO windows (source, key, kind, from_time, to_time, ${sourceCounters.join(', ')}, complete, updated, stamp)
     VALUES (:source, :key, :kind, :from, :to, ${sourceCounters.map((name) => `:${name}`).join(', ')}, :complete, :updated, :stamp) ON CONFLICT DO UPDATE SET
     from_time = :from, to_time = :to, ${sourceCounters.map((name) => `${name} = ${name} + :${name}`).join(', ')}, complete = max(complete, :complete), updated = :updated, stamp = :stamp`,
  );
  const count = (source: number, delta: Partial<SourceTotals>): void => {
    add.run({ source, ...countsOf(delta) });
  };
  const window = (source: number, delta: WindowDelta): void => {
    const { key, lane, from, to, complete = false } = delta;
    count(source, delta);
    upsert.run({
      source,
      key,
      kind: kindNumber(lane),
      from,
      to,
      ...countsOf(delta),
      complete: complete ? 1 : 0,
      updated: clock.now(),
      stamp: time.now(),
    });
  };
  return Object.assign(window, { count });
}

function countsOf(delta: Partial<SourceTotals>): Record<keyof SourceTotals, number> {
  const counts = zeroCounts();
  addCounts(counts, delta);
  return counts;
}
