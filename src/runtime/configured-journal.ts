import { PenstockError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import { glanceAtJournal, type JournalOptions, openJournal } from '../journal/index.ts';
import type { Journal } from '../journal/journal.ts';
import { readConfig, readDatabase, readDataDir } from './read-config.ts';

/** Where a journal is, and its limits. */
export type JournalPlace = Pick<Config, 'data_dir' | 'journal' | 'replica'>;

/**
 * Where the journal of a configuration is, also while its file is being edited: a file that became faulty does not keep anybody from what the
 * daemon before it works on. Limits are not known then, and do not matter to an observer. Throws PEN_CONFIG_INVALID where nothing is there.
 */
export async function journalPlace(configFile: string, seams: Seams): Promise<JournalPlace> {
  try {
    return (await readDatabase(configFile, seams)) ?? (await readConfig(configFile, seams, { withoutSecrets: true }));
  } catch (error) {
    if (!(error instanceof PenstockError && error.code === 'PEN_CONFIG_INVALID')) throw error;
    const data_dir = await readDataDir(configFile, seams);
    const { version } = await glanceAtJournal(data_dir).catch(() => ({ version: undefined }));
    // A file that names a database has its journal there, and the rest of what it says of it is needed.
    const isElsewhere = /postgres/i.test(await seams.files.readFile(configFile, 'utf8'));
    if (version === undefined || isElsewhere) throw error;
    return { data_dir, journal: { maxBytes: 2 ** 31, keepMs: 0, database: undefined }, replica: { name: '', labels: [] } };
  }
}

/** What keeps the journal of a configuration. */
export const engineOf = ({ data_dir, journal: { database }, replica }: JournalPlace): JournalOptions['engine'] =>
  database === undefined ? { kind: 'sqlite', dataDir: data_dir } : { kind: 'postgres', ...database, replica };

/** Opens the journal of a configuration with its limits. Throws as `openJournal` does. */
export function openConfiguredJournal(
  place: JournalPlace,
  options: Omit<JournalOptions, 'engine' | 'maxBytes' | 'keepMs'>,
): Promise<Journal> {
  const { maxBytes, keepMs } = place.journal;
  return openJournal({ engine: engineOf(place), maxBytes, keepMs, ...options });
}

/** Opens the journal as {@link journalPlace} finds it, beside a running daemon or without one, for as long as `use` takes. */
export async function withJournal<T>(configFile: string, seams: Seams, use: (journal: Journal) => Promise<T>): Promise<T> {
  const place = await journalPlace(configFile, seams);
  await using journal = await openConfiguredJournal(place, { seams, log: silentLog(), role: 'observer' });
  return await use(journal);
}

/** Opens the journal of a configuration beside a running daemon, or without one, for as long as `use` takes. */
export async function withStoredJournal<T>(
  configFile: string,
  seams: Seams,
  use: (journal: Journal, config: Config) => Promise<T>,
  { withSecrets = false }: { readonly withSecrets?: boolean } = {},
): Promise<T> {
  const config = await readConfig(configFile, seams, { withoutSecrets: !withSecrets });
  await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), role: 'observer' });
  return await use(journal, config);
}
