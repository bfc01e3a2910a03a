// Fault simulation: plays seeded histories of vendors, receivers, disks and crashes against the real rooms, on virtual time.
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { smallCrewHistories } from '../test/sim/crew/histories.ts';
import { drawScenario } from '../test/sim/draw.ts';
import { fixedHistories } from '../test/sim/histories.ts';
import { mutants } from '../test/sim/mutants.ts';
import { runMutants } from '../test/sim/mutate.ts';
import { type Outcome, play, startMs } from '../test/sim/play.ts';
import { type Scenario, smallHistories } from '../test/sim/scenario.ts';
import { shrink } from '../test/sim/shrink.ts';

interface Options {
  readonly seed?: string;
  readonly seeds?: string;
  readonly hours: string;
  readonly scenario?: string;
  readonly small?: boolean;
  readonly replicas?: string | true;
  readonly fixed?: boolean;
  readonly log?: boolean;
  readonly shrink: boolean;
  readonly mutants?: boolean;
  readonly only?: string;
  readonly untilBroken?: boolean;
}

const days = ({ virtualMs }: Outcome): number => virtualMs / 86_400_000;

function line(outcome: Outcome): string {
  const { scenario, problems, lives, records, arrivals, cpuMs, fingerprint } = outcome;
  const speed = (days(outcome) / (cpuMs / 1000)).toFixed(2);
  const what = problems.length === 0 ? 'kept every promise' : `BROKE ${problems.length}`;
  const size = `${days(outcome).toFixed(2)} virtual days at ${speed} per CPU second`;
  return `seed ${scenario.seed}: ${what}; ${lives} processes, ${records} records, ${arrivals} arrivals; ${size}; fingerprint ${fingerprint}`;
}

function seedsOf({ seed, seeds }: Options): number[] {
  if (seed !== undefined) return [Number(seed)];
  const [from = 1, to = from] = (seeds ?? '1-20').split('-').map(Number);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function describe({
  hours,
  sources,
  sinks,
  events,
  faults,
  ends,
  clock,
  diskErrors,
  lostAnswers,
  replays,
  jobs,
  crew: { faults: struck = [], files = [] } = { leaseMs: 0, clocks: [], faults: [] },
}: Scenario): string {
  const rows = { sources, sinks, faults, ends, clock, diskErrors, lostAnswers, replays, jobs, struck, files };
  const shown = Object.entries(rows).flatMap(([name, list]) => list.map((item) => `  ${name}: ${JSON.stringify(item)}`));
  return [
    `  ${hours} h, ${events.length} events`,
    ...shown,
    ...events.slice(0, 40).map((event) => `  event: ${JSON.stringify(event)}`),
  ].join('\n');
}

async function explain(failing: Outcome, options: Options): Promise<void> {
  for (const problem of failing.problems) console.log(`  ${problem}`);
  const { seed, hours } = failing.scenario;
  console.log(`  again: npm run sim -- --seed ${seed} --hours ${hours}`);
  if (!options.shrink) return;
  const shortest = await shrink(failing, play, startMs);
  const file = join(tmpdir(), `penstock-sim-${seed}.json`);
  writeFileSync(file, JSON.stringify(shortest.scenario, null, 1));
  console.log(`shortest history that shows it (npm run sim -- --scenario ${file} --log):\n${describe(shortest.scenario)}`);
  for (const problem of shortest.problems) console.log(`  ${problem}`);
}

function scenariosOf(options: Options, hours: number): Scenario[] {
  if (options.scenario !== undefined) return [JSON.parse(readFileSync(options.scenario, 'utf8')) as Scenario];
  const named = [
    ...(options.fixed === true ? Object.values(fixedHistories) : []),
    ...(options.small === true ? smallHistories() : []),
    ...(options.replicas === undefined ? [] : smallCrewHistories(options.replicas === true ? undefined : options.replicas)),
  ];
  const isDrawn = named.length === 0 || options.seeds !== undefined || options.seed !== undefined;
  return isDrawn ? [...named, ...seedsOf(options).map((seed) => drawScenario(seed, hours))] : named;
}

async function run(options: Options): Promise<boolean> {
  const hours = Number(options.hours);
  const scenarios = scenariosOf(options, hours);
  const onLog = options.log === true ? { onLog: (text: string) => void process.stderr.write(text) } : {};
  let virtual = 0;
  let cpuMs = 0;
  let played = 0;
  let broken = 0;
  for (const scenario of scenarios) {
    const outcome = await play(scenario, onLog);
    virtual += days(outcome);
    cpuMs += outcome.cpuMs;
    played += 1;
    console.log(line(outcome));
    if (outcome.problems.length === 0) continue;
    broken += 1;
    await explain(outcome, options);
    if (options.untilBroken === true) break;
  }
  const skipped = scenarios.length === played ? '' : ` of ${scenarios.length} asked for`;
  const speed = `${(virtual / (cpuMs / 1000)).toFixed(2)} virtual days per CPU second`;
  console.log(`${played} histories played${skipped}, ${(virtual * 24).toFixed(0)} virtual hours, ${broken} broken; ${speed}`);
  return broken === 0;
}

const command = new Command('sim')
  .description('Plays seeded histories of faults against the real rooms on virtual time; exit 1 when a promise was broken.')
  .option('--seed <n>', 'one history')
  .option('--seeds <from-to>', 'several histories, default 1-20')
  .option('--hours <h>', 'virtual hours of trouble in each history', '6')
  .option('--small', 'small histories with an end at each step and around each commit')
  .option(
    '--replicas [which]',
    'small histories of two replicas: struck at each of its statements, with jobs, with changes; default all',
  )
  .option('--fixed', 'the histories that once broke a promise')
  .option('--scenario <file>', 'a history from a file, as a failing run leaves it')
  .option('--log', 'the log of every life, JSON on stderr')
  .option('--no-shrink', 'do not look for the shortest history of a failure')
  .option('--until-broken', 'stop at the first failure')
  .option('--mutants', 'break a copy of the code in known ways, and show that the simulation notices')
  .option('--only <name>', 'with --mutants: those whose name contains this')
  .action(async (options: Options) => {
    const { only = '' } = options;
    const good =
      options.mutants === true
        ? await runMutants(
            mutants.filter(({ name }) => name.includes(only)),
            (text) => console.log(text),
          )
        : await run(options);
    process.exitCode = good ? 0 : 1;
  });
await command.parseAsync();
