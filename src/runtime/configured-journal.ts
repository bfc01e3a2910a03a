import { silentLog } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import { type JournalOptions, openJournal } from '../journal/index.ts';
import type { Journal } from '../journal/journal.ts';
import { readConfig } from './read-config.ts';

/** Opens the journal of a configuration with its limits. Throws as `openJournal` does. */
export function openConfiguredJournal(
  { data_dir, journal: { maxBytes, keepMs, database }, replica }: Config,
  options: Omit<JournalOptions, 'engine' | 'maxBytes' | 'keepMs'>,
): Promise<Journal> {
  const engine: JournalOptions['engine'] =
    database === undefined ? { kind: 'sqlite', dataDir: data_dir } : { kind: 'postgres', ...database, replica };
  return openJournal({ engine, maxBytes, keepMs, ...options });
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
