import { resolve } from 'node:path';
import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { counted, formatSize } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import type { PostgresEngine } from '../../journal/contract/open.ts';
import { backupJournal, checkJournal, repairJournal } from '../../journal/index.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { openProgress } from '../progress.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

async function dataDirOf(configFile: string, seams: Seams): Promise<string> {
  return (await readConfig(configFile, seams, { withoutSecrets: true })).data_dir;
}

/** The folder of a journal that is a file; a database has means of its own. */
async function fileDirOf(configFile: string, seams: Seams): Promise<string> {
  const { data_dir, journal } = await readConfig(configFile, seams, { withoutSecrets: true });
  if (journal.database === undefined) return data_dir;
  throw new PenstockError('PEN_USAGE', 'the journal is in PostgreSQL; this command works on a file', {
    fix: 'back up the database with the tools of its operators, such as pg_dump; "penstock journal check" reads every page of it',
  });
}

/** Shows how many pages of the journal are done. */
function showPages(what: string, { output, seams }: CommandContext): (done: number, total: number) => void {
  const show = openProgress(what, output, () => seams.clock.monotonic());
  return (done, total) =>
    show({ text: `${done} of ${total} pages`, part: total === 0 ? 1 : done / total, count: done, unit: 'pages' });
}

async function checkConfigured(config: string, context: CommandContext) {
  const { journal, data_dir } = await readConfig(config, context.seams, { withoutSecrets: true });
  if (journal.database === undefined) return checkJournal(data_dir, showPages('check', context));
  const { checkPostgres } = await import('../../journal/postgres/check.ts');
  return checkPostgres(await databaseOf(undefined, { config }, context), showPages('check', context));
}

async function check({ config, json }: Options, context: CommandContext): Promise<void> {
  const { output, exit } = context;
  const found = await checkConfigured(config, context);
  output.progressDone();
  exit(found.problems.length === 0 ? 0 : 1);
  if (json === true) {
    output.json(found);
    return;
  }
  output.line(`${found.path}: ${counted(found.pages, 'page')}, ${counted(found.records, 'record')}, ${formatSize(found.bytes)}`);
  for (const problem of found.problems) output.line(output.color.red(problem));
  if (found.problems.length === 0) output.line(output.color.green('Nothing is damaged.'));
  else if (found.path.endsWith('.db')) output.line('fix: stop the daemon, then run "penstock journal repair"');
  else output.line('fix: see to the server and its disks, and restore the database from its backup');
}

async function repair({ config }: Options, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  const repaired = await repairJournal(await fileDirOf(config, seams), { seams, onProgress: showPages('repair', context) });
  output.progressDone();
  output.json(repaired);
}

async function backup(file: string, { config }: Options, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  await backupJournal(await fileDirOf(config, seams), resolve(file), { onProgress: showPages('backup', context) });
  output.progressDone();
  output.line(`backed up to ${resolve(file)}`);
}

interface MoveOptions extends Options {
  readonly to: string;
  readonly from?: string;
  readonly schema?: string;
  readonly passwordFile?: string;
  readonly caFile?: string;
}

/** A database, or a directory. Throws PEN_USAGE for the address of something else, and for one that would show a password to who lists processes. */
function placeOf(place: string): { readonly isDatabase: boolean } {
  const isDatabase = isDatabaseUrl(place);
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(place) ?? [];
  // The rest of the address may hold a password.
  if (!isDatabase && scheme !== undefined)
    throw new PenstockError('PEN_USAGE', `"${scheme}://..." is neither a database that penstock works with nor a directory`, {
      fix: 'write postgres://USER@HOST:5432/DATABASE, or the path of a directory',
    });
  if (isDatabase && (URL.parse(place)?.password ?? '') !== '')
    throw new PenstockError('PEN_USAGE', 'the address holds a password', {
      fix: 'take it out, and name a file that holds it: --password-file FILE',
    });
  return { isDatabase };
}

const isDatabaseUrl = (place: string): boolean => /^postgres(ql)?:/.test(place);

/** The database that a move names, or that of the configuration, with the password that is at hand for it. */
async function databaseOf(
  url: string | undefined,
  options: Omit<MoveOptions, 'to'>,
  context: CommandContext,
): Promise<PostgresEngine> {
  const { files } = context.seams;
  const { passwordFile, caFile, schema } = options;
  const bare = await readConfig(options.config, context.seams, { withoutSecrets: true });
  const hasDatabase = bare.journal.database !== undefined;
  const configured = hasDatabase ? (await readConfig(options.config, context.seams)).journal.database : undefined;
  const known = url === undefined || url === configured?.url ? configured : undefined;
  const place = url ?? configured?.url;
  if (place === undefined)
    throw new PenstockError('PEN_USAGE', 'no database is named', { fix: 'write --from postgres://USER@HOST:5432/DATABASE' });
  const password =
    passwordFile === undefined ? known?.password : async () => (await files.readFile(passwordFile, 'utf8')).replace(/\r?\n$/, '');
  const ca = caFile === undefined ? known?.ca : () => files.readFile(caFile, 'utf8');
  return {
    kind: 'postgres',
    url: place,
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca }),
    schema: schema ?? known?.schema ?? 'penstock',
    leaseMs: known?.leaseMs ?? 10_000,
    connections: 2,
    replica: bare.replica,
  };
}

async function move(options: MoveOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  const { moveToDatabase, moveToFile } = await import('../../journal/move/move.ts');
  const toDatabase = placeOf(options.to).isDatabase;
  if (options.from !== undefined) placeOf(options.from);
  if (options.schema !== undefined && !/^[a-z_][a-z0-9_]{0,62}$/.test(options.schema))
    throw new PenstockError('PEN_USAGE', `"${options.schema}" is not a name that journal.schema takes`, {
      fix: 'use lower-case letters, digits and underscores',
    });
  const engine = await databaseOf(toDatabase ? options.to : options.from, options, context);
  const dataDir = toDatabase ? await dataDirOf(options.config, seams) : resolve(options.to);
  const onProgress = { copied: showPages('copy', context), read: showPages('read back', context) };
  const moved = await (toDatabase ? moveToDatabase : moveToFile)({ dataDir, engine, seams, log: silentLog(), onProgress });
  output.progressDone();
  for (const { table, rows } of moved) if (rows > 0) output.line(`${table}: ${rows}`);
  output.line(
    toDatabase
      ? `moved, and compared with what was there; set journal.url to go on: the file in ${dataDir} is out of use, as journal.db.moved`
      : `moved, and compared with what was there; set data_dir to ${dataDir} and take journal.url out to go on`,
  );
}

/** `penstock journal`. */
export function add(program: Command, context: CommandContext): void {
  const family = program.command('journal').description('check, repair, back up or move the journal');
  family
    .command('check')
    .description('read it from end to end; exit 1 when something is damaged')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .action((options: Options) => check(options, context));
  family
    .command('repair')
    .description('save what can be read into a new file, report what is lost, keep the damaged file; stop the daemon first')
    .addOption(configOption())
    .action((options: Options) => repair(options, context));
  family
    .command('backup')
    .argument('<file>', 'file to write; must not exist')
    .description('copy it; the daemon may keep running')
    .addOption(configOption())
    .action((file: string, options: Options) => backup(file, options, context));
  family
    .command('move')
    .description('move it into an empty schema of PostgreSQL, or back into a file; stop the daemon and all replicas first')
    .requiredOption('--to <place>', 'postgres://USER@HOST:5432/DATABASE, or a directory')
    .option('--from <url>', 'the database to move back from; journal.url of the configuration when absent')
    .option('--schema <name>', 'schema of the database; default: penstock')
    .option('--password-file <file>', "holds the password of the database's user")
    .option('--ca-file <file>', 'authority that signed the certificate of the database server, PEM')
    .addOption(configOption())
    .action((options: MoveOptions) => move(options, context));
}
