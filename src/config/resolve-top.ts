import { resolve } from 'node:path';
import { durationMs } from '../base/quantity.ts';
import type { Fault } from '../base/yaml-faults.ts';
import type { Config } from './config.ts';
import { checkTls } from './connection.ts';
import type { FileOptions } from './file-options.ts';
import type { LoadContext } from './load-context.ts';
import { resolveJournal, resolveReplica } from './resolve-journal.ts';

type TopSettings = Pick<Config, 'data_dir' | 'log' | 'admin' | 'journal' | 'replica' | 'shutdownTimeoutMs' | 'watch'>;

/** Turns the checked top of the file into settings; what a schema cannot say goes into the context's faults. */
export async function resolveTop(top: FileOptions, context: LoadContext): Promise<TopSettings> {
  const { doc, faults, from } = context;
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(top.admin.listen) ?? [];
  if (Number(port) > 65_535) faults.push(doc.fault(['admin', 'listen'], `${port} is not a port`, 'use 65535 or less'));
  await checkTls(top.tls, [], context);
  await checkTls(top.admin.tls, ['admin'], context);
  if (top.journal.tls !== undefined) await checkTls(top.journal.tls, ['journal'], context);
  await checkConnectorsDir(top.connectors_dir, context);
  return {
    data_dir: resolve(from.dir, top.data_dir),
    log: { level: top.log.level },
    admin: {
      listen: top.admin.listen === 'off' ? undefined : { host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
      metrics: top.admin.metrics,
      tls: top.admin.tls,
    },
    journal: resolveJournal(top, context),
    replica: resolveReplica(top),
    shutdownTimeoutMs: durationMs(top.shutdown_timeout),
    watch: top.watch,
  };
}

/** Without the folder the shipped connectors would take the place of those that the operator wrote, without a word. */
async function checkConnectorsDir(path: string | undefined, { doc, faults, warnings, from }: LoadContext): Promise<void> {
  if (path === undefined) return;
  const report = (list: Fault[], what: string): void =>
    void list.push(doc.fault(['connectors_dir'], what, 'correct the path; relative paths start at the configuration file'));
  try {
    const info = await from.files.stat(path);
    if (!info.isDirectory()) report(faults, `"${path}" is not a folder`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') report(warnings, `there is no folder "${path}"; only shipped connectors are known`);
    else report(faults, `the folder "${path}" cannot be read (${code ?? 'unknown fault'})`);
  }
}
