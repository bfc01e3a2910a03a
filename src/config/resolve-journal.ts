import { hostname } from 'node:os';
import { durationMs, sizeBytes } from '../base/quantity.ts';
import type { Config, DatabaseConfig } from './config.ts';
import type { FileOptions } from './file-options.ts';
import { placeholder } from './interpolate.ts';
import type { LoadContext } from './load-context.ts';

const leastJournalBytes = 8 * 2 ** 20;
const defaultFileBytes = 2 * 2 ** 30;
const defaultDatabaseBytes = 50 * 2 ** 30;
const shortestLeaseMs = 3_000;
const briskLeaseMs = 5_000;
const longestLeaseMs = 60_000;

type JournalOptions = FileOptions['journal'];

/** Turns `journal:` into settings: a file of this machine, or a database that replicas share. */
export function resolveJournal({ journal }: FileOptions, context: LoadContext): Config['journal'] {
  const { doc, faults } = context;
  const maxBytes = journal.max_bytes === undefined ? undefined : sizeBytes(journal.max_bytes);
  if (maxBytes !== undefined && maxBytes < leastJournalBytes)
    faults.push(doc.fault(['journal', 'max_bytes'], `"${journal.max_bytes}" is less than 8MiB`, 'use 8MiB or more'));
  const database = databaseOf(journal, context);
  return {
    maxBytes: maxBytes ?? (database === undefined ? defaultFileBytes : defaultDatabaseBytes),
    keepMs: durationMs(journal.keep),
    database,
  };
}

/** What tells this process from others on the same journal. */
export function resolveReplica({ replica }: Pick<FileOptions, 'replica'>): Config['replica'] {
  return { name: replica.name ?? hostname(), labels: replica.labels };
}

function databaseOf(journal: JournalOptions, context: LoadContext): DatabaseConfig | undefined {
  const { url, password, tls, schema, connections } = journal;
  if (url === undefined) {
    refuseWithoutUrl(journal, context);
    return undefined;
  }
  checkUrl(url, context);
  return {
    url,
    password: password === undefined ? undefined : async () => (await context.readJournal()).password ?? '',
    ca: tls === undefined ? undefined : () => context.from.files.readFile(tls.ca_file, 'utf8'),
    caFile: tls?.ca_file,
    schema: schema ?? 'penstock',
    leaseMs: leaseOf(journal, context),
    connections: connections ?? 8,
  };
}

function refuseWithoutUrl(journal: JournalOptions, { doc, faults }: LoadContext): void {
  for (const option of ['password', 'tls', 'schema', 'lease', 'connections'] as const)
    if (journal[option] !== undefined)
      faults.push(
        doc.fault(
          ['journal', option],
          `${option} without url`,
          'add url: postgres://USER@HOST:5432/DATABASE, or remove it',
          'key',
        ),
      );
}

function checkUrl(url: string, { doc, faults }: LoadContext): void {
  if (url.includes(placeholder)) return;
  const report = (what: string, fix: string): void => void faults.push(doc.fault(['journal', 'url'], what, fix));
  const parsed = URL.parse(url);
  const isWhole =
    parsed !== null && /^postgres(ql)?:$/.test(parsed.protocol) && parsed.hostname !== '' && parsed.pathname.length > 1;
  if (!isWhole)
    return report(
      'this is not the address of a database',
      'write postgres://USER@HOST:5432/DATABASE, or the folder of a unix socket for HOST: %2Fvar%2Frun%2Fpostgresql',
    );
  if (parsed.password !== '')
    report('the address holds a password', 'take it out, and write it beside it: password: ${env:NAME} or ${file:PATH}');
  if (parsed.username === '') report('the address names no user', 'write postgres://USER@HOST:5432/DATABASE');
  const options = [...parsed.searchParams.keys()];
  if (options.includes('sslmode'))
    report(
      'sslmode is not taken: TLS is always verified except on loopback',
      'remove it; tls: { ca_file: PATH } beside url names a certificate authority',
    );
  else if (options.includes('host'))
    report(
      'host is not taken as a parameter',
      'write the folder of a unix socket in the place of the host: postgres://USER@%2Fvar%2Frun%2Fpostgresql/DATABASE',
    );
  else if (options.length > 0) report(`${options.join(', ')} is not taken`, 'remove what follows the name of the database');
}

function leaseOf({ lease }: JournalOptions, { doc, faults, warnings }: LoadContext): number {
  const leaseMs = durationMs(lease ?? '10s');
  const at = ['journal', 'lease'];
  if (leaseMs < shortestLeaseMs || leaseMs > longestLeaseMs)
    faults.push(doc.fault(at, `"${lease}" is not between 3s and 60s`, 'use 10s'));
  else if (leaseMs < briskLeaseMs)
    warnings.push(
      doc.fault(at, `after a stall of ${lease} sources change hands`, 'use 5s or more unless the database is close and idle'),
    );
  return leaseMs;
}
