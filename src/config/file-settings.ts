import { resolve } from 'node:path';
import { durationMs, sizeBytes } from '../base/quantity.ts';
import { checkTls } from './check-tls.ts';
import type { Config } from './config.ts';
import type { FileOptions } from './file-options.ts';
import type { LoadContext } from './load-context.ts';

const leastJournalBytes = 8 * 2 ** 20;

/** What stands at the top of the file. */
export type FileSettings = Pick<Config, 'data_dir' | 'log' | 'admin' | 'journal' | 'connectors_dir' | 'shutdownTimeoutMs'>;

/** Turns the checked top of the file into settings; what a schema cannot say goes into the context's faults. */
export function fileSettings(top: FileOptions, context: LoadContext): FileSettings {
  const { doc, faults, from } = context;
  const maxBytes = sizeBytes(top.journal.max_bytes);
  if (maxBytes < leastJournalBytes)
    faults.push(doc.fault(['journal', 'max_bytes'], `"${top.journal.max_bytes}" is less than 8MiB`, 'use 8MiB or more'));
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(top.admin.listen) ?? [];
  if (Number(port) > 65_535) faults.push(doc.fault(['admin', 'listen'], `${port} is not a port`, 'use 65535 or less'));
  checkTls(top.tls, [], context);
  return {
    data_dir: resolve(from.dir, top.data_dir),
    log: { level: top.log.level },
    admin: {
      host: host.replace(/^\[|\]$/g, ''),
      port: Number(port),
      ...(top.admin.tls === undefined ? {} : { tls: top.admin.tls }),
    },
    journal: { maxBytes, keepMs: durationMs(top.journal.keep) },
    connectors_dir: top.connectors_dir,
    shutdownTimeoutMs: durationMs(top.shutdown_timeout),
  };
}
