import { silentLog } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import { openJournal } from '../journal/index.ts';
import type { Journal } from '../journal/journal.ts';
import { readConfig } from './read-config.ts';

export type { DeadLetter, Journal, LetterFilter } from '../journal/journal.ts';

/** Opens the journal of a configuration beside a running daemon, or without one, for as long as `use` takes. */
export async function withStoredJournal<T>(
  configFile: string,
  seams: Seams,
  use: (journal: Journal, config: Config) => Promise<T>,
  { withSecrets = false }: { readonly withSecrets?: boolean } = {},
): Promise<T> {
  const config = await readConfig(configFile, seams, { withoutSecrets: !withSecrets });
  const { maxBytes, keepMs } = config.journal;
  await using journal = await openJournal({
    dataDir: config.data_dir,
    maxBytes,
    keepMs,
    seams,
    log: silentLog(),
    lock: 'shared',
  });
  return await use(journal, config);
}
