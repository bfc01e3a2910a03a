import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Files } from '../../base/seams.ts';
import { syncFolder, writeAll } from './line-file.ts';

const chunkBytes = 256 * 1024;

/** The UTC hour or day of a time, as a comparable text. */
export function periodOf(ms: number, every: 'day' | 'hour'): string {
  return new Date(ms).toISOString().slice(0, every === 'day' ? 10 : 13);
}

/** `audit.ndjson` at 2026-11-21T09:45:00.123Z, second file of that moment -> `audit.20261121T094500.123Z-1.ndjson`. */
function rotatedName(path: string, ms: number, number: number): string {
  const extension = extname(path);
  const stamp = new Date(ms).toISOString().replace(/[-:]/g, '');
  return `${basename(path, extension)}.${stamp}${number === 0 ? '' : `-${number}`}${extension}`;
}

/** Matches the names that {@link rotatedName} gives to a path, compressed or not. */
function rotatedPattern(path: string): RegExp {
  const extension = extname(path);
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(
    `^${literal(basename(path, extension))}\\.(\\d{8}T\\d{6}\\.\\d{3}Z)(?:-(\\d+))?${literal(extension)}(\\.gz)?(\\.part)?$`,
  );
}

/** Moves the file away under a name of its time; never over another file. Returns the new path. */
export async function moveAway(path: string, ms: number, files: Files): Promise<string> {
  const folder = dirname(path);
  for (let number = 0; ; number += 1) {
    const target = join(folder, rotatedName(path, ms, number));
    if ((await exists(target, files)) || (await exists(`${target}.gz`, files))) continue;
    await files.rename(path, target);
    await syncFolder(folder, files);
    return target;
  }
}

async function exists(path: string, files: Files): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

interface Rotated {
  readonly name: string;
  readonly stamp: string;
  readonly number: number;
  readonly isCompressed: boolean;
  readonly isPart: boolean;
}

async function listRotated(path: string, files: Files): Promise<Rotated[]> {
  const pattern = rotatedPattern(path);
  const matches = (await files.readdir(dirname(path))).map((name) => pattern.exec(name)).filter((match) => match !== null);
  return matches
    .map((match) => ({
      name: match[0],
      stamp: match[1] ?? '',
      number: Number(match[2] ?? 0),
      isCompressed: match[3] !== undefined,
      isPart: match[4] !== undefined,
    }))
    .sort((a, b) => (a.stamp === b.stamp ? a.number - b.number : a.stamp < b.stamp ? -1 : 1));
}

/**
 * What is done to files already rotated: half-made `.gz` of a crash are deleted, the others compressed if asked, and of the rest the newest
 * `keep` stay. Can be repeated at any time.
 */
export async function tidyRotated(
  path: string,
  options: { compress: boolean; keep: number | undefined },
  files: Files,
): Promise<void> {
  const folder = dirname(path);
  for (const { name, isPart } of await listRotated(path, files)) if (isPart) await files.unlink(join(folder, name));
  if (options.compress) {
    for (const { name, isCompressed } of await listRotated(path, files))
      if (!isCompressed) await compress(join(folder, name), files);
  }
  if (options.keep === undefined) return;
  const rotated = await listRotated(path, files);
  for (const { name } of rotated.slice(0, Math.max(0, rotated.length - options.keep))) await files.unlink(join(folder, name));
}

/** Writes `path.gz` beside the file and deletes the file once the copy is on disk. */
async function compress(path: string, files: Files): Promise<void> {
  const part = `${path}.gz.part`;
  {
    await using source = await files.open(path, 'r');
    await using target = await files.open(part, 'w', 0o600);
    await pipeline(chunksOf(source), createGzip(), async (compressed: AsyncIterable<Buffer>) => {
      for await (const chunk of compressed) await writeAll(target, chunk);
    });
    await target.sync();
  }
  await files.rename(part, `${path}.gz`);
  await syncFolder(dirname(path), files);
  await files.unlink(path);
}

// The handle's own streams would close it, or never end a pipeline when told not to.
async function* chunksOf(source: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { bytesRead, buffer } = await source.read(Buffer.alloc(chunkBytes), 0, chunkBytes, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
