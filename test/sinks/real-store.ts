// versitygw, an S3 store over a folder that verifies signatures and checksums, as installed or as scripts/install-receivers.sh built it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { freePort } from '../free-port.ts';
import { uidsOf } from './s3-store.ts';
import { until } from './sink-bench.ts';

const built =
  process.env['PENSTOCK_RECEIVERS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'penstock/receivers');
const places = [join(built, 'bin'), ...(process.env['PATH'] ?? '').split(':')];

/** Where it is; undefined when this machine has none. */
export const versitygw = places.map((place) => join(place, 'versitygw')).find((path) => existsSync(path));

export interface RealStore extends AsyncDisposable {
  readonly url: string;
  readonly key: { readonly access_key_id: string; readonly secret_access_key: string };
  /** SIGKILL, then a fresh start on the same port and folder. */
  restart(): Promise<void>;
  /** The objects of its only bucket, `lake`. */
  keys(): string[];
  uids(key: string): string[];
  /** Uploads that are neither completed nor abandoned. */
  uploads(): string[];
}

/** Starts it with an empty bucket `lake`. */
export async function startStore(): Promise<RealStore> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-store-'));
  const bucket = join(folder, 'data/lake');
  mkdirSync(bucket, { recursive: true });
  mkdirSync(join(folder, 'meta'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const key = { access_key_id: 'AKIALAKE', secret_access_key: 'secret-of-the-lake' };
  const launch = async (): Promise<ChildProcess> => {
    const env = { ...process.env, ROOT_ACCESS_KEY: key.access_key_id, ROOT_SECRET_KEY: key.secret_access_key };
    const options = ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', join(folder, 'meta'), join(folder, 'data')];
    const child = spawn(versitygw ?? '', options, { env, stdio: 'ignore' });
    await until(async () => child.exitCode !== null || (await answers(url)));
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`);
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  let child = await launch();
  const files = (): string[] =>
    readdirSync(bucket, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(bucket, join(entry.parentPath, entry.name)));
  return {
    url,
    key,
    async restart() {
      await end(child);
      child = await launch();
    },
    keys: () => files().filter((path) => !path.startsWith('.sgwtmp')),
    uids(name) {
      const bytes = readFileSync(join(bucket, name));
      const text = name.endsWith('.gz') ? gunzipSync(bytes) : name.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes;
      return uidsOf(text.toString('utf8'));
    },
    uploads: () => files().filter((path) => path.startsWith('.sgwtmp/multipart')),
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
    (answer) => answer.arrayBuffer().then(() => true),
    () => false,
  );
}
