import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import type { Files } from '../base/seams.ts';

/** What a daemon leaves for the commands of this machine. */
export interface LeftToken {
  readonly token: string;
  /** `http://127.0.0.1:8690` */
  readonly url: string;
}

const tokenName = 'admin.token';
const urlName = 'admin.url';

/** A new token: 32 random bytes as hex. */
export function makeToken(): string {
  return randomBytes(32).toString('hex');
}

/** Leaves token and address in `data_dir`, readable by its owner only; disposing takes them away. */
export async function leaveToken(dataDir: string, { token, url }: LeftToken, files: Files): Promise<AsyncDisposable> {
  for (const [name, text] of [
    [tokenName, token],
    [urlName, url],
  ] as const) {
    const path = join(dataDir, name);
    // A file that is already there may be readable by others, or be a link.
    await files.rm(path, { force: true });
    await files.writeFile(path, `${text}\n`, { mode: 0o600, flag: 'wx' });
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const name of [tokenName, urlName]) await files.rm(join(dataDir, name), { force: true });
    },
  };
}

/** What a daemon left in `data_dir`; undefined when there is nothing. It may be left over from one that was killed.
 * Throws PEN_OPERATION_FAILED when it may not be read. */
export async function findToken(dataDir: string, files: Pick<Files, 'readFile'>): Promise<LeftToken | undefined> {
  try {
    const [token, url] = await Promise.all([tokenName, urlName].map((name) => files.readFile(join(dataDir, name), 'utf8')));
    return { token: (token ?? '').trim(), url: (url ?? '').trim() };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown fault';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new PenstockError('PEN_OPERATION_FAILED', `the token of the running daemon cannot be read (${code})`, {
      where: join(dataDir, tokenName),
      fix: 'run the command as the user that runs the daemon',
      cause: error,
    });
  }
}
