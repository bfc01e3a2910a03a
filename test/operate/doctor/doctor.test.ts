import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../../src/base/clock.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import { openJournal } from '../../../src/journal/index.ts';
import type { Diagnosis } from '../../../src/operate/doctor/diagnosis.ts';
import { diagnose } from '../../../src/operate/doctor/index.ts';
import type { StatusReport } from '../../../src/operate/report/status.ts';
import { temporaryFolder } from '../../config/load.ts';
import { commitOf, journalOptions, sink, someRecords, source } from '../../journal/fixture.ts';

// A clock that stands still: how long an answer takes is no difference between two clocks.
const noon = Date.UTC(2026, 10, 21, 12);
const system = systemSeams();
const seams = { ...system, clock: { ...system.clock, now: () => noon } };
const mebibyte = 2 ** 20;

/** A vendor whose clock is so far from ours. */
async function vendor(skewMs: number): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(404, { date: new Date(noon + skewMs).toUTCString() }).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Given {
  readonly url?: string;
  readonly token?: string;
  readonly daemon?: Partial<StatusReport>;
  readonly free?: number;
  readonly prepare?: (folder: string) => Promise<void>;
  readonly clock?: Clock;
  readonly access?: () => Promise<never>;
}

async function found(given: Given): Promise<readonly Diagnosis[]> {
  const {
    url = await vendor(0),
    token = 'abcdef',
    daemon,
    free = 2 ** 40,
    prepare,
    clock = seams.clock,
    access = seams.files.access,
  } = given;
  const folder = await temporaryFolder();
  const file = join(folder, 'penstock.yaml');
  await writeFile(
    file,
    `journal: { max_bytes: 16MiB }\nsources: { feed: { connector: okta, options: { org_url: "${url}", token: "${token}" } } }\nsinks: { out: { type: stdout } }\n`,
  );
  await prepare?.(folder);
  const statfs = () => Promise.resolve({ bavail: free, bsize: 1, blocks: 2 ** 40 });
  const files = { ...seams.files, access, statfs: statfs as unknown as typeof seams.files.statfs };
  const all = await diagnose({
    file,
    seams: { ...seams, files, clock },
    version: '1.0.0',
    daemon: daemon as StatusReport | undefined,
  });
  return all.map((one) => ({
    ...one,
    what: one.what.replaceAll(folder, '.'),
    ...(one.fix === undefined ? {} : { fix: one.fix.replaceAll(folder, '.') }),
  }));
}

const running = {
  version: '1.0.0',
  uptime_seconds: 90,
  at: 100_000,
  config: { loaded_at: 40_000, differs_from_file: false },
  problems: [],
};
const withJournal = async (folder: string): Promise<void> => {
  await (await openJournal(journalOptions(join(folder, 'data'), { maxBytes: 16 * mebibyte })))[Symbol.asyncDispose]();
};
const of = (all: readonly Diagnosis[], check: string): Diagnosis | undefined => all.find((one) => one.check === check);

it('finds nothing where all is well', async () => {
  const prepare = async (folder: string): Promise<void> => {
    await withJournal(folder);
    await writeFile(join(folder, 'data/journal.ballast'), Buffer.alloc(2 * mebibyte));
  };

  const all = await found({ daemon: running, prepare });

  expect(all.map(({ check, level }) => [check, level])).toEqual(
    [
      'configuration',
      'daemon',
      'file',
      'data_dir',
      'journal',
      'damage',
      'disk',
      'ballast',
      'secrets',
      'dns',
      'proxy',
      'clock',
    ].map((check) => [check, 'ok']),
  );
});

it('looks at the database that holds the journal, and not at a file that was left behind', async () => {
  const prepare = async (folder: string): Promise<void> => {
    await withJournal(folder);
    const file = join(folder, 'penstock.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('{ max_bytes: 16MiB }', '{ url: "postgres://penstock@database.invalid:5432/audit" }'));
  };

  const all = await found({ prepare });

  expect(of(all, 'journal')).toEqual({
    check: 'journal',
    level: 'ok',
    what: 'in the database that journal.url names; "penstock check" asks it, "penstock journal check" reads it',
  });
  expect([of(all, 'disk'), of(all, 'ballast')]).toEqual([undefined, undefined]);
  expect(of(all, 'dns')).toMatchObject({
    level: 'error',
    what: expect.stringMatching(/^database\.invalid:5432: database\.invalid is not known/) as string,
  });
});

describe('of the clock', () => {
  it.each([
    { skewMs: 0, level: 'ok', what: /^agrees with that of 127\.0\.0\.1:\d+$/ },
    { skewMs: 30_000, level: 'warning', what: /^this machine is 30s behind 127/ },
    { skewMs: -600_000, level: 'error', what: /^this machine is 10m ahead of 127/ },
  ])('it says $level where it is $skewMs ms off', async ({ skewMs, level, what }) => {
    const clock = of(await found({ url: await vendor(skewMs) }), 'clock');

    expect(clock).toMatchObject({ level, what: expect.stringMatching(what) as string });
  });
});

it('names a host that nobody knows', async () => {
  const all = await found({ url: 'https://nowhere.invalid' });

  expect(of(all, 'dns')).toMatchObject({
    level: 'error',
    what: expect.stringMatching(/^nowhere\.invalid: nowhere\.invalid is not known/) as string,
  });
});

describe('of the disk', () => {
  it.each([
    { free: 40 * mebibyte, level: 'ok' },
    { free: 10 * mebibyte, level: 'warning' },
    { free: mebibyte, level: 'error' },
  ])('it says $level with $free bytes free for a journal of 16 MiB and its ballast', async ({ free, level }) => {
    expect(of(await found({ free }), 'disk')).toMatchObject({ level });
  });

  it('it misses the ballast', async () => {
    const prepare = async (folder: string): Promise<void> => {
      await withJournal(folder);
      await rm(join(folder, 'data/journal.ballast'), { force: true });
    };

    const all = await found({ prepare, daemon: running });

    expect(of(all, 'ballast')).toEqual({
      check: 'ballast',
      level: 'warning',
      what: 'there is none: a full disk would find no reserve',
      fix: 'free space on the disk; the daemon makes it within seconds',
    });
  });
});

describe('of the journal', () => {
  it.each([
    { version: 1, level: 'warning', what: /^schema version 1, .*; this program writes version \d+$/ },
    { version: 999, level: 'error', what: /written by a newer penstock/ },
  ])('it says $level where its schema is version $version', async ({ version, level, what }) => {
    const prepare = async (folder: string): Promise<void> => {
      await withJournal(folder);
      const db = new DatabaseSync(join(folder, 'data/journal.db'));
      db.exec(`PRAGMA user_version = ${version}`);
      db.close();
    };

    expect(of(await found({ prepare }), 'journal')).toMatchObject({ level, what: expect.stringMatching(what) as string });
  });
});

describe('of damage', () => {
  const withPages = async (folder: string): Promise<void> => {
    await using journal = await openJournal(journalOptions(join(folder, 'data'), { maxBytes: 16 * mebibyte }));
    await journal.register([source('feed')], [sink('out')]);
    for (let page = 0; page < 5; page += 1) await journal.append(commitOf('feed', someRecords(10, { prefix: `p${page}-` })));
  };
  const edit = (folder: string, sql: string): void => {
    const db = new DatabaseSync(join(folder, 'data/journal.db'));
    db.exec(sql);
    db.close();
  };

  it.each([
    {
      what: 'a page',
      sql: 'UPDATE pages SET body = zeroblob(length(body)) WHERE id = 2',
      found: /^page 2 .*damaged.*; all pages read, 5$/,
    },
    {
      what: 'several pages',
      sql: 'UPDATE pages SET body = zeroblob(length(body)) WHERE id < 4',
      found: /^page 3 .*; and 2 more; all pages read, 5$/,
    },
    {
      what: 'a cursor',
      sql: "UPDATE checkpoints SET value = '{}'",
      found: /^checkpoint "live" of source "feed" is damaged; all pages read, 5$/,
    },
  ])('it names $what', async ({ sql, found: text }) => {
    const prepare = async (folder: string): Promise<void> => {
      await withPages(folder);
      edit(folder, sql);
    };

    expect(of(await found({ prepare }), 'damage')).toEqual({
      check: 'damage',
      level: 'error',
      what: expect.stringMatching(text) as string,
      fix: 'see "penstock journal check", then stop the daemon and run "penstock journal repair"',
    });
  });

  it('it says how much was looked at in the time that there is, the newest first', async () => {
    // Each look at the clock takes a second and a half.
    let now = 0;
    const clock = { ...seams.clock, monotonic: () => (now += 1500) };

    const all = await found({ prepare: withPages, clock });

    expect(of(all, 'damage')).toEqual({
      check: 'damage',
      level: 'ok',
      what: 'none found, the newest 1 of 5 pages read; "penstock journal check" reads the rest',
    });
  });
});

it('says who else may read a secret', async () => {
  const prepare = async (folder: string): Promise<void> => {
    await writeFile(join(folder, 'token'), 'abcdef');
    await chmod(join(folder, 'token'), 0o644);
  };

  expect(of(await found({ token: '${file:token}', prepare }), 'secrets')).toEqual({
    check: 'secrets',
    level: 'warning',
    what: './token has mode 0644: others may read it',
    fix: 'chmod 600 ./token, or 0400 in a mounted secret',
  });
});

it('says that the volume of data_dir is mounted read-only, to whoever asks', async () => {
  const access = () => Promise.reject(Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' }));

  const all = await found({ prepare: withJournal, access });

  expect(of(all, 'data_dir')).toEqual({
    check: 'data_dir',
    level: 'error',
    what: './data: its volume is mounted read-only: nothing is collected, and no delivery noted',
    fix: 'see in the log of the kernel whether the disk failed; mend it, mount it for writing, and start the daemon again',
  });
});

it('says that others may write data_dir', async () => {
  const prepare = async (folder: string): Promise<void> => {
    await mkdir(join(folder, 'data'));
    await chmod(join(folder, 'data'), 0o777);
  };

  expect(of(await found({ prepare }), 'data_dir')).toMatchObject({
    level: 'error',
    what: expect.stringContaining('mode 0777') as string,
  });
});

describe('of the configuration', () => {
  const token = '${env:PENSTOCK_NO_SUCH_TOKEN}';

  it('a secret that is not in this shell is a fault where no daemon runs', async () => {
    expect(of(await found({ token }), 'configuration')).toMatchObject({
      level: 'error',
      what: expect.stringContaining('PENSTOCK_NO_SUCH_TOKEN is not set') as string,
    });
  });

  it('a secret that is not in this shell is none where the daemon has it', async () => {
    expect(of(await found({ token, daemon: running }), 'configuration')).toMatchObject({
      level: 'ok',
      what: expect.stringContaining('its secrets are not in this shell') as string,
    });
  });

  it('a file that is newer than the daemon is named with the way to apply it', async () => {
    const all = await found({ daemon: { ...running, config: { loaded_at: 40_000, differs_from_file: true } } });

    expect(of(all, 'file')).toMatchObject({
      level: 'warning',
      what: 'it, or a file that it names, says something else than what was loaded 1m ago',
    });
  });

  it('a daemon of another version is named', async () => {
    const all = await found({ daemon: { ...running, version: '0.9.0' } });

    expect(all).toContainEqual({
      check: 'daemon',
      level: 'warning',
      what: 'this command is penstock 1.0.0',
      fix: 'restart the daemon with the newer one',
    });
  });
});
