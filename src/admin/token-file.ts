import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { clearPlace } from '../base/own-file.ts';
import type { Files } from '../base/seams.ts';

/** What a daemon leaves for the people of this machine who open its page or ask it over TCP. */
interface LeftToken {
  readonly token: string;
  /** `http://127.0.0.1:8690` */
  readonly url: string;
}

const names = { token: 'admin.token', url: 'admin.url' } as const;

/** A new token: 32 random bytes as hex. */
export function makeToken(): string {
  return randomBytes(32).toString('hex');
}

/** Leaves token and address in `data_dir`, readable by its owner only; disposing takes them away. */
export async function leaveToken(
  dataDir: string,
  left: LeftToken,
  files: Pick<Files, 'rm' | 'writeFile'>,
): Promise<AsyncDisposable> {
  for (const [key, name] of Object.entries(names))
    await files.writeFile(join(dataDir, name), `${left[key as keyof LeftToken]}\n`, { mode: 0o600, flag: 'wx' });
  return { [Symbol.asyncDispose]: () => removeToken(dataDir, files) };
}

/** Takes away what a daemon that was killed has left; a link there, and not what it leads to. */
export async function removeToken(dataDir: string, files: Pick<Files, 'rm'>): Promise<void> {
  for (const name of Object.values(names)) await clearPlace(join(dataDir, name), files);
}
