import type { Command } from 'commander';
import { silentLog } from '../../base/log.ts';
import { formatFault } from '../../base/yaml-faults.ts';
import type { ReloadReport } from '../../daemon/configuration.ts';
import { catchSignals } from '../../daemon/run.ts';
import { submitReload } from '../../daemon/submit-reload.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

function describe({ added, changed, removed, kept }: ReloadReport['sources']): string {
  const named = Object.entries({ added, changed, removed })
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what} ${names.join(', ')}`);
  return [...named, `${kept} unchanged`].join('; ');
}

async function reload(
  { config: file, json }: { readonly config: string; readonly json?: true },
  { output, seams, exit }: CommandContext,
): Promise<void> {
  // The daemon's environment counts, not this one: what is missing here may be there.
  const config = await readConfig(file, seams, { withoutSecrets: true });
  for (const warning of config.warnings) output.note(`${output.color.yellow('warning')} ${formatFault(warning)}`);
  using signals = catchSignals(silentLog());
  try {
    const report = await submitReload(config, seams, signals.stop);
    if (json === true) {
      output.json(report);
      return;
    }
    output.line(`${output.color.green('applied')} ${file}`);
    output.line(`sources: ${describe(report.sources)}`);
    output.line(`sinks: ${describe(report.sinks)}`);
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    output.note('interrupted; the daemon may still apply the file');
    exit(1);
  }
}

/** `penstock reload`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('reload')
    .description(
      'have the running daemon apply what has changed in the configuration, while the rest runs on; exit 2 when it is refused',
    )
    .addOption(configOption())
    .option('--json', 'print JSON: names of sources and sinks that were added, changed, removed, and how many were kept')
    .action((options: { readonly config: string; readonly json?: true }) => reload(options, context));
}
