import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { itInLongTests } from '../../thorough.ts';
import { missingArrivals, untilStatus } from '../conditions.ts';
import { command, configFile, penstock, run } from '../penstock.ts';
import { startReceiver } from '../receiver.ts';
import { startVendors } from '../vendors.ts';

const isRoot = process.getuid?.() === 0;

function mayMount(): boolean {
  if (!isRoot) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Mounts something on a folder until the test ends. */
function mount(folder: string, ...args: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', [...args, folder]);
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]));
}

/** Fills the file system of a folder to its last byte; returns the file that does. */
async function fill(folder: string): Promise<string> {
  const file = join(folder, 'somebody-elses-file');
  for (const size of [65_536, 4096, 512]) {
    const chunk = Buffer.alloc(size, 1);
    for (;;) {
      try {
        await writeFile(file, chunk, { flag: 'a', flush: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') break;
        throw error;
      }
    }
  }
  return file;
}

async function setUp(seed: number) {
  const vendors = await startVendors(seed);
  const receiver = await startReceiver(seededRandom(seed));
  const file = await configFile({
    journal: { max_bytes: '64MiB' },
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 50, wait: '100ms' }, backoff_max: '500ms' } },
  });
  return {
    vendors,
    receiver,
    file,
    data: join(dirname(file), 'data'),
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await vendors.simulator[Symbol.asyncDispose]();
    },
  };
}

async function ledgerOf(file: string): Promise<unknown> {
  return JSON.parse((await command(['ledger', '--json', '-c', file])).stdout);
}

itInLongTests.skipIf(!mayMount())('pauses on a full disk, goes on by itself when there is space, and loses nothing', async () => {
  await using scene = await setUp(61);
  const { vendors, receiver, file, data } = scene;
  mount(data, '-t', 'tmpfs', '-o', 'size=48m', 'tmpfs');
  const daemon = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length > 200);

  const filler = await fill(data);
  await daemon.said(/the disk is full/);
  // The ballast that was given up is space again, for everybody.
  await fill(data);
  await untilStatus(file, 'a source that waits for room', ({ sources }) =>
    sources.some(({ state, last_error }) => state === 'waiting_for_room' || last_error?.code === 'PEN_JOURNAL_FULL'),
  );
  await rm(filler);
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');

  expect({ code: await daemon.exited, missing }).toEqual({ code: 0, missing: [] });
  expect(await ledgerOf(file)).toMatchObject({ imbalances: [] });
});

it('takes an I/O error of the disk as a pause, and goes on when it is gone', async () => {
  await using scene = await setUp(62);
  const { vendors, receiver, file } = scene;
  const daemon = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length > 200);
  // A limit of one byte per file: SQLite sees EFBIG, which it reports as SQLITE_IOERR, as it does an EIO of the device.
  const limitFiles = (limit: string): void =>
    void execFileSync('prlimit', ['--pid', String(daemon.child.pid), `--fsize=${limit}:`]);

  limitFiles('1');
  await daemon.said(/I\/O error/);
  const alive = daemon.child.exitCode === null;
  limitFiles('unlimited');
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');

  expect({ alive, code: await daemon.exited, missing }).toEqual({ alive: true, code: 0, missing: [] });
  expect(await ledgerOf(file)).toMatchObject({ imbalances: [] });
});

itInLongTests.skipIf(isRoot && !mayMount())(
  'refuses a read-only data_dir before anything is polled, and goes on when it is writable',
  async () => {
    await using scene = await setUp(63);
    const { vendors, receiver, file, data } = scene;
    if (isRoot) mount(data, '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs');
    const first = await run(['run', '--once', '-c', file]);
    const setReadOnly = (readOnly: boolean): void => {
      if (isRoot) execFileSync('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, data]);
      else chmodSync(data, readOnly ? 0o500 : 0o700);
    };
    const before = await stat(join(data, 'journal.db'));

    setReadOnly(true);
    const calls = receiver.received.length;
    const refused = await run(['run', '-c', file]);
    const polled = receiver.received.length - calls;
    const after = await stat(join(data, 'journal.db'));
    setReadOnly(false);
    // One run collects up to its settle time (1 s); what happens later is not its business.
    const upTo = Date.now() - 2000;
    const again = await run(['run', '--once', '-c', file]);
    const missing = await missingArrivals(receiver, vendors, { upTo });

    expect({ first: first.code, refused: refused.code, polled, again: again.code, missing }).toEqual({
      first: 0,
      refused: 1,
      polled: 0,
      again: 0,
      missing: [],
    });
    expect(refused.stderr).toContain('data_dir cannot be written');
    expect(refused.stderr).toContain('fix: ');
    expect(after.mtimeMs).toBe(before.mtimeMs);
  },
);
