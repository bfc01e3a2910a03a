import { PenstockError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { inspectFolder } from '../base/own-folder.ts';
import type { Seams } from '../base/seams.ts';
import { checkpointAt } from '../collect/index.ts';
import type { Config } from '../config/index.ts';
import type { Journal, MissingReplica } from '../journal/journal.ts';
import { openConfiguredJournal, withStoredJournal } from '../runtime/configured-journal.ts';
import { readConfig } from '../runtime/read-config.ts';
import { configuredSource } from '../runtime/runtime.ts';
import { requireKnown } from './known-names.ts';

type Kind = 'source' | 'sink';

async function refuseBesideReplicas(journal: Journal): Promise<void> {
  const living = (await journal.ownership.replicas()) ?? [];
  if (living.length > 0)
    throw new PenstockError('PEN_JOURNAL_LOCKED', `replicas work on this journal: ${living.map(({ name }) => name).join(', ')}`, {
      fix: 'stop all of them, run this command, and start them again; one that was killed counts until its lease is over',
    });
}

/** Who was not heard of any more and did not leave; asked before this process joins, for it takes the place of one of them. */
async function missingReplicas(config: Config, seams: Seams): Promise<readonly MissingReplica[]> {
  if (config.journal.database === undefined) return [];
  await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), role: 'observer', lockWaitMs: 0 });
  return (await journal.ownership.missing?.()) ?? [];
}

/** Names in the journal change only while no daemon uses it. Returns the replicas that may run all the same, cut off from the database. */
async function alone(
  configFile: string,
  seams: Seams,
  change: (journal: Journal, config: Config) => Promise<void>,
  { withSecrets = false }: { readonly withSecrets?: boolean } = {},
): Promise<readonly MissingReplica[]> {
  const config = await readConfig(configFile, seams, { withoutSecrets: !withSecrets });
  if (config.journal.database === undefined) {
    // Opening it would set the mode of data_dir right without a word.
    await inspectFolder(config.data_dir, seams.files);
  }
  try {
    const missing = await missingReplicas(config, seams);
    await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), lockWaitMs: 0 });
    await refuseBesideReplicas(journal);
    await change(journal, config);
    return missing;
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
export function renameSource(configFile: string, seams: Seams, from: string, to: string): Promise<readonly MissingReplica[]> {
  return alone(configFile, seams, (journal) => journal.renameSource(from, to));
}

/** Moves everything the journal knows of a sink to another name. */
export function renameSink(configFile: string, seams: Seams, from: string, to: string): Promise<readonly MissingReplica[]> {
  return alone(configFile, seams, (journal) => journal.renameSink(from, to));
}

function refuseConfigured({ sources, sinks, file }: Config, kind: Kind, name: string): void {
  if (!(kind === 'source' ? sources : sinks).some((one) => one.name === name)) return;
  throw new PenstockError('PEN_USAGE', `${kind} "${name}" is still in the configuration`, {
    where: file,
    fix: 'remove it from the configuration first',
  });
}

/** What goes with a source or a sink. */
export interface Belongings {
  /** Records that were collected from the source and that the journal still has; undefined for a sink, which has none of its own. */
  readonly collected?: number;
  readonly stored?: number;
  /** Where events wait or letters are left: between it and which sink, or which source. */
  readonly open: readonly { readonly beside: string; readonly pending: number; readonly letters: number }[];
}

/** What would go with a source or a sink that the configuration no longer has; also beside a running daemon. */
export function readBelongings(configFile: string, seams: Seams, kind: Kind, name: string): Promise<Belongings> {
  return withStoredJournal(configFile, seams, async (journal, config) => {
    refuseConfigured(config, kind, name);
    await requireKnown(journal, { [kind]: name });
    const [{ rows }, stored] = await Promise.all([journal.ledger(), journal.stored()]);
    const open = rows
      .filter((row) => row[kind] === name && row.totals.pending + row.letters > 0)
      .map(({ source, sink, totals, letters }) => ({
        beside: kind === 'source' ? sink : source,
        pending: totals.pending,
        letters,
      }));
    const own = kind === 'source' ? stored.find(({ source }) => source === name) : undefined;
    return { ...(own !== undefined && { collected: own.collected, stored: own.stored }), open };
  });
}

/** Deletes the state of a source or a sink; what was pending counts as abandoned. */
export function forget(configFile: string, seams: Seams, kind: Kind, name: string): Promise<readonly MissingReplica[]> {
  return alone(configFile, seams, async (journal, config) => {
    refuseConfigured(config, kind, name);
    await requireKnown(journal, { [kind]: name });
    await (kind === 'source' ? journal.forgetSource(name) : journal.forgetSink(name));
  });
}

/** Makes a source collect from a time on under its configured identity, which may be a secret; the ids collected before stay known. */
export function resetSource(configFile: string, seams: Seams, name: string, from: number): Promise<readonly MissingReplica[]> {
  const reset = async (journal: Journal, config: Config): Promise<void> => {
    const source = configuredSource(config, name);
    await journal.resetSource(name, checkpointAt(source, from));
    await journal.setHold('source', name, null);
  };
  return alone(configFile, seams, reset, { withSecrets: true });
}
