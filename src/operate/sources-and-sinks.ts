import { PenstockError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { inspectFolder } from '../base/own-folder.ts';
import type { Seams } from '../base/seams.ts';
import { checkpointAt } from '../collect/index.ts';
import type { Config } from '../config/index.ts';
import type { Journal } from '../journal/journal.ts';
import { openConfiguredJournal } from '../runtime/configured-journal.ts';
import { readConfig } from '../runtime/read-config.ts';
import { configuredSource } from '../runtime/runtime.ts';

async function refuseBesideReplicas(journal: Journal): Promise<void> {
  const living = (await journal.ownership.replicas()) ?? [];
  if (living.length > 0)
    throw new PenstockError('PEN_JOURNAL_LOCKED', `replicas work on this journal: ${living.map(({ name }) => name).join(', ')}`, {
      fix: 'stop all of them, run this command, and start them again; one that was killed counts until its lease is over',
    });
}

/** Names in the journal change only while no daemon uses it. */
async function alone<T>(configFile: string, seams: Seams, change: (journal: Journal, config: Config) => Promise<T>): Promise<T> {
  const config = await readConfig(configFile, seams);
  if (config.journal.database === undefined) {
    // Opening it would set the mode of data_dir right without a word.
    await inspectFolder(config.data_dir, seams.files);
  }
  try {
    await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), lockWaitMs: 0 });
    await refuseBesideReplicas(journal);
    return await change(journal, config);
  } catch (error) {
    if (!(error instanceof PenstockError && error.code === 'PEN_JOURNAL_LOCKED')) throw error;
    if (config.journal.database !== undefined) throw error;
    throw new PenstockError('PEN_JOURNAL_LOCKED', 'a daemon is using this journal', {
      fix: 'stop it, run this command, and start it again',
      cause: error,
    });
  }
}

/** Moves everything the journal knows of a source to another name. */
export function renameSource(configFile: string, seams: Seams, from: string, to: string): Promise<void> {
  return alone(configFile, seams, (journal) => journal.renameSource(from, to));
}

/** Moves everything the journal knows of a sink to another name. */
export function renameSink(configFile: string, seams: Seams, from: string, to: string): Promise<void> {
  return alone(configFile, seams, (journal) => journal.renameSink(from, to));
}

/** Deletes a sink's state; what was pending counts as abandoned. */
export function forgetSink(configFile: string, seams: Seams, name: string): Promise<void> {
  return alone(configFile, seams, (journal, config) => {
    if (config.sinks.some((sink) => sink.name === name)) {
      throw new PenstockError('PEN_USAGE', `sink "${name}" is still in the configuration`, {
        where: configFile,
        fix: 'remove it from the configuration first',
      });
    }
    return journal.forgetSink(name);
  });
}

/** Makes a source collect from a time on under its configured identity; the ids collected before stay known. */
export function resetSource(configFile: string, seams: Seams, name: string, from: number): Promise<void> {
  return alone(configFile, seams, async (journal, config) => {
    const source = configuredSource(config, name);
    await journal.resetSource(name, checkpointAt(source, from));
    await journal.setHold('source', name, null);
  });
}
