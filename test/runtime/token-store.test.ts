import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { openTokenStore } from '../../src/runtime/token-store.ts';

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-tokens-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const seams = systemSeams();
const keep = (token: string) => () => Promise.resolve({ keep: token, result: undefined });
const look = (kept: string | undefined) => Promise.resolve({ keep: undefined, result: kept });

it('keeps a token for each source, in a file of our own', async () => {
  const dir = await folder();
  await openTokenStore(dir, 'a', seams).update(keep('token of a'));
  await openTokenStore(dir, 'b', seams).update(keep('token of b'));

  const kept = await Promise.all(['a', 'b', 'c'].map((name) => openTokenStore(dir, name, seams).update(look)));

  expect(kept).toEqual(['token of a', 'token of b', undefined]);
  expect((await stat(join(dir, 'credentials.db'))).mode & 0o777).toBe(0o600);
});

it('lets one change after the other look at what is kept', async () => {
  const dir = await folder();
  const store = openTokenStore(dir, 'a', seams);
  const next = async (kept = '0') => {
    await new Promise((done) => setImmediate(done));
    return { keep: String(Number(kept) + 1), result: undefined };
  };

  await Promise.all([store.update(next), store.update(next), openTokenStore(dir, 'a', seams).update(next)]);

  expect(await store.update(look)).toBe('3');
});

it('keeps what was there when a change fails', async () => {
  const store = openTokenStore(await folder(), 'a', seams);
  await store.update(keep('old'));

  await expect(store.update(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');

  expect(await store.update(look)).toBe('old');
});

it('is free again after a process was killed in the middle of a change', async () => {
  const dir = await folder();
  await openTokenStore(dir, 'a', seams).update(keep('old'));
  const code = `
    import { systemSeams } from '${join(import.meta.dirname, '../../src/base/seams.ts')}';
    import { openTokenStore } from '${join(import.meta.dirname, '../../src/runtime/token-store.ts')}';
    await openTokenStore('${dir}', 'a', systemSeams()).update(() => { console.log('in'); setInterval(() => {}, 1000); return new Promise(() => {}); });`;
  await writeFile(join(dir, 'child.ts'), code);
  const child = spawn(process.execPath, ['--no-warnings', join(dir, 'child.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const waiting = openTokenStore(dir, 'a', seams).update(look);
  child.kill('SIGKILL');

  expect(await waiting).toBe('old');
});

it('writes nothing into a file that somebody else put there', async () => {
  const dir = await folder();
  const target = join(dir, 'target');
  await writeFile(target, 'untouched');
  await symlink(target, join(dir, 'credentials.db'));

  await expect(openTokenStore(dir, 'a', seams).update(keep('x'))).rejects.toMatchObject({ code: 'PEN_DATA_DIR_UNSAFE' });
  expect(await readFile(target, 'utf8')).toBe('untouched');
});
