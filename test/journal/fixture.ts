import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type JournalOptions, openJournal } from '../../src/journal/index.ts';
import { journalOptions } from './records.ts';

export * from './records.ts';

/** A directory that is removed when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'penstock-journal-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A journal of its own in a temporary directory; close it with `await using`. */
export async function temporaryJournal(change: Partial<JournalOptions> = {}) {
  return openJournal(journalOptions(await temporaryDirectory(), change));
}

/** A small disk of its own, where the machine lets us mount one. */
export async function smallDisk(mebibytes: number): Promise<string | undefined> {
  const path = join(await temporaryDirectory(), 'disk');
  await mkdir(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes * 1024}k`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', path]));
  return path;
}
