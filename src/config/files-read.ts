import { hash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Files } from '../base/seams.ts';

/** What was read from where, secrets and certificates among it, so that it can be compared with what is there now. */
export class FilesRead {
  readonly #files: Files;
  /** Digest by absolute path; undefined for a file that was looked for and not found. */
  readonly #digests = new Map<string, string | undefined>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** The same files; what is read through them is remembered. */
  watched(): Files {
    const readFile = async (path: string, encoding?: BufferEncoding): Promise<Buffer | string> => {
      const bytes = await this.#files.readFile(path);
      this.#digests.set(resolve(path), digestOf(bytes));
      return encoding === undefined ? bytes : bytes.toString(encoding);
    };
    const stat = async (path: string): Promise<unknown> => {
      if (!this.#digests.has(resolve(path))) this.#digests.set(resolve(path), undefined);
      return this.#files.stat(path);
    };
    return { ...this.#files, readFile: readFile as Files['readFile'], stat: stat as Files['stat'] };
  }

  /** Forgets files that whoever uses them follows by himself. */
  leaveOut(paths: readonly string[]): void {
    for (const path of paths) this.#digests.delete(resolve(path));
  }

  /** One text for what was read; equal to {@link contentNow} while nothing has changed. */
  get content(): string {
    return JSON.stringify([...this.#digests].map(([path, digest]) => [path, digest ?? null]));
  }

  /** One text for what stands in the same places now. */
  async contentNow(): Promise<string> {
    const read = async (path: string): Promise<readonly [string, string | null]> => [path, await this.#digestNow(path)];
    return JSON.stringify(await Promise.all([...this.#digests.keys()].map(read)));
  }

  /** Those that say something else now, are gone, or have appeared. */
  async changed(): Promise<readonly string[]> {
    const compare = async ([path, digest]: readonly [string, string | undefined]): Promise<readonly string[]> =>
      (await this.#digestNow(path)) === (digest ?? null) ? [] : [path];
    return (await Promise.all([...this.#digests].map(compare))).flat();
  }

  async #digestNow(path: string): Promise<string | null> {
    try {
      return digestOf(await this.#files.readFile(path));
    } catch {
      // Unreadable or gone: different from what was read, whatever the reason.
      return null;
    }
  }
}

function digestOf(bytes: Buffer): string {
  return hash('sha256', bytes);
}
