import { execFileSync } from 'node:child_process';
import { copyFile, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openLog } from '../../src/base/log.ts';
import { type Files, systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { isBalanced } from '../../src/journal/counts.ts';
import { backupJournal, checkJournal, type Journal, openJournal, type Position, repairJournal } from '../../src/journal/index.ts';
import { fewOrMany } from '../thorough.ts';
import { commitOf, journalOptions, sink, someRecords, source, temporaryDirectory } from './fixture.ts';

const seams = systemSeams();

/** Ten pages of 100 records; sink `a` has settled 250, sink `b` none. */
async function filledDirectory(): Promise<string> {
  const dataDir = await temporaryDirectory();
  await using journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('s')], [sink('a'), sink('b')]);
  for (let page = 0; page < 10; page++) await journal.append(commitOf('s', someRecords(100, { prefix: `p${page}-` })));
  await journal.settle('a', { kind: 'live', source: 's' }, 250 as Position, [], { acknowledged: 250 });
  return dataDir;
}

function edit(dataDir: string, sql: string): void {
  const db = new DatabaseSync(join(dataDir, 'journal.db'));
  db.exec(sql);
  db.close();
}

async function pendingOf(journal: Journal, name: string): Promise<string[]> {
  const [lane] = await journal.lanes(name);
  if (lane === undefined) return [];
  const pages = await journal.read(name, lane.lane, lane.offset, 100_000);
  return pages.flatMap(({ records }) => records.map(({ uid }) => uid));
}

const uidsOf = (pages: readonly number[]): string[] =>
  pages.flatMap((page) => someRecords(100, { prefix: `p${page}-` }).map(({ uid }) => uid));

it('finds nothing wrong with a journal in use', async () => {
  const dataDir = await filledDirectory();
  await using _daemon = await openJournal(journalOptions(dataDir));

  const check = await checkJournal(dataDir);

  expect(check).toMatchObject({ pages: 10, records: 1000, problems: [] });
});

it('names a page whose bytes were changed, loses exactly that page, and balances', async () => {
  const dataDir = await filledDirectory();
  edit(dataDir, 'UPDATE pages SET body = zeroblob(length(body)) WHERE id = 5');

  const before = await checkJournal(dataDir);
  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({ code: 'PEN_JOURNAL_CORRUPT' });
  const repair = await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  expect(before.problems).toEqual([expect.stringContaining('page 5')]);
  expect(repair).toMatchObject({
    pages: 9,
    records: 900,
    lost: [
      { source: 's', lane: 'live', sink: 'a', records: 100 },
      { source: 's', lane: 'live', sink: 'b', records: 100 },
    ],
    notes: ['1 page could not be read', expect.stringContaining('penstock verify s --from 1970-01-01T00:00:00.000Z --to')],
  });
  expect(await pendingOf(journal, 'b')).toEqual(uidsOf([0, 1, 2, 3, 5, 6, 7, 8, 9]));
  expect(await pendingOf(journal, 'a')).toEqual(uidsOf([2, 3, 5, 6, 7, 8, 9]).slice(50));
  expect(new Set((await journal.ledger()).rows.map(isBalanced))).toEqual(new Set([true]));
  expect((await checkJournal(dataDir)).problems).toEqual([]);
  expect((await readdir(dataDir)).some((name) => name.startsWith('journal.db.damaged-'))).toBe(true);
});

describe('a repair that is killed while it puts the new file in place', () => {
  /** Killed in front of a rename, with files beside the database as a killed daemon leaves them. */
  async function killedBefore(rename: number, damage?: string): Promise<string> {
    const dataDir = await filledDirectory();
    const copy = await temporaryDirectory();
    const daemon = await openJournal(journalOptions(dataDir));
    for (const name of ['journal.db', 'journal.db-wal', 'journal.db-shm']) await copyFile(join(dataDir, name), join(copy, name));
    await daemon[Symbol.asyncDispose]();
    if (damage !== undefined) edit(copy, damage);
    let renames = 0;
    const files: Files = {
      ...seams.files,
      rename: (from, to) => {
        if (String(from).endsWith('.new')) return seams.files.rename(from, to);
        renames += 1;
        return renames > rename ? Promise.reject(new Error('killed')) : seams.files.rename(from, to);
      },
    };
    await expect(repairJournal(copy, { seams: { ...seams, files } })).rejects.toThrow('killed');
    return copy;
  }

  it.each([0, 1, 2, 3, 4])('is finished by the next start, after %i renames', async (rename) => {
    const dataDir = await killedBefore(rename);

    await using journal = await openJournal(journalOptions(dataDir));

    expect(await pendingOf(journal, 'b')).toHaveLength(1000);
    const aside = (await readdir(dataDir)).filter((name) => name.startsWith('journal.db.damaged-'));
    expect(aside).toHaveLength(rename === 0 ? 0 : 4);
  });

  it('is named to whoever only reads, who begins nothing and finishes nothing', async () => {
    const dataDir = await killedBefore(1);
    const before = await readdir(dataDir);
    const refused = { code: 'PEN_NOT_FOUND', fix: expect.stringContaining('either finishes it') as string };

    await expect(openJournal({ ...journalOptions(dataDir), role: 'observer' })).rejects.toMatchObject(refused);
    await expect(checkJournal(dataDir)).rejects.toMatchObject(refused);
    await expect(backupJournal(dataDir, join(dataDir, 'copy.db'))).rejects.toMatchObject(refused);

    expect(await readdir(dataDir)).toEqual(before);
  });

  it.each([0, 1, 3])('is finished by the next repair, after %i renames', async (rename) => {
    const dataDir = await killedBefore(rename);

    const repair = await repairJournal(dataDir, { seams });

    expect(repair).toMatchObject({ pages: 10, records: 1000, lost: [] });
    await using journal = await openJournal(journalOptions(dataDir));
    expect(await pendingOf(journal, 'b')).toHaveLength(1000);
  });

  it.each([0, 1, 2])('says in the end what was lost, after %i renames', async (rename) => {
    const dataDir = await killedBefore(rename, 'UPDATE pages SET body = zeroblob(length(body)) WHERE id = 5');

    const { lost, notes, damaged } = await repairJournal(dataDir, { seams });

    expect(lost).toHaveLength(2);
    expect(notes).toContainEqual(expect.stringContaining('penstock verify s'));
    expect(JSON.parse(await readFile(`${damaged}.json`, 'utf8'))).toMatchObject({ lost, notes, damaged });
  });

  it.each(['', '{"lost": ['])('is finished where the machine failed before what it says was on the disk: %j', async (left) => {
    const dataDir = await killedBefore(3);
    for (const name of await readdir(dataDir)) if (name.endsWith('.json')) await writeFile(join(dataDir, name), left);

    expect(await repairJournal(dataDir, { seams })).toMatchObject({ lost: [] });
    expect((await checkJournal(dataDir)).problems).toEqual([]);
  });
});

it('takes away what it wrote where the disk gets full, and says so; then it is tried again', async () => {
  const dataDir = await filledDirectory();
  edit(dataDir, 'UPDATE pages SET body = zeroblob(length(body)) WHERE id = 5');
  const before = await readdir(dataDir);
  const files: Files = {
    ...seams.files,
    open: async (path, ...rest) => {
      if (String(path).endsWith('.json')) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      return seams.files.open(path, ...rest);
    },
  };

  await expect(repairJournal(dataDir, { seams: { ...seams, files } })).rejects.toThrow('no space left');

  const left = (await readdir(dataDir)).filter((name) => !/-(wal|shm)$/.test(name));
  expect(left.sort()).toEqual(before.sort());
  expect(await repairJournal(dataDir, { seams })).toMatchObject({ pages: 9 });
});

it('names the folder where nothing can be written, and what to do', async () => {
  const dataDir = await filledDirectory();
  const refused = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
  const files: Files = { ...seams.files, open: () => Promise.reject(refused) };

  const repair = repairJournal(dataDir, { seams: { ...seams, files } });

  await expect(repair).rejects.toMatchObject({
    code: 'PEN_JOURNAL_UNWRITABLE',
    where: dataDir,
    fix: expect.stringContaining('data_dir'),
  });
});

it.each([
  ['in a folder that is not there', (folder: string) => join(folder, 'none', 'copy.db')],
  ['in what is no folder', () => '/dev/full/copy.db'],
])('says that a copy cannot be written, and not that the journal cannot, %s', async (_where, place) => {
  const to = place(await temporaryDirectory());

  const backup = backupJournal(await filledDirectory(), to);

  await expect(backup).rejects.toMatchObject({
    code: 'PEN_OPERATION_FAILED',
    where: to,
    fix: expect.stringContaining('a folder that can be written'),
  });
});

it('forgets the ids of lost records, so that collecting them again brings them back, and no others', async () => {
  const dataDir = await temporaryDirectory();
  const uid = (n: number): string => n.toString(16).padStart(32, '0');
  const seenAs = (n: number) => ({ day: 1, id: uid(n), fingerprint: '0'.repeat(16) });
  const first = await openJournal(journalOptions(dataDir));
  await first.register([source('s'), source('whole')], [sink('a')]);
  for (const name of ['s', 'whole'])
    for (const n of [1, 2])
      await first.append({ ...commitOf(name, [{ uid: uid(n), received: 1, record: { n } }]), seen: [seenAs(n)] });
  await first[Symbol.asyncDispose]();
  edit(dataDir, 'UPDATE pages SET body = zeroblob(length(body)) WHERE id = 1');

  await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  const known = await Promise.all(['s', 'whole'].map((name) => journal.seen(name, [seenAs(1), seenAs(2)])));
  expect(known.map((entries) => entries.map(({ length }) => length))).toEqual([
    [0, 1],
    [1, 1],
  ]);
});

it('saves what a truncated file still holds', async () => {
  const dataDir = await temporaryDirectory();
  const first = await openJournal(journalOptions(dataDir));
  await first.register([source('s')], [sink('a')]);
  for (let page = 0; page < 200; page++)
    await first.append(commitOf('s', someRecords(100, { prefix: `p${page}-${Math.random()}` })));
  await first[Symbol.asyncDispose]();
  const path = join(dataDir, 'journal.db');
  await truncate(path, Math.floor((await stat(path)).size * 0.9));

  const repair = await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  expect(repair.records).toBeGreaterThan(10_000);
  expect(repair.records + (repair.lost[0]?.records ?? 0)).toBe(20_000);
  expect(await pendingOf(journal, 'a')).toHaveLength(repair.records);
  expect(new Set((await journal.ledger()).rows.map(isBalanced))).toEqual(new Set([true]));
});

it('saves the rows of a table on both sides of a damaged place', async () => {
  const dataDir = await temporaryDirectory();
  const first = await openJournal(journalOptions(dataDir));
  const ids: number[] = [];
  for (let job = 0; job < 60; job++) ids.push((await first.insertJob('replay', { note: `job-${job} `.padEnd(600, '.') })).id);
  await first[Symbol.asyncDispose]();
  const path = join(dataDir, 'journal.db');
  const bytes = await readFile(path);
  const pageBytes = 4096;
  const damaged = Math.floor(bytes.indexOf('job-30 ') / pageBytes) * pageBytes;
  await writeFile(path, bytes.fill(0xff, damaged, damaged + pageBytes));

  const { notes } = await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  const kept = (await journal.jobs({})).map(({ id }) => id).sort((a, b) => a - b);
  expect(notes).toContainEqual(expect.stringContaining('part of the table "jobs" could not be read'));
  expect([kept.at(0), kept.at(-1)]).toEqual([ids.at(0), ids.at(-1)]);
  // A page holds six of them.
  expect(kept.length).toBeGreaterThanOrEqual(ids.length - 7);
  expect(kept.length).toBeLessThan(ids.length);
});

it('begins anew, and says so, when nothing can be read', async () => {
  const dataDir = await temporaryDirectory();
  await writeFile(join(dataDir, 'journal.db'), Buffer.alloc(8192, 1));

  const repair = await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  expect(repair).toMatchObject({ records: 0, notes: [expect.stringContaining('nothing could be read')] });
  expect(journal.usage().pages).toBe(0);
});

it('drops a damaged cursor and says how to fill the gap', async () => {
  const dataDir = await filledDirectory();
  edit(dataDir, `UPDATE checkpoints SET value = '{"after":"p9-999"}'; UPDATE windows SET complete = 1`);

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({ code: 'PEN_JOURNAL_CORRUPT' });
  const repair = await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  expect(repair.notes).toEqual([expect.stringContaining('penstock backfill s --from 1970-01-01T00:00:01.000Z')]);
  expect(await journal.checkpoint('s', 'live')).toBeUndefined();
});

it('does not repair under a running daemon', async () => {
  const dataDir = await filledDirectory();
  await using _daemon = await openJournal(journalOptions(dataDir));

  await expect(repairJournal(dataDir, { seams, lockWaitMs: 0 })).rejects.toMatchObject({ code: 'PEN_JOURNAL_LOCKED' });
});

it('never ends worse than it began, wherever a byte was flipped', async () => {
  const dataDir = await filledDirectory();
  const original = await readFile(join(dataDir, 'journal.db'));
  for (let at = 4096; at < original.length; at += fewOrMany(19_997, 4999)) {
    const copy = await temporaryDirectory();
    await writeFile(join(copy, 'journal.db'), original);
    const file = await open(join(copy, 'journal.db'), 'r+');
    await file.write(Buffer.from([(original[at] ?? 0) ^ 0xff]), 0, 1, at);
    await file.close();

    const repair = await repairJournal(copy, { seams });

    await using journal = await openJournal(journalOptions(copy, { maxBytes: 8 * 1024 * 1024 }));
    expect(new Set((await journal.ledger()).rows.map(isBalanced))).toEqual(new Set([true]));
    expect(repair.records).toBeGreaterThanOrEqual(0);
    expect((await checkJournal(copy)).problems).toEqual([]);
  }
});

it('backs up a journal at one moment while the daemon writes', async () => {
  const dataDir = await filledDirectory();
  const to = join(await temporaryDirectory(), 'backup.db');
  await using daemon = await openJournal(journalOptions(dataDir));

  const [backup] = await Promise.all([
    backupJournal(dataDir, to),
    ...Array.from({ length: 20 }, (_none, page) => daemon.append(commitOf('s', someRecords(100, { prefix: `late${page}-` })))),
  ]);

  const restored = await temporaryDirectory();
  execFileSync('cp', [to, join(restored, 'journal.db')]);
  await using journal = await openJournal(journalOptions(restored));
  expect((await stat(to)).mode & 0o777).toBe(0o600);
  expect(backup.bytes).toBe((await stat(to)).size);
  expect((await checkJournal(restored)).problems).toEqual([]);
  expect((await pendingOf(journal, 'b')).slice(0, 1000)).toEqual(uidsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  await expect(backupJournal(dataDir, to)).rejects.toMatchObject({ code: 'PEN_OPERATION_FAILED' });
});

it('keeps the cursor of a source whose table is lost, under a name that can be changed', async () => {
  const dataDir = await temporaryDirectory();
  const path = join(dataDir, 'journal.db');
  const first = await openJournal(journalOptions(dataDir));
  await first.register([source('s')], [sink('a')]);
  await first.append(commitOf('s', someRecords(2)));
  await first.settle('a', { kind: 'live', source: 's' }, 2 as Position, [], { acknowledged: 2 });
  await first[Symbol.asyncDispose]();
  const db = new DatabaseSync(path, { defensive: false });
  db.exec(
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER', 'INTEGRE') WHERE name = 'sources'",
  );
  db.close();

  const { notes } = await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  await journal.renameSource('recovered-1', 's');
  expect(notes).toContainEqual(expect.stringContaining('the table "sources" could not be found: names that are missing'));
  expect(await journal.checkpoint('s', 'live')).toEqual({ after: 'r2' });
  expect((await journal.ledger()).rows).toMatchObject([{ source: 's', new: 2, totals: { acknowledged: 2, pending: 0 } }]);
});

describe('counts that disagree while no record is at risk', () => {
  it.each([
    { what: 'too few acknowledged', sql: 'UPDATE totals SET acknowledged = acknowledged - 7', says: '7 too few' },
    { what: 'too many acknowledged', sql: 'UPDATE totals SET acknowledged = acknowledged + 7', says: '7 too many' },
    {
      what: 'dead letters that are counted and gone',
      sql: 'UPDATE totals SET dead_lettered = 7, acknowledged = acknowledged - 7',
      says: '0 are there: 7 counted as abandoned',
    },
    {
      what: 'a count below zero, which hides others',
      sql: 'UPDATE totals SET discarded = -7, acknowledged = acknowledged + 7',
      says: 'as discarded: set to 0',
    },
    {
      what: 'a source that counted fewer new records',
      sql: 'UPDATE sources SET new = new - 7',
      says: '993 new; it has 1000 and 1000',
    },
    {
      what: 'a source whose fetched records do not add up',
      sql: 'UPDATE sources SET fetched = fetched + 7',
      says: '1007 records fetched',
    },
    {
      what: 'a lane that is counted shorter than it is stored',
      sql: 'UPDATE lanes SET appended = appended - 100',
      says: 'up to 1000',
    },
  ])('are set right at the start, logged, and shown: $what', async ({ sql, says }) => {
    const dataDir = await filledDirectory();
    edit(dataDir, sql);
    const found = (await checkJournal(dataDir)).problems;
    const lines: string[] = [];
    const log = openLog('error', { write: (line: string) => void lines.push(line) }, createSecrets());

    await using journal = await openJournal(journalOptions(dataDir, { log }));

    expect(found).not.toEqual([]);
    expect(journal.usage().corrections.map(({ what }) => what)).toEqual(expect.arrayContaining([expect.stringContaining(says)]));
    expect(lines.join('')).toContain(says);
    expect((await journal.ledger()).rows.filter((row) => !isBalanced(row))).toEqual([]);
    expect(await pendingOf(journal, 'b')).toEqual(uidsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect((await checkJournal(dataDir)).problems).toEqual([]);
  });

  it('are none where the pages of settled records are gone, whichever', async () => {
    const dataDir = await filledDirectory();
    const settled = await settledBy(dataDir, ['a', 'b']);
    await settled[Symbol.asyncDispose]();
    edit(dataDir, 'DELETE FROM pages WHERE id IN (3, 9, 10)');

    await using journal = await openJournal(journalOptions(dataDir));

    expect(journal.usage()).toMatchObject({ pages: 7, corrections: [] });
  });
});

it.each([
  { what: 'an offset that was changed', sql: 'UPDATE offsets SET position = position + 1', says: 'is damaged' },
  { what: 'pending records that no page holds', sql: 'DELETE FROM pages WHERE id = 7', says: 'records 601 and after' },
  { what: 'the last pending records gone', sql: 'DELETE FROM pages WHERE id = 10', says: 'records 901 and after' },
])('refuses to start with records at risk: $what', async ({ sql, says }) => {
  const dataDir = await filledDirectory();
  edit(dataDir, sql);

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({
    code: 'PEN_JOURNAL_CORRUPT',
    message: expect.stringContaining(says),
  });
});

/** The journal of a directory after sinks settled everything. */
async function settledBy(dataDir: string, names: readonly string[]): Promise<Journal> {
  const journal = await openJournal(journalOptions(dataDir));
  for (const name of names) {
    const [lane] = await journal.lanes(name);
    if (lane !== undefined) await journal.settle(name, lane.lane, 1000 as Position, [], { acknowledged: lane.pending });
  }
  return journal;
}

it('gives no number of a job or letter a second time after a repair, also where the last of them is gone', async () => {
  const dataDir = await filledDirectory();
  const before = await openJournal(journalOptions(dataDir));
  const ids = [await before.insertJob('replay', {}), await before.insertJob('replay', {})].map(({ id }) => id);
  await before[Symbol.asyncDispose]();
  edit(dataDir, 'DELETE FROM jobs');

  await repairJournal(dataDir, { seams });

  await using journal = await openJournal(journalOptions(dataDir));
  expect(await journal.jobs({})).toEqual([]);
  expect((await journal.insertJob('replay', {})).id).toBeGreaterThan(Math.max(...ids));
});
