import { execFileSync } from 'node:child_process';
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type Journal, type Lane, openJournal, type Position, type StoredPage } from '../../src/journal/index.ts';
import { moveToDatabase, moveToFile } from '../../src/journal/move/move.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { virtualClock } from '../virtual-clock.ts';
import {
  commitOf,
  journalOptions,
  letterOf,
  plain,
  sink,
  smallDisk,
  someRecords,
  source,
  temporaryDirectory,
} from './fixture.ts';
import { postgresEngine } from './places.ts';

const lane = (kind: 'live' | 'backfill', name: string): Lane => ({ kind, source: name });
const seen = Array.from({ length: 40 }, (_none, index) => ({
  day: index < 3 ? 0 : 20_000 + (index % 2),
  id: index.toString(16).padStart(32, 'f'),
  fingerprint: (index % 5).toString(16).padStart(16, index % 2 === 0 ? 'f' : '0'),
}));

/** Some of everything that a journal keeps, with gaps in its ids. */
async function fill(journal: Journal): Promise<void> {
  await journal.register([source('s', { org: '1' }), source('t')], [sink('a'), sink('b', 'now', 'skip')]);
  await journal.append({ ...commitOf('s', someRecords(5000)), seen, notes: { lateness: [1, { '\u0000': 2 }] } });
  await journal.append(commitOf('s', someRecords(7, { prefix: 'back' }), { lane: 'backfill' }));
  await journal.append(commitOf('t', someRecords(3, { prefix: 't' })));
  const [one, two] = someRecords(2);
  if (one === undefined || two === undefined) throw new Error('no records');
  await journal.settle('a', lane('live', 's'), 4 as Position, [letterOf(one), letterOf(two, { code: '413' })], {
    acknowledged: 2,
  });
  await journal.discardDeadLetters({ code: '413' });
  const { id } = await journal.insertJob('replay', { from: 1 }, '0b4b6f0e-9d5c-4f57-8a55-5d1a6a1d2c11');
  await journal.openReplay(id, 'a', { kind: 'stored' });
  await journal.setHold('sink', 'a', { since: 1, reason: 'token', fix: 'renew' });
}

const wholeOf = (pages: readonly StoredPage[]) => pages.map((page) => ({ ...page, records: page.records.map(plain) }));

/** All that somebody who works with a journal sees of it. */
async function seenOf(journal: Journal) {
  await journal.register([source('s', { org: '1' }), source('t')], [sink('a'), sink('b', 'now', 'skip')]);
  const lanes = (await Promise.all(['a', 'b'].map((name) => journal.lanes(name)))).flat();
  const pages = await Promise.all(lanes.map(({ lane: of, offset }) => journal.read('a', of, offset, 100_000)));
  const byLane = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return {
    ledger: await journal.ledger(),
    lanes: lanes.sort(byLane),
    pages: wholeOf(pages.flat().sort((a, b) => byLane([a.source, a.positions[0]], [b.source, b.positions[0]]))),
    letters: await journal.deadLetters({}, 10),
    jobs: await journal.jobs(),
    holds: await journal.holds(),
    seen: await journal.seen('s', seen),
    notes: [await journal.note('s', 'lateness'), await journal.checkpoint('s', 'live'), await journal.connectorText('c0ffee')],
    windows: await journal.windows('s', 0, 10_000),
  };
}

async function prepared() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const engine = postgresEngine(url, schema);
  const dataDir = await temporaryDirectory();
  await using journal = await openJournal(journalOptions(dataDir));
  await fill(journal);
  const options = { engine, seams: systemSeams(), log: silentLog() };
  const open = async (where: typeof engine | { kind: 'sqlite'; dataDir: string }, seams = systemSeams()) =>
    openJournal({ ...journalOptions(''), engine: where, lockWaitMs: 20_000, seams });
  const sql = (text: string) => onServer(url, async (client) => void (await client.query(text.replaceAll('{s}', schema))));
  const before = await seenOf(journal);
  return { dataDir, engine, options, open, sql, before };
}

describe.runIf(hasPostgres())('a journal that is moved', () => {
  it('is the same in the database, and the same again back in a file', async () => {
    const { dataDir, engine, options, open, before } = await prepared();

    const told: (readonly [string, number, number])[] = [];
    const onProgress = {
      copied: (...pages: [number, number]) => void told.push(['copied', ...pages]),
      read: (...pages: [number, number]) => void told.push(['read', ...pages]),
    };

    const moved = await moveToDatabase({ dataDir, ...options, onProgress });
    const there = await open(engine);
    const inDatabase = await seenOf(there);
    await there.append(commitOf('t', someRecords(2, { prefix: 'later' })));
    await there.append({ ...commitOf('s', []), page: undefined, window: undefined, seen: seen.slice(0, 1) });
    await there[Symbol.asyncDispose]();
    const back = await temporaryDirectory();
    await moveToFile({ dataDir: back, ...options, onProgress });
    await using here = await open({ kind: 'sqlite', dataDir: back });

    expect(inDatabase).toEqual(before);
    expect(moved).toContainEqual({ table: 'pages', rows: 5 });
    expect(told).toEqual([
      ['copied', 5, 5],
      ['read', 5, 5],
      ['copied', 6, 6],
    ]);
    expect(moved).toContainEqual({ table: 'seen', rows: 40 });
    const later = await seenOf(here);
    expect(later).toMatchObject({ letters: before.letters, jobs: before.jobs, seen: before.seen, holds: before.holds });
    expect(later.ledger.sources['t']).toMatchObject({ new: 5 });
  });

  it('goes on with ids above those that were ever given', async () => {
    const { dataDir, engine, options, open } = await prepared();
    await moveToDatabase({ dataDir, ...options });
    await using journal = await open(engine);
    await journal.register([source('s', { org: '1' }), source('t')], [sink('a'), sink('b', 'now', 'skip')]);
    const [, , record] = someRecords(3);
    if (record === undefined) throw new Error('no record');

    const job = await journal.insertJob('verify', {});
    await journal.settle('a', lane('live', 's'), 5 as Position, [letterOf(record)], {});

    expect(job.id).toBe(2);
    // Letter 2 was discarded before the move.
    expect((await journal.deadLetters({}, 10)).map(({ id }) => id)).toEqual([1, 3]);
  });

  it('cannot be used where it was, nor before it is whole', async () => {
    const { dataDir, engine, options, open, sql } = await prepared();
    await moveToDatabase({ dataDir, ...options });

    const old = open({ kind: 'sqlite', dataDir });
    await expect(old).rejects.toMatchObject({ code: 'PEN_JOURNAL_FOREIGN' });
    expect((await stat(join(dataDir, 'journal.db.moved'))).size).toBeGreaterThan(0);
    await sql("UPDATE {s}.meta SET moved = 'unfinished'");
    await expect(open(engine)).rejects.toMatchObject({ code: 'PEN_JOURNAL_FOREIGN' });
  });

  it('is copied anew where an earlier move was cut off, and finished where only its last step was missing', async () => {
    const { dataDir, engine, options, open, sql, before } = await prepared();
    const first = await open(engine);
    await fill(first);
    await first[Symbol.asyncDispose]();
    await sql("UPDATE {s}.meta SET moved = 'unfinished'");

    await moveToDatabase({ dataDir, ...options });
    await sql("UPDATE {s}.meta SET moved = 'filled'");
    await moveToDatabase({ dataDir, ...options });

    await using journal = await open(engine);
    expect(await seenOf(journal)).toEqual(before);
  });

  it('is copied anew into a schema that belongs to somebody else', async () => {
    const { dataDir, engine, options, open, sql, before } = await prepared();
    const role = `role_${engine.schema}`;
    await sql(`CREATE ROLE ${role} LOGIN; CREATE SCHEMA {s}; GRANT USAGE, CREATE ON SCHEMA {s} TO ${role}`);
    onTestFinished(() => sql(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`));
    const poor = { ...engine, url: engine.url.replace('//penstock@', `//${role}@`) };
    const first = await open(poor);
    await fill(first);
    await first[Symbol.asyncDispose]();
    await sql("UPDATE {s}.meta SET moved = 'unfinished'");

    await moveToDatabase({ dataDir, ...options, engine: poor });

    await using journal = await open(poor);
    expect(await seenOf(journal)).toEqual(before);
  });

  it('that was cut off while it was copied into a file is in use again where that fails, and may go elsewhere', async () => {
    const { dataDir, engine, options, open, sql, before } = await prepared();
    await moveToDatabase({ dataDir, ...options });
    await sql("UPDATE {s}.meta SET moved = 'leaving'");
    await expect(open(engine)).rejects.toMatchObject({
      message: expect.stringContaining('away from here'),
      fix: expect.stringContaining('again'),
    });
    await sql('ALTER TABLE {s}.skips RENAME TO hidden');

    const failed = moveToFile({ dataDir: await temporaryDirectory(), ...options });
    await expect(failed).rejects.toMatchObject({ code: 'PEN_JOURNAL_CORRUPT' });
    await sql('ALTER TABLE {s}.hidden RENAME TO skips');
    await (await open(engine))[Symbol.asyncDispose]();
    await sql("UPDATE {s}.meta SET moved = 'leaving'");
    const back = await temporaryDirectory();
    await moveToFile({ dataDir: back, ...options });

    await expect(open(engine)).rejects.toMatchObject({ message: expect.stringContaining(back) });
    await using journal = await open({ kind: 'sqlite', dataDir: back });
    expect(await seenOf(journal)).toEqual(before);
  });

  it('is in no second file once the first may have its name', async () => {
    const { dataDir, engine, options, open, before } = await prepared();
    await moveToDatabase({ dataDir, ...options });
    const back = await temporaryDirectory();
    const files = { ...options.seams.files, rename: () => Promise.reject(new Error('killed')) };
    const cutOff = moveToFile({ dataDir: back, ...options, seams: { ...options.seams, files } });
    await expect(cutOff).rejects.toThrow('killed');

    const elsewhere = moveToFile({ dataDir: await temporaryDirectory(), ...options });
    await expect(elsewhere).rejects.toMatchObject({ message: expect.stringContaining(back) });
    await expect(open(engine)).rejects.toMatchObject({ message: expect.stringContaining(back) });
    // A journal that began here meanwhile would be taken for the one that was moved.
    const early = open({ kind: 'sqlite', dataDir: back });
    await expect(early).rejects.toMatchObject({
      message: expect.stringContaining('cut off'),
      fix: expect.stringContaining('journal move" again'),
    });
    await moveToFile({ dataDir: back, ...options });

    await using journal = await open({ kind: 'sqlite', dataDir: back });
    expect(await seenOf(journal)).toEqual(before);
  });

  it('takes nothing more from a replica that comes back after it was moved away', async () => {
    const { engine, options, open, sql } = await prepared();
    const clock = virtualClock(Date.now());
    const late = await open(engine, { ...systemSeams(), clock });
    await fill(late);
    // As if it had been paused beyond its lease: it is not heard of, as its time stands still.
    await sql('UPDATE {s}.members SET expires = now()');

    await moveToFile({ dataDir: await temporaryDirectory(), ...options });

    await expect(late.append(commitOf('s', someRecords(3)))).rejects.toMatchObject({ code: 'PEN_JOURNAL_FENCED' });
    await clock.advance(engine.leaseMs);
    expect(late.ownership.owns('s')).toBe(false);
    expect(await late.ownership.replicas()).toEqual([]);
    await late[Symbol.asyncDispose]();
  });

  it('is refused a schema that holds a journal, and moves nothing under a daemon or a replica', async () => {
    const { dataDir, engine, options, open } = await prepared();
    const replica = await open(engine);
    await replica.register([source('s')], [sink('a')]);

    await expect(moveToDatabase({ dataDir, ...options })).rejects.toMatchObject({ code: 'PEN_OPERATION_FAILED' });
    await expect(moveToFile({ dataDir: await temporaryDirectory(), ...options })).rejects.toMatchObject({
      code: 'PEN_JOURNAL_LOCKED',
    });
    await replica[Symbol.asyncDispose]();
    const daemon = await open({ kind: 'sqlite', dataDir });
    await expect(moveToDatabase({ dataDir, ...options })).rejects.toMatchObject({ code: 'PEN_JOURNAL_LOCKED' });
    await daemon[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  });

  it('leaves nothing behind in the directory that it was refused for', async () => {
    const { engine, options, open } = await prepared();
    const replica = await open(engine);
    await replica.register([source('s')], [sink('a')]);
    const dataDir = await temporaryDirectory();

    const beside = moveToFile({ dataDir, ...options });
    await expect(beside).rejects.toMatchObject({ code: 'PEN_JOURNAL_LOCKED', fix: expect.stringContaining('stop all replicas') });
    expect(await readdir(dataDir)).toEqual([]);
    await replica[Symbol.asyncDispose]();
    const nowhere = moveToFile({ dataDir, ...options, engine: { ...engine, schema: `${engine.schema}_none` } });
    await expect(nowhere).rejects.toMatchObject({ code: 'PEN_NOT_FOUND' });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('leaves no draft behind that was not finished, and the database in use', async () => {
    const { dataDir, engine, options, open, sql, before } = await prepared();
    await moveToDatabase({ dataDir, ...options });
    await sql('ALTER TABLE {s}.skips RENAME TO hidden');
    const back = await temporaryDirectory();

    await expect(moveToFile({ dataDir: back, ...options })).rejects.toMatchObject({ code: 'PEN_JOURNAL_CORRUPT' });
    await sql('ALTER TABLE {s}.hidden RENAME TO skips');

    expect((await readdir(back)).filter((name) => name.startsWith('journal.db'))).toEqual([]);
    await using journal = await open(engine);
    expect(await seenOf(journal)).toEqual(before);
  });

  it('stays in use where the disk is too small for its file, and says so; then it is moved there', async ({ skip }) => {
    const disk = (await smallDisk(0.25)) ?? '';
    skip(disk === '', 'no file system can be mounted here');
    const { dataDir, engine, options, open, before } = await prepared();
    await moveToDatabase({ dataDir, ...options });

    const full = moveToFile({ dataDir: join(disk, 'data'), ...options });
    await expect(full).rejects.toMatchObject({
      code: 'PEN_JOURNAL_UNWRITABLE',
      message: expect.stringContaining('the disk is full'),
      where: join(disk, 'data/journal.db.moving'),
    });
    const still = await open(engine);
    expect(await seenOf(still)).toEqual(before);
    await still[Symbol.asyncDispose]();
    execFileSync('mount', ['-o', 'remount,size=16m', disk]);
    await moveToFile({ dataDir: join(disk, 'data'), ...options });

    await using journal = await open({ kind: 'sqlite', dataDir: join(disk, 'data') });
    expect(await seenOf(journal)).toEqual(before);
  });

  it('is over once the file has its name, also for who asks again', async () => {
    const { dataDir, options, open, before } = await prepared();
    await moveToDatabase({ dataDir, ...options });
    const back = await temporaryDirectory();
    await moveToFile({ dataDir: back, ...options });

    await expect(moveToFile({ dataDir: back, ...options })).resolves.toEqual([]);
    const elsewhere = moveToFile({ dataDir: await temporaryDirectory(), ...options });

    await expect(elsewhere).rejects.toMatchObject({ code: 'PEN_OPERATION_FAILED', message: expect.stringContaining(back) });
    await using journal = await open({ kind: 'sqlite', dataDir: back });
    expect(await seenOf(journal)).toEqual(before);
  });

  it('takes all of the file out of use, and gives the reserve of its disk back', async () => {
    const { dataDir, options, sql } = await prepared();
    await moveToDatabase({ dataDir, ...options });
    const names = async () => (await readdir(dataDir)).filter((name) => name !== 'journal.lock' && !name.endsWith('-shm'));
    const whole = await names();
    // As if it had been cut off between one file and the next.
    await sql("UPDATE {s}.meta SET moved = 'filled'");
    await rename(join(dataDir, 'journal.db.moved-wal'), join(dataDir, 'journal.db-wal'));
    await writeFile(join(dataDir, 'journal.ballast'), 'room');

    await moveToDatabase({ dataDir, ...options });

    expect(whole.sort()).toEqual(['journal.db.moved', 'journal.db.moved-wal']);
    expect((await names()).sort()).toEqual(whole);
    const again = moveToDatabase({ dataDir, ...options });
    await expect(again).rejects.toMatchObject({ code: 'PEN_NOT_FOUND', message: expect.stringContaining('was moved before') });
  });

  it('is refused a schema that holds tables of something else', async () => {
    const { dataDir, options, engine, sql } = await prepared();
    await sql('CREATE SCHEMA {s}; CREATE TABLE {s}.pages (of int)');

    await expect(moveToDatabase({ dataDir, ...options })).rejects.toMatchObject({
      code: 'PEN_JOURNAL_FOREIGN',
      message: `the schema "${engine.schema}" holds tables of something else`,
      fix: expect.stringContaining('an empty schema'),
    });
  });
});
