import { chmod, copyFile, link, mkdir, open, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { backupJournal, checkJournal, openJournal, repairJournal } from '../../src/journal/index.ts';
import { openDatabase, pragma } from '../../src/journal/sqlite/file/database.ts';
import { journalPaths } from '../../src/journal/sqlite/file/directory.ts';
import { takeLock } from '../../src/journal/sqlite/file/lock.ts';
import { applicationId, migrations, schemaVersion } from '../../src/journal/sqlite/file/schema.ts';
import { collectingLog } from '../collect/fixture.ts';
import { fewOrMany } from '../thorough.ts';
import { virtualClock } from '../virtual-clock.ts';
import { commitOf, journalOptions, sink, someRecords, source, temporaryDirectory, temporaryJournal } from './fixture.ts';

async function filledDirectory(records = 2000): Promise<string> {
  const dataDir = await temporaryDirectory();
  await using journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('s')], [sink('a')]);
  for (let page = 0; page < records / 100; page++) await journal.append(commitOf('s', someRecords(100, { prefix: `p${page}-` })));
  return dataDir;
}

it('syncs every commit, in WAL, with space that can be given back', async () => {
  const db = openDatabase(join(await temporaryDirectory(), 'any.db'));

  const settings = ['journal_mode', 'synchronous', 'auto_vacuum'].map((name) => pragma(db, name));
  db.close();

  expect(settings).toEqual(['wal', 2, 2]);
});

it('keeps its directory and files from other users', async () => {
  const dataDir = join(await temporaryDirectory(), 'data');
  await using _journal = await openJournal(journalOptions(dataDir));

  const modes = await Promise.all(
    ['', 'journal.db', 'journal.lock', 'journal.holder'].map(async (name) => (await stat(join(dataDir, name))).mode & 0o777),
  );

  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
});

const ourNames = [
  ...['journal.db', 'journal.lock', 'credentials.db'].flatMap((name) =>
    ['', '-wal', '-shm', '-journal'].map((suffix) => name + suffix),
  ),
  'journal.holder',
  'journal.ballast',
];

it.each(ourNames)('neither follows nor fills a link that somebody left as %s', async (name) => {
  const folder = await temporaryDirectory();
  const dataDir = join(folder, 'data');
  const victim = join(folder, 'victim');
  await mkdir(dataDir, { mode: 0o777 });
  await chmod(dataDir, 0o777);
  await writeFile(victim, 'precious');

  await symlink(victim, join(dataDir, name));
  const bySymlink = await openJournal(journalOptions(dataDir)).catch((error: unknown) => error);
  await rm(join(dataDir, name));
  await link(victim, join(dataDir, name));
  const byHardLink = await openJournal(journalOptions(dataDir)).catch((error: unknown) => error);

  expect([bySymlink, byHardLink]).toEqual([
    expect.objectContaining({ code: 'PEN_DATA_DIR_UNSAFE', message: 'the file is a symbolic link; it is not used' }),
    expect.objectContaining({ message: 'the file is a hard link: the same file has 2 names; it is not used' }),
  ]);
  expect(await readFile(victim, 'utf8')).toBe('precious');
});

it('closes its files again that a volume opened to its group, and its directory, and logs that', async () => {
  const dataDir = await filledDirectory();
  for (const name of ['journal.db', 'journal.lock']) await chmod(join(dataDir, name), 0o660);
  await chmod(dataDir, 0o2770);
  const lines: unknown[] = [];
  const log = openLog('warn', { write: (line: string) => void lines.push(JSON.parse(line)) }, createSecrets());

  await using _journal = await openJournal(journalOptions(dataDir, { log }));

  const modes = await Promise.all(
    ['', 'journal.db', 'journal.lock'].map(async (name) => ((await stat(join(dataDir, name))).mode & 0o777).toString(8)),
  );
  expect(modes).toEqual(['750', '600', '600']);
  expect(lines).toContainEqual(
    expect.objectContaining({ msg: 'others could write to data_dir (mode 2770): its mode is now 2750' }),
  );
});

it('lets only one daemon have a directory, and names the other', async () => {
  const dataDir = await temporaryDirectory();
  await using _first = await openJournal(journalOptions(dataDir));

  const second = openJournal(journalOptions(dataDir));

  await expect(second).rejects.toMatchObject({
    code: 'PEN_JOURNAL_LOCKED',
    message: expect.stringContaining(`process ${process.pid}`),
  });
});

it('says after a second that another daemon has the lock, and nothing of that where opening itself takes long', async () => {
  const dataDir = await temporaryDirectory();
  const clock = virtualClock(0);
  const { log, lines } = collectingLog();
  const lock = (waitMs: number): Promise<AsyncDisposable> =>
    takeLock(journalPaths(dataDir), { clock, files: systemSeams().files, waitMs, log });
  const first = await lock(0);
  await clock.advance(60_000);
  const alone = [...lines];

  const second = lock(60_000);
  // It has looked, and waits: the timer of its word and that of its next look.
  await expect.poll(() => clock.pending, { interval: 1 }).toBe(2);
  await clock.advance(900);
  const early = [...lines];
  await clock.advance(5000);
  await first[Symbol.asyncDispose]();
  await using _second = await clock.until(second);

  expect([alone, early]).toEqual([[], []]);
  expect(lines).toMatchObject([{ msg: 'waiting for another daemon to release the journal', data_dir: dataDir, waitMs: 60_000 }]);
});

it('waits for the lock until the other lets go', async () => {
  const dataDir = await temporaryDirectory();
  const first = await openJournal(journalOptions(dataDir));

  const second = openJournal(journalOptions(dataDir, { lockWaitMs: 10_000 }));
  await first[Symbol.asyncDispose]();

  await using journal = await second;
  expect(journal.hasRoom()).toBe(true);
});

it('opens shared beside the holder, and each sees what the other writes', async () => {
  const dataDir = await temporaryDirectory();
  await using daemon = await openJournal(journalOptions(dataDir));
  await using command = await openJournal(journalOptions(dataDir, { role: 'observer' }));
  await daemon.register([source('s')], [sink('a')]);
  await daemon.append(commitOf('s', someRecords(2)));
  const woken = daemon.changed(AbortSignal.timeout(60_000));

  const job = await command.insertJob('replay', { sink: 'a' });
  await woken;

  expect(await daemon.jobs({ states: ['queued'] })).toEqual([job]);
  expect((await command.ledger()).rows[0]?.totals.pending).toBe(2);
});

it.each([
  { what: 'opened shared', ask: (dataDir: string) => openJournal(journalOptions(dataDir, { role: 'observer' })) },
  { what: 'checked', ask: (dataDir: string) => checkJournal(dataDir) },
  { what: 'backed up', ask: (dataDir: string) => backupJournal(dataDir, join(dataDir, 'copy.db')) },
  { what: 'repaired', ask: (dataDir: string) => repairJournal(dataDir, { seams: systemSeams() }) },
])('says that there is no journal yet, or where it went, when it is $what', async ({ ask }) => {
  const [empty, moved] = [await temporaryDirectory(), await temporaryDirectory()];
  await writeFile(join(moved, 'journal.db.moved'), '');

  await expect(ask(empty)).rejects.toMatchObject({
    code: 'PEN_NOT_FOUND',
    message: 'there is no journal yet',
    fix: 'start the daemon once with "penstock run"',
  });
  await expect(ask(moved)).rejects.toMatchObject({ code: 'PEN_JOURNAL_FOREIGN' });
  expect([await readdir(empty), await readdir(moved)]).toEqual([[], ['journal.db.moved']]);
});

it.each([
  { what: 'bytes that are no database', code: 'PEN_JOURNAL_CORRUPT', content: Buffer.alloc(8192, 7) },
  { what: 'an empty file', code: 'PEN_JOURNAL_CORRUPT', content: Buffer.alloc(0) },
])('refuses $what', async ({ code, content }) => {
  const dataDir = await temporaryDirectory();
  await writeFile(join(dataDir, 'journal.db'), content);

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({ code });
});

it("refuses another program's database and leaves it alone", async () => {
  const dataDir = await temporaryDirectory();
  const path = join(dataDir, 'journal.db');
  const other = new DatabaseSync(path);
  other.exec('CREATE TABLE theirs (a)');
  other.close();

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({ code: 'PEN_JOURNAL_FOREIGN' });

  const again = new DatabaseSync(path);
  const tables = again.prepare('SELECT name FROM sqlite_schema').all();
  again.close();
  expect(tables).toMatchObject([{ name: 'theirs' }]);
});

it('refuses the journal of a newer version', async () => {
  const dataDir = await filledDirectory(100);
  const db = new DatabaseSync(join(dataDir, 'journal.db'));
  db.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
  db.close();

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({
    code: 'PEN_JOURNAL_FOREIGN',
    message: expect.stringContaining('newer'),
  });
});

it('refuses a truncated journal', async () => {
  const dataDir = await filledDirectory();
  const path = join(dataDir, 'journal.db');
  await truncate(path, Math.floor((await stat(path)).size / 2));

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({
    code: 'PEN_JOURNAL_CORRUPT',
    fix: expect.stringContaining('journal repair'),
  });
});

it('either finds a flipped byte before anything is polled or is not harmed by it', async () => {
  const dataDir = await filledDirectory(500);
  const original = await readFile(join(dataDir, 'journal.db'));
  let refused = 0;
  for (let at = 50; at < original.length; at += fewOrMany(2999, 1511)) {
    const copy = await temporaryDirectory();
    await copyFile(join(dataDir, 'journal.db'), join(copy, 'journal.db'));
    await flip(join(copy, 'journal.db'), at, original[at] ?? 0);

    const outcome = await openAndRead(copy);

    if (outcome === 'refused') refused++;
    else
      expect(outcome).toEqual(Array.from({ length: 500 }, (_none, index) => `p${Math.floor(index / 100)}-${(index % 100) + 1}`));
  }
  expect(refused).toBeGreaterThan(fewOrMany(1, 3));
});

async function flip(path: string, at: number, was: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.from([was ^ 0xff]), 0, 1, at);
  await file.close();
}

async function openAndRead(dataDir: string): Promise<'refused' | string[]> {
  try {
    await using journal = await openJournal(journalOptions(dataDir));
    const [lane] = await journal.lanes('a');
    if (lane === undefined) return [];
    const pages = await journal.read('a', lane.lane, lane.offset, 10_000);
    return pages.flatMap(({ records }) => records.map(({ uid }) => uid));
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^PEN_JOURNAL_(CORRUPT|FOREIGN)$/) });
    return 'refused';
  }
}

it('brings the shape of version 1 up to date and keeps what is in it', async () => {
  const dataDir = await temporaryDirectory();
  const db = openDatabase(join(dataDir, 'journal.db'));
  db.exec(`${migrations[0]}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1`);
  db.exec("INSERT INTO jobs (kind, args, state, progress, created) VALUES ('backfill', '{}', 'queued', 'null', 5)");
  db.close();

  await using journal = await openJournal(journalOptions(dataDir));

  expect(await journal.jobs()).toMatchObject([{ id: 1, kind: 'backfill', state: 'queued', created: 5 }]);
  expect((await journal.ledger()).skipped).toEqual([]);
});

it('asks for the daemon when a shared opening finds an older shape', async () => {
  const dataDir = await temporaryDirectory();
  const db = openDatabase(join(dataDir, 'journal.db'));
  db.exec(`${migrations[0]}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1`);
  db.close();

  await expect(openJournal(journalOptions(dataDir, { role: 'observer' }))).rejects.toMatchObject({ code: 'PEN_JOURNAL_FOREIGN' });
});

it.each([
  { name: 'NFS', type: 0x6969 },
  { name: 'CIFS', type: 0xff534d42 },
])('refuses $name', async ({ name, type }) => {
  const seams = systemSeams();
  const files = { ...seams.files, statfs: (async () => ({ type })) as unknown as typeof seams.files.statfs };

  const opened = openJournal(journalOptions(await temporaryDirectory(), { seams: { ...seams, files } }));

  await expect(opened).rejects.toMatchObject({ code: 'PEN_JOURNAL_UNWRITABLE', message: expect.stringContaining(name) });
});

it('refuses a data_dir that is a file', async () => {
  const path = join(await temporaryDirectory(), 'file');
  await writeFile(path, '');

  await expect(openJournal(journalOptions(path))).rejects.toMatchObject({ code: 'PEN_JOURNAL_UNWRITABLE' });
});

it.skipIf(process.getuid?.() === 0)('refuses a directory without write access', async () => {
  const dataDir = await temporaryDirectory();
  await chmod(dataDir, 0o500);

  await expect(openJournal(journalOptions(dataDir))).rejects.toMatchObject({ code: 'PEN_JOURNAL_UNWRITABLE' });
});

it('forgets jobs that ended a thousand jobs ago, and none that waits', async () => {
  await using journal = await temporaryJournal();
  const [waiting, ended] = [await journal.insertJob('replay', {}), await journal.insertJob('replay', {})];
  await journal.updateJob(ended.id, { state: 'done' });

  const others = await Promise.all(Array.from({ length: 1_000 }, () => journal.insertJob('reload', {})));

  expect((await journal.jobs()).map(({ id }) => id)).toEqual([waiting.id, ...others.map(({ id }) => id)]);
});
