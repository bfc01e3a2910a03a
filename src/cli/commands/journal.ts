import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import { backupJournal, checkJournal, repairJournal } from '../../journal/index.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

async function dataDirOf(configFile: string, seams: Seams): Promise<string> {
  return (await readConfig(configFile, seams, { withoutSecrets: true })).data_dir;
}

/** `penstock journal`. */
export function add(program: Command, context: CommandContext): void {
  const { output, seams, exit } = context;
  const family = program.command('journal').description('check, repair or back up the journal');
  family
    .command('check')
    .description('read it from end to end; exit 1 when something is damaged')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .action(async ({ config, json }: Options) => {
      const found = await checkJournal(await dataDirOf(config, seams));
      if (json === true) output.json(found);
      else {
        output.line(`${found.path}: ${found.pages} pages, ${found.records} records, ${formatSize(found.bytes)}`);
        for (const problem of found.problems) output.line(output.color.red(problem));
        if (found.problems.length === 0) output.line(output.color.green('Nothing is damaged.'));
        else output.line('fix: stop the daemon, then run "penstock journal repair"');
      }
      exit(found.problems.length === 0 ? 0 : 1);
    });
  family
    .command('repair')
    .description('save what can be read into a new file, report what is lost, keep the damaged file; stop the daemon first')
    .addOption(configOption())
    .action(async ({ config }: Options) => output.json(await repairJournal(await dataDirOf(config, seams), { seams })));
  family
    .command('backup')
    .argument('<file>', 'file to write; must not exist')
    .description('copy it; the daemon may keep running')
    .addOption(configOption())
    .action(async (file: string, { config }: Options) => {
      await backupJournal(await dataDirOf(config, seams), resolve(file));
      output.line(`backed up to ${resolve(file)}`);
    });
}
