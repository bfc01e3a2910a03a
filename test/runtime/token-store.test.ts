import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { TokenChange } from '../../src/connectors/index.ts';
import { openTokenStore } from '../../src/runtime/token-store.ts';

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-tokens-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const seams = systemSeams();
const keep = (token: string) => () => Promise.resolve({ keep: token, result: undefined });
const look = (kept: string | undefined) => Promise.resolve({ keep: undefined, result: kept });

it('keeps a token for each credential, in a file of our own', async () => {
  const dir = await folder();
  await openTokenStore(dir, seams).update('a', keep('token of a'));
  await openTokenStore(dir, seams).update('b', keep('token of b'));

  const kept = await Promise.all(['a', 'b', 'c'].map((name) => openTokenStore(dir, seams).update(name, look)));

  expect(kept).toEqual(['token of a', 'token of b', undefined]);
  expect((await stat(join(dir, 'credentials.db'))).mode & 0o777).toBe(0o600);
});

it('makes the folder where no daemon has run yet, for its user alone', async () => {
  const dir = join(await folder(), 'data');

  await openTokenStore(dir, seams).update('a', keep('r1'));

  expect([await openTokenStore(dir, seams).update('a', look), (await stat(dir)).mode & 0o777]).toEqual(['r1', 0o700]);
});

it('lets one change after the other look at what is kept', async () => {
  const dir = await folder();
  const store = openTokenStore(dir, seams);
  const next = async (kept = '0') => {
    await new Promise((done) => setImmediate(done));
    return { keep: String(Number(kept) + 1), result: undefined };
  };

  await Promise.all([store.update('a', next), store.update('a', next), openTokenStore(dir, seams).update('a', next)]);

  expect(await store.update('a', look)).toBe('3');
});

it('keeps what was there when a change fails', async () => {
  const store = openTokenStore(await folder(), seams);
  await store.update('a', keep('old'));

  await expect(store.update('a', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');

  expect(await store.update('a', look)).toBe('old');
});

it('stays closed to other processes while sources of this one take their turn', async () => {
  const dir = await folder();
  const lookAlone = `
    const db = new (require('node:sqlite').DatabaseSync)('${join(dir, 'credentials.db')}', { timeout: 0 });
    try { db.exec('BEGIN EXCLUSIVE'); console.log('free'); } catch (error) { console.log(error.errstr); }`;
  let waiting: Promise<unknown> | undefined;

  const seen = await openTokenStore(dir, seams).update('a', async () => {
    waiting = openTokenStore(dir, seams).update('b', keep('token of b'));
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '-e', lookAlone]);
    return { keep: 'token of a', result: stdout };
  });
  await waiting;

  expect(seen).toBe('database is locked\n');
  expect(await openTokenStore(dir, seams).update('b', look)).toBe('token of b');
});

it('writes what the disk did not take before anything else is spent', async () => {
  const dir = await folder();
  const journal = join(dir, 'credentials.db-journal');
  await openTokenStore(dir, seams).update('a', keep('r0'));
  const full = async () => {
    await rm(journal, { force: true });
    await mkdir(journal);
    return { keep: 'r1', result: undefined };
  };

  const lost = openTokenStore(dir, seams).update('a', full);
  await expect(lost).rejects.toMatchObject({
    code: 'PEN_SOURCE_UNAVAILABLE',
    fix: expect.stringMatching(/^make room/) as string,
  });
  await rm(journal, { recursive: true });
  const next = await openTokenStore(dir, seams).update('a', look);

  using db = new DatabaseSync(join(dir, 'credentials.db'));
  expect([next, db.prepare('SELECT token FROM tokens').all()]).toEqual(['r1', [{ token: 'r1' }]]);
});

it('waits for its turn no longer than it is wanted', async () => {
  const store = openTokenStore(await folder(), seams);
  const stopping = new AbortController();
  const [begun, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<TokenChange<string>>()];
  const change = (): Promise<TokenChange<string>> => {
    begun.resolve();
    return answer.promise;
  };
  const first = store.update('a', change, stopping.signal);
  await begun.promise;
  const second = store.update('b', keep('never'), stopping.signal);

  stopping.abort(new Error('stopped'));
  await expect(second).rejects.toThrow('stopped');
  answer.resolve({ keep: 'r1', result: 'went on' });

  expect([await first, await store.update('a', look), await store.update('b', look)]).toEqual(['went on', 'r1', undefined]);
});

it('is free again after a process was killed in the middle of a change', async () => {
  const dir = await folder();
  await openTokenStore(dir, seams).update('a', keep('old'));
  const code = `
    import { systemSeams } from '${join(import.meta.dirname, '../../src/base/seams.ts')}';
    import { openTokenStore } from '${join(import.meta.dirname, '../../src/runtime/token-store.ts')}';
    await openTokenStore('${dir}', systemSeams()).update('a', () => { console.log('in'); setInterval(() => {}, 1000); return new Promise(() => {}); });`;
  await writeFile(join(dir, 'child.ts'), code);
  const child = spawn(process.execPath, ['--no-warnings', join(dir, 'child.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const waiting = openTokenStore(dir, seams).update('a', look);
  child.kill('SIGKILL');

  expect(await waiting).toBe('old');
});

it('keeps what is under way when a command is ended by Ctrl-C', async () => {
  const dir = await folder();
  const code = `
    import { once } from 'node:events';
    import { systemSeams } from '${join(import.meta.dirname, '../../src/base/seams.ts')}';
    import { openTokenStore } from '${join(import.meta.dirname, '../../src/runtime/token-store.ts')}';
    await openTokenStore('${dir}', systemSeams()).update('a', async () => {
      console.log('in');
      await once(process.stdin, 'data');
      return { keep: 'r1', result: undefined };
    });
    setInterval(() => {}, 1000);`;
  await writeFile(join(dir, 'child.ts'), code);
  const child = spawn(process.execPath, ['--no-warnings', join(dir, 'child.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');

  child.kill('SIGINT');
  child.stdin.write('the issuer answers');

  expect(await ended).toEqual([null, 'SIGINT']);
  expect(await openTokenStore(dir, seams).update('a', look)).toBe('r1');
});

it.each(['', '-journal', '-wal', '-shm'])('uses no link that somebody put into the place of credentials.db%s', async (suffix) => {
  const dir = await folder();
  const target = join(dir, 'target');
  await writeFile(target, 'untouched');
  await symlink(target, join(dir, `credentials.db${suffix}`));

  await expect(openTokenStore(dir, seams).update('a', keep('x'))).rejects.toMatchObject({ code: 'PEN_DATA_DIR_UNSAFE' });
  expect(await readFile(target, 'utf8')).toBe('untouched');
});

it('keeps no token where everybody can write', async () => {
  const dir = await folder();
  await chmod(dir, 0o777);

  await expect(openTokenStore(dir, seams).update('a', keep('x'))).rejects.toMatchObject({ code: 'PEN_DATA_DIR_UNSAFE' });
});
