import type { Stats } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { foreignFile, ownUser } from '../base/own-file.ts';
import { inspectFolder } from '../base/own-folder.ts';
import type { Files } from '../base/seams.ts';
import { openPlace, socketPath } from './socket.ts';

interface Search {
  readonly dataDir: string;
  readonly files: Files;
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const mostBytes = 64 * 2 ** 20;

/**
 * Finds the daemon that works on `data_dir`; undefined when none runs: the system answers for that, which lets nobody connect to the socket of
 * a process that is gone. Rejects with PEN_OPERATION_FAILED when a daemon is there but does not answer or is another user's, and with
 * PEN_DATA_DIR_UNSAFE where others can write there, or have put the socket there.
 */
export async function findDaemon({ dataDir, files, timeoutMs = 10_000 }: Search): Promise<RunningDaemon | undefined> {
  await inspectFolder(dataDir, files);
  if (!(await inspectSocket(dataDir, files))) return undefined;
  const daemon = new RunningDaemon(dataDir, files, timeoutMs);
  return (await daemon.isThere()) ? daemon : undefined;
}

/** Whose socket stands there counts also where nobody can write any more: it may be left from a time when others could. */
async function inspectSocket(dataDir: string, files: Files): Promise<boolean> {
  const path = socketPath(dataDir);
  const [stat, ...owners] = await Promise.all([path, dataDir, join(dataDir, 'journal.db')].map((one) => statOf(one, files)));
  if (stat === undefined) return false;
  if (!stat.isSocket()) throw foreignFile(path, 'is not a socket', 'PEN_DATA_DIR_UNSAFE');
  const user = ownUser();
  // Root asks the daemon of any user: of the one whose folder it is or, in a volume, whose journal.
  const trusted = user === 0 ? [user, ...owners.map((owner) => owner?.uid)] : [user];
  if (user !== undefined && !trusted.includes(stat.uid))
    throw foreignFile(
      path,
      `belongs to user ${stat.uid}`,
      'PEN_DATA_DIR_UNSAFE',
      'run the command as the user that runs the daemon',
    );
  return true;
}

async function statOf(path: string, files: Files): Promise<Stats | undefined> {
  try {
    return await files.lstat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The daemon that works on a `data_dir`, as the commands see it. Its calls reject with PEN_OPERATION_FAILED when it does not answer well. */
class RunningDaemon {
  readonly #dataDir: string;
  readonly #files: Files;
  readonly #timeoutMs: number;

  constructor(dataDir: string, files: Files, timeoutMs: number) {
    this.#dataDir = dataDir;
    this.#files = files;
    this.#timeoutMs = timeoutMs;
  }

  async isThere(): Promise<boolean> {
    try {
      await this.#ask('/healthz');
      return true;
    } catch (error) {
      const code = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
      if (['ECONNREFUSED', 'ENOENT', 'ENOTDIR'].includes(code ?? '')) return false;
      throw error;
    }
  }

  /** What `penstock status --json` prints. */
  status(): Promise<unknown> {
    return this.#ask('/status');
  }

  async #ask(path: string): Promise<unknown> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      const { status, body } = await this.#exchange(path, signal);
      if (status === 200) return body;
      const said = isObject(body) && typeof body['error'] === 'string' ? `: ${body['error']}` : '';
      throw this.#failure(`the daemon answered ${status}${said}`, 'see its log');
    } catch (cause) {
      if (cause instanceof PenstockError) throw cause;
      if ((cause as NodeJS.ErrnoException).code === 'EACCES')
        throw this.#failure('may not connect to the daemon', 'run the command as the user that runs the daemon', cause);
      const what = signal.aborted ? `no answer within ${this.#timeoutMs} ms` : `no answer (${(cause as Error).message})`;
      throw this.#failure(what, 'check that the daemon is running', cause);
    }
  }

  async #exchange(path: string, signal: AbortSignal): Promise<Answer> {
    await using place = await openPlace(this.#dataDir, this.#files);
    const headers = { host: 'penstock', connection: 'close' };
    return await new Promise<Answer>((resolve, reject) => {
      // Imported, node:http brings an HTTP client of its own along that nobody here uses: 30 ms of a start.
      const { request: ask } = process.getBuiltinModule('node:http');
      const request = ask({ socketPath: place.path, path, headers, signal, agent: false }, (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.on('error', reject);
      request.end();
    });
  }

  #failure(what: string, fix: string, cause?: unknown): PenstockError {
    return new PenstockError('PEN_OPERATION_FAILED', what, { where: socketPath(this.#dataDir), fix, cause });
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`its answer is larger than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown };
}
