import { dirname, resolve } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import { formatSize, sizeBytes } from '../../base/quantity.ts';
import type { Files } from '../../base/seams.ts';
import type { ProbeReport, Sink, SinkContext, Verdict, Verdicts } from '../sink.ts';
import { type LineFile, longestLineBytes, openLineFile } from './line-file.ts';
import type { FileOptions } from './options.ts';
import { moveAway, periodOf, tidyRotated } from './rotation.ts';

/** Opens the sink; the file itself is opened, and repaired if need be, with the first batch. */
export function openFileSink(options: FileOptions, { seams, log }: SinkContext): Sink {
  const path = resolve(options.path);
  const { clock, files } = seams;
  const maxBytes = options.rotate?.size === undefined ? Number.POSITIVE_INFINITY : sizeBytes(options.rotate.size);
  const every = options.rotate?.every;
  let current: LineFile | undefined;
  let period = '';
  let tidying: Promise<void> | undefined;

  const close = async (): Promise<void> => {
    const last = current;
    current = undefined;
    await last?.[Symbol.asyncDispose]();
  };
  const tidy = (): void => {
    tidying = (tidying ?? Promise.resolve())
      .then(() => tidyRotated(path, { compress: options.compress_rotated, keep: options.keep_files }, files))
      .catch((err: unknown) => log.warn({ err, path }, 'cannot tidy up rotated files; tried again at the next rotation'));
  };
  const ready = async (): Promise<LineFile> => {
    if (current !== undefined && !(await current.isCurrent())) await close();
    if (current !== undefined) return current;
    current = await openLineFile(path, files);
    if (current.repaired > 0)
      log.warn({ path, bytes: current.repaired }, 'cut off a torn last line; its event was never settled and comes again');
    if (every !== undefined) period = periodOf(current.lastWritten ?? clock.now(), every);
    if (options.rotate !== undefined) tidy();
    return current;
  };
  const rotateIfDue = async (opened: LineFile, nextBytes: number): Promise<LineFile> => {
    const now = every === undefined ? '' : periodOf(clock.now(), every);
    if (opened.size === 0) period = now;
    if (opened.size === 0 || (period === now && opened.size + nextBytes <= maxBytes)) return opened;
    await close();
    await moveAway(path, clock.now(), files);
    return await ready();
  };
  const send = async (encoded: readonly string[]): Promise<Verdicts> => {
    let done = 0;
    try {
      let opened = await ready();
      while (done < encoded.length) {
        opened = await rotateIfDue(opened, Buffer.byteLength(encoded[done] ?? ''));
        const next = endOfPart(encoded, done, maxBytes - opened.size);
        await opened.append(Buffer.from(encoded.slice(done, next).join('')));
        done = next;
      }
      return { all: { kind: 'accept' } };
    } catch (error) {
      const failed = verdictOfError(error, path);
      // What follows begins with a fresh look at the file: its end may be torn.
      await close().catch((err: unknown) => log.warn({ err, path }, 'cannot close the file'));
      return done === 0 ? { all: failed } : { each: encoded.map((_, index) => (index < done ? { kind: 'accept' } : failed)) };
    }
  };

  return {
    endpoints: [path],
    maxInFlight: 1,
    maxEventBytes: longestLineBytes,
    encode: ({ body }) => `${body}\n`,
    send: (batch) => send(batch.encoded),
    probe: () => probe(path, files),
    async [Symbol.asyncDispose]() {
      await close();
      await tidying;
    },
  };
}

/** Index behind the last of the lines from `start` that fit `room` bytes; at least one line goes. */
function endOfPart(encoded: readonly string[], start: number, room: number): number {
  if (room === Number.POSITIVE_INFINITY) return encoded.length;
  let left = room - Buffer.byteLength(encoded[start] ?? '');
  let end = start + 1;
  for (; end < encoded.length; end += 1) {
    left -= Buffer.byteLength(encoded[end] ?? '');
    if (left < 0) break;
  }
  return end;
}

const configurationCodes = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']);

function verdictOfError(error: unknown, path: string): Verdict {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const reason = `${path}: ${message}`;
  if (error instanceof PenstockError) return { kind: 'hold', reason: message, fix: error.fix ?? 'check path' };
  if (configurationCodes.has(code))
    return { kind: 'hold', reason, fix: `let the daemon write to ${dirname(path)}, or change path` };
  return { kind: 'retry', reason };
}

// `check` may run beside the daemon: it must not touch what the daemon is writing, so nothing is repaired here.
async function probe(path: string, files: Files): Promise<ProbeReport> {
  try {
    await files.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await using handle = await files.open(path, 'a', 0o600);
    const stat = await handle.stat();
    if (!stat.isFile())
      return { ok: false, findings: [`${path} is not a file`], fix: 'change path; for a pipe use type: stdout' };
    return { ok: true, findings: [`${path} can be written (${formatSize(stat.size)} so far)`] };
  } catch (error) {
    const verdict = verdictOfError(error, path);
    return {
      ok: false,
      findings: [error instanceof Error ? error.message : String(error)],
      fix: verdict.kind === 'hold' ? verdict.fix : 'free space on the disk, or change path',
    };
  }
}
