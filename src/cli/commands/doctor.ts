import type { Command } from 'commander';
import { packageVersion } from '../../base/package.ts';
import { runningStatus } from '../../daemon/read-status.ts';
import type { Diagnosis } from '../../operate/doctor/diagnosis.ts';
import { diagnose } from '../../operate/doctor/index.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface DoctorOptions {
  readonly config: string;
  readonly json?: true;
}

function show(found: readonly Diagnosis[], { output }: CommandContext): void {
  const { color } = output;
  const marks = { ok: color.green('ok'), warning: color.yellow('warning'), error: color.red('error') };
  for (const { check, level, what, fix } of found) {
    output.paragraph(`${marks[level]}${' '.repeat(9 - level.length)}${check.padEnd(14)} `, what);
    if (fix !== undefined) output.paragraph(`${' '.repeat(24)}${color.yellow('fix:')} `, fix);
  }
}

async function doctor({ config: file, json }: DoctorOptions, context: CommandContext): Promise<void> {
  const { seams, output, exit } = context;
  const daemon = await runningStatus(file, seams);
  const checks = await diagnose({ file, seams, version: packageVersion, daemon });
  const isWell = checks.every(({ level }) => level !== 'error');
  if (json === true) output.json({ ok: isWell, running: daemon !== undefined, checks });
  else show(checks, context);
  exit(isWell ? 0 : 1);
}

/** `penstock doctor`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'look at the machine: disk, ballast, clock, permissions, proxy, DNS, the journal, configuration; exit 1 when something is wrong',
    )
    .addOption(configOption())
    .option('--json', 'print JSON: ok, running, checks')
    .action((options: DoctorOptions) => doctor(options, context));
}
