import { resolve } from 'node:path';
import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { formatSize } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
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
  const { data_dir, journal } = await readConfig(configFile, seams, { withoutSecrets: true });
  if (journal.database === undefined) return data_dir;
  throw new PenstockError('PEN_USAGE', 'the journal is in PostgreSQL; this command works on a file', {
    fix: 'back up and check the database with the tools of its operators, such as pg_dump and pg_amcheck',
  });
}

/** Shows how many pages of the journal are done. */
function showPages(what: string, { output, seams }: CommandContext): (done: number, total: number) => void {
  const show = openProgress(what, output, () => seams.clock.monotonic());
  return (done, total) =>
    show({ text: `${done} of ${total} pages`, part: total === 0 ? 1 : done / total, count: done, unit: 'pages' });
}

async function check({ config, json }: Options, context: CommandContext): Promise<void> {
  const { output, seams, exit } = context;
  const found = await checkJournal(await dataDirOf(config, seams), showPages('check', context));
  output.progressDone();
  exit(found.problems.length === 0 ? 0 : 1);
  if (json === true) {
    output.json(found);
    return;
  }
  output.line(`${found.path}: ${found.pages} pages, ${found.records} records, ${formatSize(found.bytes)}`);
  for (const problem of found.problems) output.line(output.color.red(problem));
  if (found.problems.length === 0) output.line(output.color.green('Nothing is damaged.'));
  else output.line('fix: stop the daemon, then run "penstock journal repair"');
}

async function repair({ config }: Options, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  const repaired = await repairJournal(await dataDirOf(config, seams), { seams, onProgress: showPages('repair', context) });
  output.progressDone();
  output.json(repaired);
}

async function backup(file: string, { config }: Options, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  await backupJournal(await dataDirOf(config, seams), resolve(file), { onProgress: showPages('backup', context) });
  output.progressDone();
  output.line(`backed up to ${resolve(file)}`);
}

/** `penstock journal`. */
export function add(program: Command, context: CommandContext): void {
  const family = program.command('journal').description('check, repair or back up the journal');
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
}
