import { mkdtemp, rm } from 'node:fs/promises';
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
