import { type Command, Option } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { counted } from '../../base/quantity.ts';
import { type Fault, formatFault, formatPath } from '../../base/yaml-faults.ts';
import { endingCertificates } from '../../daemon/certificates.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface ValidateOptions {
  readonly config: string;
  readonly withoutSecrets?: true;
  readonly json?: true;
}

/** A fault as `validate --json` prints it; the names are stable. */
function plain({ file, line, column, path, what, fix }: Fault): Record<string, unknown> {
  return { file, line, column, path: formatPath(path), what, fix };
}

function faultsIn(error: PenstockError): Record<string, unknown>[] {
  if (Array.isArray(error.cause)) return (error.cause as Fault[]).map(plain);
  const { message: what, where, fix } = error;
  return [{ file: where, what, fix }];
}

/** Says what is wrong with a configuration, or that nothing is. Throws PEN_CONFIG_INVALID unless it prints JSON. */
export async function validate({ config: file, withoutSecrets, json }: ValidateOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  try {
    const config = await readConfig(file, seams, { withoutSecrets: withoutSecrets === true });
    const { sources, sinks, warnings } = config;
    const ending = await endingCertificates(config, seams);
    const names = (blocks: readonly { readonly name: string }[]): string[] => blocks.map(({ name }) => name);
    if (json === true) {
      output.json({
        valid: true,
        file,
        sources: names(sources),
        sinks: names(sinks),
        warnings: [...warnings.map(plain), ...ending],
      });
      return;
    }
    for (const warning of warnings) output.note(`${output.color.yellow('warning')} ${formatFault(warning)}`);
    for (const { where, what, fix = '' } of ending)
      output.note(`${output.color.yellow('warning')} ${where}: ${what}\n  fix: ${fix}`);
    output.line(`${output.color.green('ok')} ${file}: ${counted(sources.length, 'source')}, ${counted(sinks.length, 'sink')}`);
  } catch (error) {
    if (json !== true || !(error instanceof PenstockError)) throw error;
    output.json({ valid: false, file, faults: faultsIn(error) });
    context.exit(2);
  }
}

/** `penstock validate`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('validate')
    .description('check the configuration without using the network; reports every fault at once')
    .addOption(configOption())
    .addOption(new Option('--without-secrets', 'accept missing environment variables and secret files, for CI'))
    .option('--json', 'print JSON: valid, file, sources, sinks, warnings or faults')
    .action((options: ValidateOptions) => validate(options, context));
}
