import { PenstockError } from '../base/errors.ts';
import { type Core, kindNumber } from './core.ts';
import { one } from './database.ts';
import type { Commit, NewPage, WindowDelta } from './journal.ts';
import type { Limits } from './limits.ts';
import { checkPage, type EncodedPage, encodeRecords, pageChecksum } from './pages.ts';
import type { SeenIndex } from './seen.ts';
import type { StateStore } from './state.ts';

/** Takes commits: what a source collected and the cursor behind it. */
export interface Appender {
  append(commit: Commit): Promise<void>;
}

/** Prepares the writing of commits. */
export function openAppender(
  core: Core,
  parts: { readonly seen: SeenIndex; readonly state: StateStore; readonly limits: Limits },
): Appender {
  const { limits } = parts;
  const apply = openApply(core, parts);
  const last = new Map<string, Promise<void>>();

  async function run(commit: Commit, before: Promise<void> | undefined): Promise<void> {
    const rows = commit.page === undefined ? [] : await encodeRecords(commit.page.records);
    // Encoding takes as long as a page is large: without waiting, a small commit would overtake the one it was made after.
    await before;
    const bytes = rows.reduce((sum, row) => sum + row.body.length, 0) + (commit.seen?.length ?? 0) * bytesPerSeen;
    if (bytes > 0) await limits.makeRoom(bytes);
    await core.writer.write(() => {
      if (bytes > 0) limits.assertRoom(bytes);
      apply(commit, rows);
    }, 'append');
    core.wake.bell();
  }

  return {
    append(commit) {
      const fault = faultOf(commit);
      if (fault !== undefined) return Promise.reject(fault);
      const { source } = commit;
      const done = run(commit, last.get(source));
      // The next commit waits for this one, and whatever became of this one is told to who asked for it.
      const settled = done.then(nothing, nothing);
      last.set(source, settled);
      void settled.then(() => last.get(source) === settled && last.delete(source));
      return done;
    },
  };
}

/** What an id costs in the file, bytes: key, b-tree overhead and the half-empty pages of random inserts. */
const bytesPerSeen = 64;

function nothing(): void {}

function faultOf({ source, page, window }: Commit): PenstockError | undefined {
  const fault = (what: string): PenstockError =>
    new PenstockError('PEN_INTERNAL', `a commit ${what}`, { where: `source ${source}`, fix: 'report this with the log' });
  if (window === undefined) return undefined;
  if (window.fetched !== window.new + window.duplicate + window.excluded) {
    return fault(
      `counts ${window.fetched} fetched, but ${window.new} new, ${window.duplicate} duplicate and ${window.excluded} excluded`,
    );
  }
  const stored = page?.records.length ?? 0;
  return window.new === stored ? undefined : fault(`counts ${window.new} new, but its page holds ${stored}`);
}

function openApply(core: Core, { seen, state }: { readonly seen: SeenIndex; readonly state: StateStore }) {
  const addPage = openAddPage(core);
  const addWindow = openAddWindow(core);
  return (commit: Commit, rows: readonly EncodedPage[]): void => {
    const source = core.names.ensureSource(commit.source);
    if (commit.page !== undefined) addPage(source, commit.page, rows);
    if (commit.window !== undefined) addWindow(source, commit.window);
    else if (rows.length > 0)
      addWindow.count(source, { fetched: commit.page?.records.length ?? 0, new: commit.page?.records.length ?? 0 });
    if (commit.seen !== undefined) seen.remember(source, commit.seen);
    if (commit.checkpoint !== undefined) state.putCheckpoint(source, commit.checkpoint.name, commit.checkpoint.value);
    for (const [name, value] of Object.entries(commit.notes ?? {})) state.putNote(source, name, value);
  };
}

const pageColumns =
  'source, kind, first, count, received, received_last, min_time, max_time, connector_name, connector_hash, tenant, labels, raw_bytes, crc, body';

function openAddPage({ db }: Core) {
  const appended = db.prepare('SELECT appended FROM lanes WHERE source = ? AND kind = ?');
  const advance = db.prepare(
    'INSERT INTO lanes (source, kind, appended) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET appended = ?3',
  );
  const keepConnector = db.prepare('INSERT OR IGNORE INTO connectors (hash, text) VALUES (?, ?)');
  const insert = db.prepare(`INSERT INTO pages (${pageColumns}) VALUES (${pageColumns.replace(/\w+/g, ':$&')})`);
  return (source: number, page: NewPage, rows: readonly EncodedPage[]): void => {
    checkPage(page);
    const { hash, text } = page.connector;
    const kind = kindNumber(page.lane);
    const said = {
      connector_name: page.connector.name,
      connector_hash: hash,
      tenant: page.tenant ?? null,
      labels: JSON.stringify(page.labels),
    };
    let end = one<{ appended: number }>(appended, source, kind)?.appended ?? 0;
    keepConnector.run(hash, text);
    for (const { count, received, receivedLast, rawBytes, body } of rows) {
      const facts = { source, kind, first: end + 1, count, ...said, raw_bytes: rawBytes };
      const times = { received, received_last: receivedLast, min_time: page.minTime, max_time: page.maxTime };
      insert.run({ ...facts, ...times, crc: pageChecksum(facts, body), body });
      end += count;
    }
    advance.run(source, kind, end);
  };
}

type Counted = Partial<Pick<WindowDelta, (typeof countNames)[number]>>;

const countNames = ['fetched', 'new', 'duplicate', 'excluded', 'unreadable', 'id_conflict'] as const;

function openAddWindow({ db, clock }: Core) {
  const add = db.prepare(
    `UPDATE sources SET ${countNames.map((name) => `${name} = ${name} + :${name}`).join(', ')} WHERE id = :source`,
  );
  const upsert = db.prepare(
    `INSERT INTO windows (source, key, kind, from_time, to_time, ${countNames.join(', ')}, complete, updated)
     VALUES (:source, :key, :kind, :from, :to, ${countNames.map((name) => `:${name}`).join(', ')}, :complete, :updated) ON CONFLICT DO UPDATE SET
     from_time = :from, to_time = :to, ${countNames.map((name) => `${name} = ${name} + :${name}`).join(', ')}, complete = max(complete, :complete), updated = :updated`,
  );
  const count = (source: number, delta: Counted): void => {
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
    });
  };
  return Object.assign(window, { count });
}

function countsOf({ fetched = 0, new: fresh = 0, duplicate = 0, excluded = 0, unreadable = 0, id_conflict = 0 }: Counted) {
  return { fetched, new: fresh, duplicate, excluded, unreadable, id_conflict };
}
