import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { sleep } from '../../base/clock.ts';
import { isObject, parseJson } from '../../base/json.ts';
import { silentLog } from '../../base/log.ts';
import { nearest } from '../../base/nearest.ts';
import { seededRandom } from '../../base/random.ts';
import type { Files } from '../../base/seams.ts';
import { catchSignals } from '../../daemon/run.ts';
import { shippedConnectors } from '../../runtime/read-config.ts';
import { allFaults, noFaults, type SimulatorSettings, startSimulator, vendorNames } from '../../simulator/index.ts';
import { durationOption, positiveInteger } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

type SimulatorFaults = typeof allFaults;

interface SimulateOptions {
  readonly port?: number;
  readonly rate: number;
  readonly history: number;
  readonly seed?: number;
  readonly faults?: readonly string[] | true;
  readonly downloads?: string;
}

const faultNames = Object.keys(allFaults);

/** `all`, or a list of names; throws what commander shows for a name that there is not. */
function faultsNamed(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => name !== 'all' && !faultNames.includes(name));
  if (unknown === undefined) return names;
  const guess = nearest(unknown, faultNames);
  throw new InvalidArgumentError(
    `there is no fault "${unknown}"${guess === undefined ? '.' : `; did you mean "${guess}"?`} Use all, or some of ${faultNames.join(', ')}.`,
  );
}

function faultsOf(names: readonly string[] | true | undefined): SimulatorFaults {
  if (names === undefined) return noFaults;
  if (names === true || names.includes('all')) return allFaults;
  const chosen = Object.entries(allFaults).map(([name, value]) => [name, names.includes(name) ? value : 0]);
  return Object.fromEntries(chosen) as SimulatorFaults;
}

async function simulate(options: SimulateOptions, { output, seams }: CommandContext): Promise<void> {
  using signals = catchSignals(silentLog());
  const seed = options.seed ?? Math.floor(seams.random.float() * 1e6);
  await using simulator = await startSimulator({
    seams: { ...seams, random: seededRandom(seed) },
    faults: faultsOf(options.faults),
    ratePerMinute: options.rate,
    historyMs: options.history,
    port: options.port ?? 0,
    samples: await vendorSamples(seams.files),
    stream: true,
    downloads: options.downloads,
  });
  output.note(`simulated vendors listen on loopback (seed ${seed}); press Ctrl-C to stop. Sources for a configuration:`);
  output.line(stringify({ sources: simulator.sources }));
  await sleep(seams.clock, Number.MAX_SAFE_INTEGER, signals.stop).catch(() => undefined);
}

/** `penstock simulate`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('simulate')
    .description("simulate the vendors' audit APIs on loopback, to try a configuration without a tenant")
    .option('--port <port>', 'first port; free ones otherwise', positiveInteger)
    .option('--rate <count>', 'records per minute and vendor', positiveInteger, 60)
    .addOption(durationOption('--history <duration>', 'how much history exists at the start', '24h'))
    .option('--seed <number>', 'seed of the simulated vendors, to repeat a run', positiveInteger)
    .option('--faults [names]', `misbehave: all, or some of ${faultNames.join(', ')}`, faultsNamed)
    .option('--downloads <directory>', 'also put a CSV download there')
    .action((options: SimulateOptions) => simulate(options, context));
}

/** At least one record for every action of a shipped connector's table. */
async function samplesOf(connector: string, files: Files): Promise<Readonly<Record<string, unknown>>[]> {
  const text = await files.readFile(join(shippedConnectors, connector, 'samples.ndjson'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseJson(line))
    .filter(isObject);
}

/** The shipped synthetic records from which simulated vendors make theirs. */
export async function vendorSamples(files: Files): Promise<SimulatorSettings['samples']> {
  const samples = await Promise.all(vendorNames.map(async (name) => [name, await samplesOf(name, files)] as const));
  return Object.fromEntries(samples) as unknown as SimulatorSettings['samples'];
}
