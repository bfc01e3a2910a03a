import { dirname, resolve } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import { makeFolder } from '../../base/make-folder.ts';
import { formatSize } from '../../base/quantity.ts';
import type { Files } from '../../base/seams.ts';
import type { Encoded } from '../encoded.ts';
import type { ProbeReport, Sink, SinkContext, SinkType, Verdict, Verdicts } from '../sink.ts';
import { longestLineBytes, openUnlinked } from './line-file.ts';
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

/** Opens the sink; the file itself is opened, and repaired if need be, with the first batch. */
function openFileSink(options: FileSinkOptions, { seams, log }: SinkContext): Sink {
  const path = resolve(options.path);
  const target = new RotatingFile(path, options, seams, log);
  return {
    endpoints: [path],
    maxInFlight: 1,
    isStream: true,
    maxEventBytes: longestLineBytes,
    encode: ({ body }) => [body, '\n'],
    send: (batch) => append(target, batch.encoded, path),
    probe: () => probe(path, seams.files),
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
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
    const failed = verdictOfError(error, path);
    await target.giveUp();
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
    await makeFolder(dirname(path), files, 0o700);
    await using handle = await openUnlinked(path, files);
    const { size } = await handle.stat();
    return { ok: true, findings: [`${path} can be written (${formatSize(size)} so far)`] };
  } catch (error) {
    const verdict = verdictOfError(error, path);
    return {
      ok: false,
      findings: [error instanceof Error ? error.message : String(error)],
      fix:
        verdict.kind === 'hold'
          ? verdict.fix
          : `see that ${dirname(path)} can be made and that the disk has room, or change path`,
    };
  }
}
