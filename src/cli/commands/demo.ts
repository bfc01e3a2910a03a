import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { sleep } from '../../base/clock.ts';
import { openLog } from '../../base/log.ts';
import { counted } from '../../base/quantity.ts';
import { seededRandom } from '../../base/random.ts';
import { createSecrets } from '../../base/secrets.ts';
import type { Daemon } from '../../daemon/daemon.ts';
import { openDaemon } from '../../daemon/open-daemon.ts';
import { catchSignals, HangUps, runUntilStopped } from '../../daemon/run.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { demoFaults, type Simulator, startSimulator } from '../../simulator/index.ts';
import { duration } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { vendorSamples } from './simulate.ts';

interface DemoOptions {
  readonly for?: number;
  readonly seed?: string;
}

const summaryAfterMs = 4000;
const longestStartMs = 60_000;
const lookMs = 100;
const historyMs = 30 * 60_000;

async function startVendors(folder: string, seed: number, { seams }: CommandContext): Promise<Simulator> {
  return startSimulator({
    seams: { ...seams, random: seededRandom(seed) },
    faults: demoFaults,
    ratePerMinute: 20,
    historyMs,
    port: 0,
    samples: await vendorSamples(seams.files),
    downloads: join(folder, 'downloads'),
  });
}

async function writeConfig(folder: string, simulator: Simulator): Promise<string> {
  // JSON is YAML; short windows, so that what happens is seen at once.
  const sources = Object.entries(simulator.sources as Record<string, Record<string, unknown>>).map(([name, source]) => [
    name,
    {
      ...source,
      start: '30m',
      ...('directory' in (source['options'] as object) ? {} : { window: { settle: '1s', overlap: '2m' } }),
    },
  ]);
  const config = {
    data_dir: './data',
    admin: { listen: '127.0.0.1:0' },
    sources: Object.fromEntries(sources),
    sinks: { screen: { type: 'stdout', lines: 'auto', batch: { wait: '200ms' } } },
  };
  const file = join(folder, 'penstock.yaml');
  await writeFile(file, JSON.stringify(config, null, 2));
  return file;
}

const padded = (label: string, value: string): string => `  ${label.padEnd(22)} ${value}`;

/** A few lines on what the demo has done so far: events per source and class, unknown actions, duplicates filtered. */
async function summaryOf(daemon: Daemon): Promise<string> {
  const { sources, sinks } = await daemon.status();
  const perSource = sources.map(({ name, records }) =>
    padded(
      name,
      `${counted(records.new, 'event')}, ${counted(records.duplicate, 'duplicate')} filtered, ${records.unreadable} unreadable`,
    ),
  );
  const classes = new Map<string, number>();
  const unknown = new Map<string, number>();
  for (const sink of sinks) {
    for (const [name, count] of Object.entries(sink.classes ?? {})) classes.set(name, (classes.get(name) ?? 0) + count);
    for (const [action, count] of Object.entries(sink.unknown_actions)) unknown.set(action, (unknown.get(action) ?? 0) + count);
  }
  const perClass = [...classes].toSorted((a, b) => b[1] - a[1]).map(([name, count]) => padded(name, String(count)));
  const perUnknown = [...unknown].map(([action, count]) => padded(action, `${count}, delivered as Base Event`));
  const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    '',
    ...section('so far, per source', perSource),
    ...section('per class', perClass),
    ...section('unknown actions', perUnknown),
    '',
  ].join('\n');
}

/** Tells what was done a while after the first event, and resolves `forMs` after it. A slow machine has its first event late. */
async function summarise(
  daemon: Daemon,
  forMs: number | undefined,
  { output, seams: { clock } }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const latest = clock.monotonic() + longestStartMs;
  while (clock.monotonic() < latest && (await daemon.status()).sinks.every(({ acknowledged }) => acknowledged === 0))
    await sleep(clock, lookMs, signal);
  const afterMs = Math.min(summaryAfterMs, (forMs ?? Number.POSITIVE_INFINITY) * 0.8);
  await sleep(clock, afterMs, signal);
  output.note(await summaryOf(daemon));
  await sleep(clock, (forMs ?? afterMs) - afterMs, signal);
}

async function demo(options: DemoOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  const log = openLog('error', process.stderr, createSecrets());
  using signals = catchSignals(log);
  using _hangUps = new HangUps();
  const folder = await mkdtemp(join(tmpdir(), 'penstock-demo-'));
  try {
    const seed = Number(options.seed ?? Math.floor(seams.random.float() * 1e6));
    await using simulator = await startVendors(folder, seed, context);
    const config = await readConfig(await writeConfig(folder, simulator), seams);
    await using daemon = await openDaemon({ config, seams, log, lockWaitMs: 0 });
    output.note(
      `penstock demo: simulated vendors (seed ${seed}), the real daemon, events on standard output; press Ctrl-C to stop`,
    );
    const over = new AbortController();
    const ends = AbortSignal.any([signals.stop, over.signal]);
    const summarised = summarise(daemon, options.for, context, ends)
      .catch(() => undefined)
      .finally(() => options.for !== undefined && over.abort(new DOMException('the demo is over', 'TimeoutError')));
    await runUntilStopped(daemon, { ...signals, stop: ends });
    await summarised;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `penstock demo`, which is also `npm start`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('show it working: simulated vendors on loopback, the real daemon, events on standard output')
    .option('--for <duration>', 'stop so long after the first event', duration)
    .option('--seed <number>', 'seed of the simulated vendors, to repeat a run')
    .action((options: DemoOptions) => demo(options, context));
}
