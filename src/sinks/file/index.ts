import { dirname, resolve } from 'node:path';
import { unlessCutOff } from '../../base/abort.ts';
import { type Clock, deadline } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { takeFileTurn } from '../../base/file-turns.ts';
import { makeFolder } from '../../base/make-folder.ts';
import { formatSize } from '../../base/quantity.ts';
import type { Files } from '../../base/seams.ts';
import type { Encoded } from '../encoded.ts';
import { OneWriter } from '../one-writer.ts';
import type { ProbeReport, Sink, SinkContext, SinkType, Verdict, Verdicts } from '../sink.ts';
import { longestLineBytes, openUnlinked, refuseForeign } from './line-file.ts';
import { FileSinkOptions } from './options.ts';
import { RotatingFile } from './rotating-file.ts';

/** `type: file`: one line per event, on disk before it counts. */
export const file: SinkType = {
  name: 'file',
  options: FileSinkOptions,
  defaultFormat: 'ocsf',
  acknowledges: 'the line is on disk (fsync)',
  // The options were validated against the schema above when the configuration was read.
  open: async (options, context) => openFileSink(options as unknown as FileSinkOptions, context),
  urls: () => [],
};

const ownDisk = 'a write has not ended: see why its disk, or the server of its share, stands still';

/** Opens the sink; the file itself is opened, and repaired if need be, with the first batch. */
function openFileSink(options: FileSinkOptions, { seams, log, format }: SinkContext): Sink {
  const path = resolve(options.path);
  const isRaw = format === 'raw';
  const target = new RotatingFile(path, { ...options, isRaw }, seams, log);
  let isWriting = false;
  const why = (): string => (isWriting ? ownDisk : 'it waits for calls on other files and folders, which have not ended either');
  const writer = new OneWriter(
    () => `${path}: ${why()}`,
    () => isWriting,
  );
  let isClosed = false;
  const write = async (encoded: Encoded): Promise<Verdicts> => {
    using _turn = await takeFileTurn(path);
    // The sink that was opened in place of this one writes the batch.
    if (isClosed) return { all: { kind: 'retry', reason: `${path}: closed` } };
    isWriting = true;
    try {
      return await append(target, encoded, path);
    } finally {
      isWriting = false;
    }
  };
  return {
    endpoints: [path],
    maxInFlight: 1,
    isStream: true,
    maxEventBytes: longestLineBytes,
    encode: ({ body }) => [body, '\n'],
    send: (batch, signal) => writer.send(batch, signal, () => write(batch.encoded)),
    probe: (signal) => probe(path, seams.files, isRaw, signal),
    [Symbol.asyncDispose]() {
      isClosed = true;
      const closed = writer.idle().then(() => target[Symbol.asyncDispose]());
      return whileItMoves(closed, () => target.steps, seams.clock);
    },
  };
}

// A disk that stands still keeps neither a stop nor a change of the configuration from ending; compressing a large file may take its time.
const longestStillMs = 2000;

/** Waits for the work, but no longer while its steps stand still. */
async function whileItMoves(work: Promise<void>, steps: () => number, clock: Clock): Promise<void> {
  for (let seen = -1; seen !== steps(); ) {
    seen = steps();
    using limit = deadline(clock, longestStillMs);
    if (
      (await unlessCutOff(
        work.then(() => true),
        limit.signal,
      )) === true
    )
      return;
  }
}

async function append(target: RotatingFile, encoded: Encoded, path: string): Promise<Verdicts> {
  let done = 0;
  try {
    while (done < encoded.length) {
      const opened = await target.ready(encoded.bytesAt(done).length);
      const next = endOfPart(encoded, done, target.maxBytes - opened.size);
      await opened.append(encoded.bytes(done, next));
      done = next;
    }
    return { all: { kind: 'accept' } };
  } catch (error) {
    const mayStay = await target.giveUp();
    const failed = mayStay ? inDoubt(verdictOfError(error, path)) : verdictOfError(error, path);
    return done === 0
      ? { all: failed }
      : { each: Array.from({ length: encoded.length }, (_, index) => (index < done ? { kind: 'accept' } : failed)) };
  }
}

/** Index after the last of the lines from `start` that fit `room` bytes; at least one line goes. */
function endOfPart(encoded: Encoded, start: number, room: number): number {
  if (room === Number.POSITIVE_INFINITY) return encoded.length;
  let left = room - encoded.bytesAt(start).length;
  let end = start + 1;
  for (; end < encoded.length; end += 1) {
    left -= encoded.bytesAt(end).length;
    if (left < 0) break;
  }
  return end;
}

const configurationCodes = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']);
/** What to do about what ends by itself once it is done. */
const hints: Readonly<Record<string, string>> = {
  ENOSPC: ' (make room on its file system)',
  EDQUOT: ' (raise the quota of its user, or make room)',
};

function verdictOfError(error: unknown, path: string): Verdict & { readonly kind: 'hold' | 'retry' } {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const reason = `${path}: ${message}`;
  if (error instanceof PenstockError) {
    const { where = path } = error;
    return { kind: 'hold', reason: `${where}: ${message}`, fix: error.fix ?? 'check path' };
  }
  if (configurationCodes.has(code))
    return { kind: 'hold', reason, fix: `let the daemon write to ${dirname(path)}, or change path` };
  if (code === 'EFBIG')
    return { kind: 'hold', reason, fix: 'set "rotate: { size: ... }" below what the file system, or ulimit -f, allows' };
  return { kind: 'retry', reason: `${reason}${hints[code] ?? ''}` };
}

/** Of a file that could not be cut back: lines may have stayed in it. */
function inDoubt(verdict: ReturnType<typeof verdictOfError>): Verdict {
  if (verdict.kind === 'hold') return { ...verdict, maybeStored: true };
  return { kind: 'uncertain', reason: verdict.reason, blameless: true };
}

// `check` may run beside the daemon: it must not touch what the daemon is writing, so nothing is repaired here.
async function probe(path: string, files: Files, isRaw: boolean, signal: AbortSignal): Promise<ProbeReport> {
  const found = await unlessCutOff(look(path, files, isRaw), signal);
  if (found !== undefined) return found;
  return {
    ok: false,
    findings: [`${path}: no answer of its file system`],
    fix: 'see why its disk, or the server of its share, stands still',
  };
}

async function look(path: string, files: Files, isRaw: boolean): Promise<ProbeReport> {
  try {
    await makeFolder(dirname(path), files, 0o700);
    await using handle = await openUnlinked(path, files);
    await refuseForeign(handle, path, isRaw);
    const { size } = await handle.stat();
    return { ok: true, findings: [`${path} can be written (${formatSize(size)} so far)`] };
  } catch (error) {
    const verdict = verdictOfError(error, path);
    return {
      ok: false,
      findings: [verdict.reason],
      fix:
        verdict.kind === 'hold'
          ? verdict.fix
          : `see that ${dirname(path)} can be made and that the disk has room, or change path`,
    };
  }
}
