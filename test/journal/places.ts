import { type Seams, systemSeams } from '../../src/base/seams.ts';
import { type Journal, openJournal } from '../../src/journal/index.ts';
import { journalOptions, temporaryDirectory } from './fixture.ts';
import { emptyDisk } from './memory/disk.ts';
import { openMemoryJournal } from './memory/journal.ts';

/** Makes a place for a journal. What it returns opens the journal, each time with what the one before left there. */
export type Place = (seams?: Seams) => Promise<() => Promise<Journal>>;

export const onDisk: Place = async (seams = systemSeams()) => {
  const dataDir = await temporaryDirectory();
  return () => openJournal(journalOptions(dataDir, { seams }));
};

export const inMemory: Place = async (seams = systemSeams()) => {
  const disk = emptyDisk({ strict: true, now: () => seams.clock.now() });
  return async () => openMemoryJournal(disk);
};
