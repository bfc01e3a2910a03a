import { randomBytes } from 'node:crypto';
import fs, { access, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { isBalanced, zeroCounts } from '../../src/journal/counts.ts';
import { type Journal, type Lane, openJournal, type Position, type StoredRecord } from '../../src/journal/index.ts';
import { Ballast } from '../../src/journal/sqlite/upkeep/room.ts';
import { itInLongTests } from '../thorough.ts';
import { commitOf, journalOptions, seamsAt, sink, smallDisk, someRecords, source, temporaryDirectory } from './fixture.ts';
import { enginesWhereThorough, inModel } from './places.ts';

const live: Lane = { kind: 'live', source: 's' };
const mebibyte = 1024 * 1024;
const smallest = 8 * mebibyte;

/** A page of `kilobytes` that do not compress. */
function heavy(kilobytes: number, received = 1000): StoredRecord[] {
  return [{ uid: randomBytes(16).toString('hex'), received, record: randomBytes(kilobytes * 768).toString('base64') }];
}

async function fill(journal: Journal, received?: number): Promise<number> {
  for (let pages = 0; ; pages++) {
    try {
      await journal.append(commitOf('s', heavy(200, received)));
    } catch (error) {
      expect(error).toMatchObject({ code: 'PEN_JOURNAL_FULL' });
      return pages;
    }
  }
}

async function settleAll(journal: Journal, name: string): Promise<void> {
  for (const { lane, offset, pending } of await journal.lanes(name)) {
    await journal.settle(name, lane, (offset + pending) as Position, [], { acknowledged: pending });
  }
}

const model = { kind: 'in the model of a database', place: inModel };

describe.each([...enginesWhereThorough(), model])('a journal $kind', ({ place }) => {
  it('stops appends at max_bytes, and still settles', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a')]);

    const pages = await fill(journal);
    const full = journal.hasRoom();
    await journal.settle('a', live, 1 as Position, [], { acknowledged: 1 });

    expect(pages).toBeGreaterThan(20);
    expect(full).toBe(false);
    expect(journal.usage().usedBytes).toBeLessThanOrEqual(smallest + mebibyte);
    expect((await journal.lanes('a'))[0]?.offset).toBe(1);
  });

  it('lets delivered pages go first when there is no room, and goes on', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a')]);
    const pages = await fill(journal);
    await settleAll(journal, 'a');

    const more = await fill(journal);

    expect(more).toBeGreaterThan(pages / 2);
    expect(new Set((await journal.ledger()).rows.map(isBalanced))).toEqual(new Set([true]));
  });

  it('does not trim the pages of a running replay', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a')]);
    const pages = await fill(journal);
    await settleAll(journal, 'a');
    const { total } = await journal.openReplay(1, 'a', { kind: 'stored' });

    const more = await fill(journal);

    expect(total).toBe(pages);
    expect(more).toBe(0);
    expect(journal.usage().pages).toBe(pages);
  });

  it('lets a sink that may skip go on without the oldest, and says which range', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a'), sink('lake', 'now', 'skip')]);
    await fill(journal);
    await settleAll(journal, 'a');

    const more = await fill(journal);

    const { rows, skipped } = await journal.ledger();
    const lake = rows.find(({ sink: name }) => name === 'lake');
    expect(more).toBeGreaterThan(10);
    expect(new Set(rows.map(isBalanced))).toEqual(new Set([true]));
    expect(lake?.totals.skipped).toBeGreaterThan(0);
    expect(skipped).toMatchObject([
      { sink: 'lake', source: 's', lane: 'live', from: 500, to: 900, records: lake?.totals.skipped },
    ]);
  });

  it('skips nothing that a sink has not had which might skip and is not configured any more', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a'), sink('gone', 'now', 'skip')]);
    const pages = await fill(journal);
    await settleAll(journal, 'a');
    await journal.register([source('s')], [sink('a')]);

    const more = await fill(journal);

    const { rows } = await journal.ledger();
    const gone = rows.find(({ sink: name }) => name === 'gone');
    expect(more).toBe(0);
    expect(gone?.totals).toMatchObject({ pending: pages, skipped: 0, abandoned: 0 });
    expect(new Set(rows.map(isBalanced))).toEqual(new Set([true]));
  });

  it('has room again only once a tenth of it is free, and then until the largest page would not fit', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a')]);
    let pages = 0;
    for (; journal.hasRoom(); pages += 1) await journal.append(commitOf('s', heavy(200)));

    let settled = 0;
    for (; !journal.hasRoom(); settled += 1) {
      await journal.settle('a', live, (settled + 1) as Position, [], { acknowledged: 1 });
      // Whoever asks for room has what was delivered deleted.
      await expect.poll(() => journal.hasRoom() || journal.usage().pages === pages - settled - 1).toBe(true);
    }
    const { usedBytes } = journal.usage();
    await journal.append(commitOf('s', heavy(200)));

    expect(usedBytes).toBeLessThanOrEqual(smallest - mebibyte - smallest / 10);
    expect(journal.hasRoom()).toBe(true);
  });

  it('counts a record that was skipped in flight and delivered after all as delivered', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a'), sink('lake', 'now', 'skip')]);
    await fill(journal);
    await settleAll(journal, 'a');
    await journal.append(commitOf('s', heavy(200)));
    const before = (await journal.ledger()).rows.find(({ sink: name }) => name === 'lake')?.totals;

    await journal.settle('lake', live, 2 as Position, [], { acknowledged: 2 });

    const after = (await journal.ledger()).rows.find(({ sink: name }) => name === 'lake');
    expect(before?.skipped).toBeGreaterThan(2);
    expect(after?.totals).toMatchObject({ acknowledged: 2, skipped: (before?.skipped ?? 0) - 2 });
    expect((await journal.ledger()).skipped).toMatchObject([{ sink: 'lake', source: 's', records: after?.totals.skipped }]);
    expect(after !== undefined && isBalanced(after)).toBe(true);
  });

  it('abandons what an orphan left beyond keep, and counts it', async () => {
    const hour = 3_600_000;
    const seams = seamsAt(1000);
    const open = await place(seams, { keepMs: hour });
    const first = await open();
    await first.register([source('s')], [sink('a'), sink('gone')]);
    await first.append(commitOf('s', someRecords(3)));
    seams.set(hour);
    await first.append(commitOf('s', someRecords(2)));
    await first.register([source('s')], [sink('a')]);
    // An hour at once is longer than a lease: the source is taken anew.
    await expect.poll(() => first.ownership.owns('s')).toBe(true);
    await settleAll(first, 'a');
    await first[Symbol.asyncDispose]();

    await using journal = await open();
    let now = hour;
    // Among replicas one that has it may still come back for ten minutes.
    await expect
      .poll(async () => {
        now += 20_000;
        seams.set(now);
        await journal.register([source('s')], [sink('a')]);
        return journal.usage().records;
      })
      .toBe(2);
    const orphan = (await journal.ledger()).rows.find(({ sink: name }) => name === 'gone');
    expect(orphan?.totals).toMatchObject({ abandoned: 3, pending: 2 });
    expect(orphan !== undefined && isBalanced(orphan)).toBe(true);
  });

  it('abandons nothing of a sink that comes back into the configuration at the start', async () => {
    const seams = seamsAt(1000);
    const open = await place(seams, { keepMs: 5000 });
    const first = await open();
    await first.register([source('s')], [sink('a'), sink('back')]);
    await first.append(commitOf('s', someRecords(3)));
    await first.register([source('s')], [sink('a')]);
    await first[Symbol.asyncDispose]();
    seams.set(60_000);
    const second = await open();
    await second.register([source('s')], [sink('a'), sink('back')]);
    await second[Symbol.asyncDispose]();

    await using journal = await open();
    await journal.register([source('s')], [sink('a'), sink('back')]);

    expect((await journal.lanes('back'))[0]?.pending).toBe(3);
  });

  it('keeps a page of which a sink has settled only a part', async () => {
    const seams = seamsAt(1000);
    const open = await place(seams, { keepMs: 5000 });
    const first = await open();
    await first.register([source('s')], [sink('a')]);
    await first.append(commitOf('s', someRecords(3)));
    await first.append(commitOf('s', someRecords(3, { prefix: 'second' })));
    await first.settle('a', live, 4 as Position, [], { acknowledged: 4 });
    await first[Symbol.asyncDispose]();
    seams.set(60_000);

    await using journal = await open();

    await expect.poll(() => journal.usage().pages).toBe(1);
    const [page] = await journal.read('a', live, 4 as Position, 10);
    expect(page?.records.map(({ uid }) => uid)).toEqual(['second2', 'second3']);
  });
});

describe.each(enginesWhereThorough())('a journal $kind', ({ place }) => {
  it('says of each source how much of what was collected is still stored, and since when that was received', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s'), source('t')], [sink('a')]);
    const first = await fill(journal, 1000);
    await settleAll(journal, 'a');
    const more = await fill(journal, 2000);

    const stored = await journal.stored();

    const left = journal.usage().records;
    expect(left).toBeLessThan(first + more);
    expect(stored).toEqual([
      { source: 's', collected: first + more, stored: left, since: left > more ? 1000 : 2000 },
      { source: 't', collected: 0, stored: 0, since: undefined },
    ]);
  });

  it('forgets ids beyond overlap and sweep under pressure, and no others', async () => {
    const day = 86_400_000;
    const seams = seamsAt(10 * day);
    await using journal = await (await place(seams, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a')]);
    const old = { day: 1, id: 'aa'.repeat(16), fingerprint: 'cc'.repeat(8) };
    const young = { day: 9, id: 'bb'.repeat(16), fingerprint: 'cc'.repeat(8) };
    await journal.append({ source: 's', seen: [old] });
    seams.set(12 * day);
    await journal.append({ source: 's', seen: [young] });

    await fill(journal);

    expect(await journal.seen('s', [old, young])).toEqual([[], [young.fingerprint]]);
  });

  it('keeps the ids of a source that pauses for want of room, however long that lasts', async () => {
    const day = 86_400_000;
    const seams = seamsAt(10 * day);
    await using journal = await (await place(seams, { maxBytes: smallest }))();
    await journal.register([{ ...source('s'), seenPinnedMs: 300_000 }], [sink('a')]);
    const read = { day: 9, id: 'bb'.repeat(16), fingerprint: 'cc'.repeat(8) };
    await journal.append({ source: 's', seen: [read] });
    seams.set(12 * day);

    await fill(journal);

    expect(await journal.seen('s', [read])).toEqual([[read.fingerprint]]);
  });

  it('keeps the ids of a window for as long as it is being read, however long that takes', async () => {
    const day = 86_400_000;
    const seams = seamsAt(10 * day);
    await using journal = await (await place(seams, { maxBytes: smallest }))();
    await journal.register([{ ...source('s'), seenPinnedMs: 300_000 }], [sink('a')]);
    const first = { day: 8, id: 'bb'.repeat(16), fingerprint: 'cc'.repeat(8) };
    const window = { key: 'w', lane: 'live' as const, from: 8 * day, to: 9 * day + 1, ...zeroCounts() };
    await journal.append({ source: 's', seen: [first], window });
    seams.set(12 * day);
    await journal.append({ source: 's', seen: [{ ...first, day: 9, id: 'dd'.repeat(16) }], window });

    await fill(journal);

    expect(await journal.seen('s', [first])).toEqual([[first.fingerprint]]);
  });

  it('forgets ids of records without a time by the day of their receipt', async () => {
    const day = 86_400_000;
    const seams = seamsAt(10 * day);
    const open = await place(seams);
    const first = await open();
    await first.register([source('s')], [sink('a')]);
    const [old, young] = ['aa', 'bb'].map((byte) => ({ day: 0, id: byte.repeat(16), fingerprint: 'cc'.repeat(8) }));
    if (old === undefined || young === undefined) throw new Error('no ids');
    await first.append({ source: 's', seen: [old] });
    seams.set(100 * day);
    await first.append({ source: 's', seen: [young] });
    const both = await first.seen('s', [old, young]);
    seams.set(115 * day);
    await first[Symbol.asyncDispose]();

    await using journal = await open();

    await expect.poll(() => journal.seen('s', [old, young])).toEqual([[], [young.fingerprint]]);
    expect(both).toEqual([[old.fingerprint], [young.fingerprint]]);
  });

  it('forgets the ids of a day that nobody touched for long enough, at the next start', async () => {
    const day = 86_400_000;
    const seams = seamsAt(10 * day);
    const open = await place(seams);
    const first = await open();
    await first.register([source('s')], [sink('a')]);
    const seen = Array.from({ length: 12_000 }, (_none, index) => ({
      day: 1,
      id: index.toString(16).padStart(32, '0'),
      fingerprint: 'cc'.repeat(8),
    }));
    await first.append({ source: 's', seen });
    seams.set(111 * day);
    await first[Symbol.asyncDispose]();

    await using journal = await open();

    await expect.poll(() => journal.seen('s', seen.slice(-1))).toEqual([[]]);
  });

  it.each([
    { what: 'a day back', steps: [-86_400_000] },
    { what: 'a day back and forth', steps: [-86_400_000, 86_400_000] },
    { what: 'years ahead', steps: [3 * 365 * 86_400_000] },
    { what: 'years ahead, with keep of hours', steps: [3 * 365 * 86_400_000], keepMs: 12 * 3_600_000 },
    { what: 'to 1970 and back', steps: [-1_700_000_000_000, 1_700_000_000_000] },
  ] as { what: string; steps: number[]; keepMs?: number }[])(
    'keeps pages, ids and ledger rows as long as asked while the wall clock steps $what',
    async ({ steps, keepMs }) => {
      const seams = seamsAt(1_800_000_000_000);
      const open = await place(seams, { ...(keepMs !== undefined && { keepMs }) });
      const seen = [{ day: 5, id: 'ab'.repeat(16), fingerprint: 'cc'.repeat(8) }];
      for (const [index, byMs] of [0, ...steps].entries()) {
        seams.step(byMs);
        await using journal = await open();
        await journal.register([source('s')], [sink('a')]);
        await journal.append({ ...commitOf('s', someRecords(2, { prefix: `p${index}-`, received: seams.clock.now() })), seen });
        await settleAll(journal, 'a');
      }

      const journal = await open();
      await journal.register([source('s')], [sink('a')]);
      const kept = {
        pages: journal.usage().pages,
        seen: await journal.seen('s', seen),
        windows: await journal.windows('s', 0, 5000),
      };
      await journal[Symbol.asyncDispose]();

      expect(kept).toMatchObject({
        pages: steps.length + 1,
        seen: [['cc'.repeat(8)]],
        windows: [{ new: 2 * (steps.length + 1) }],
      });
      expect(await open.problems()).toEqual([]);
    },
  );

  it('keeps connector versions while a page or a letter needs them', async () => {
    const seams = seamsAt(1000);
    const open = await place(seams, { keepMs: 5000 });
    const first = await open();
    await first.register([source('s')], [sink('a')]);
    await first.append(commitOf('s', someRecords(1), { connector: { name: 'c', hash: 'h1', text: 'one' } }));
    seams.set(60_000);
    await first.append(commitOf('s', someRecords(1), { connector: { name: 'c', hash: 'h2', text: 'two' } }));
    await settleAll(first, 'a');
    await first[Symbol.asyncDispose]();

    await using journal = await open();

    await expect.poll(() => journal.connectorText('h1')).toBeUndefined();
    expect(await journal.connectorText('h2')).toBe('two');
  });

  it('makes room when a poll asks for it, although nothing is appended meanwhile', async () => {
    await using journal = await (await place(undefined, { maxBytes: smallest }))();
    await journal.register([source('s')], [sink('a')]);
    await fill(journal);
    await settleAll(journal, 'a');

    await expect.poll(() => journal.hasRoom()).toBe(true);
  });
});

async function occupy(path: string): Promise<void> {
  for (let size = mebibyte; size >= 512; size /= 2) {
    for (let index = 0; ; index++) {
      try {
        await writeFile(join(path, `filler-${size}-${index}`), Buffer.alloc(size));
      } catch {
        break;
      }
    }
  }
}

it('starts again on a full disk and delivers', async ({ skip }) => {
  const disk = (await smallDisk(16)) ?? '';
  skip(disk === '', 'no file system can be mounted here');
  const first = await openJournal(journalOptions(disk, { maxBytes: smallest }));
  await first.register([source('s')], [sink('a')]);
  await first.append(commitOf('s', someRecords(1000)));
  await expect.poll(async () => (await stat(join(disk, 'journal.ballast')).catch(() => ({ size: 0 }))).size).toBe(mebibyte);
  await first[Symbol.asyncDispose]();
  await occupy(disk);

  await using journal = await openJournal(journalOptions(disk, { maxBytes: smallest }));
  await journal.register([source('s')], [sink('a')]);
  await journal.settle('a', live, 1000 as Position, [], { acknowledged: 1000 });

  expect(await journal.lanes('a')).toEqual([]);
});

it('misses no reserve while it is being written', async () => {
  const path = join(await temporaryDirectory(), 'journal.ballast');
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const open: typeof fs.open = async (...args) => {
    begun.resolve();
    await go.promise;
    return fs.open(...args);
  };
  const ballast = new Ballast(path, { bytes: 4096, files: { ...fs, open }, log: silentLog() });

  const making = ballast.restore();
  await begun.promise;
  const meanwhile = ballast.isMissing;
  go.resolve();
  await making;

  expect([meanwhile, ballast.isMissing, (await stat(path)).size]).toEqual([false, false, 4096]);
});

it('gives up its ballast on a full disk, so that offsets are kept', async ({ skip }) => {
  const disk = (await smallDisk(16)) ?? '';
  skip(disk === '', 'no file system can be mounted here');
  await using journal = await openJournal(journalOptions(disk, { maxBytes: smallest }));
  await journal.register([source('s')], [sink('a')]);
  await journal.append(commitOf('s', someRecords(50_000)));
  const ballast = join(disk, 'journal.ballast');
  await expect.poll(async () => (await stat(ballast).catch(() => ({ size: 0 }))).size).toBe(mebibyte);
  await occupy(disk);

  const appended = fill(journal);
  for (let position = 1; position <= 50_000; position += 50)
    await journal.settle('a', live, position as Position, [], { acknowledged: position === 1 ? 1 : 50 });

  expect(await appended).toBeLessThan(5);
  expect((await journal.lanes('a'))[0]?.offset).toBe(49_951);
  await expect(access(ballast)).rejects.toThrow();
  expect((await readdir(disk)).length).toBeGreaterThan(4);
});

it.for([12, 60, 110])(
  'goes on after a full disk of %i MiB has space again, and says what it knows of it',
  async (size, { skip }) => {
    const disk = (await smallDisk(size)) ?? '';
    skip(disk === '', 'no file system can be mounted here');
    const seams = systemSeams();
    const clock = { ...seams.clock, timer: (ms: number, then: () => void) => seams.clock.timer(Math.min(ms, 50), then) };
    await using journal = await openJournal(journalOptions(disk, { maxBytes: 2 ** 31, seams: { ...seams, clock } }));
    await journal.register([source('s')], [sink('a')]);
    const ballast = (size * mebibyte) / 16;
    await expect.poll(() => journal.usage().disk?.lacksBallast).toBe(false);
    const before = journal.usage().disk;
    await occupy(disk);

    await fill(journal);
    const full = journal.usage();
    for (const name of await readdir(disk)) if (name.startsWith('filler')) await rm(join(disk, name));
    await expect.poll(() => journal.hasRoom()).toBe(true);
    await journal.append(commitOf('s', someRecords(10, { prefix: 'after' })));

    const volumeBytes = size * mebibyte;
    expect(before).toEqual({ isFull: false, lacksBallast: false, neededBytes: ballast, volumeBytes });
    expect(full).toMatchObject({ hasRoom: false, disk: { isFull: true, volumeBytes } });
    expect(journal.usage().disk).toEqual(before);
  },
);

it('trims a lane from its beginning, however the times of its pages lie', async () => {
  const seams = seamsAt(100 * 86_400_000);
  const dataDir = await temporaryDirectory();
  const options = journalOptions(dataDir, { seams });
  const first = await openJournal(options);
  await first.register([source('s')], [sink('a')]);
  for (const prefix of ['p', 'q', 'r']) await first.append(commitOf('s', someRecords(2, { prefix })));
  await settleAll(first, 'a');
  await first[Symbol.asyncDispose]();
  // As an earlier version left it whose clock stood a year ahead at the first page, and right at the second.
  const db = new DatabaseSync(join(dataDir, 'journal.db'));
  db.exec('UPDATE pages SET received_last = received_last + 31536000000 WHERE id = 1');
  db.exec('UPDATE pages SET received_last = received_last - 691200000 WHERE id = 2');
  db.close();

  await using journal = await openJournal(options);

  await expect.poll(() => journal.usage().pages).toBe(1);
  await journal.register([source('s')], [sink('a'), sink('late', 'oldest')]);
  expect((await journal.lanes('late'))[0]).toMatchObject({ offset: 4, pending: 2 });
});

itInLongTests('gives the disk back what delivered pages took, in one round of its upkeep', async () => {
  const dataDir = await temporaryDirectory();
  const path = join(dataDir, 'journal.db');
  {
    await using journal = await openJournal(journalOptions(dataDir, { maxBytes: 1024 * mebibyte, keepMs: 1e9 }));
    await journal.register([source('s')], [sink('a')]);
    for (let page = 0; page < 120; page += 1) await journal.append(commitOf('s', heavy(1024)));
    await settleAll(journal, 'a');
  }
  const { size: before } = await stat(path);

  await using journal = await openJournal(journalOptions(dataDir, { maxBytes: 1024 * mebibyte, keepMs: 0 }));
  await journal.register([source('s')], [sink('a')]);

  await expect.poll(async () => (await stat(path)).size).toBeLessThan(66 * mebibyte);
  expect(before).toBeGreaterThan(90 * mebibyte);
});
