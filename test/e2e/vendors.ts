import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type Faults, noFaults, type Simulator, startSimulator } from '../../src/simulator/index.ts';

const connectors = resolve(import.meta.dirname, '../../connectors');

type Sample = Readonly<Record<string, unknown>>;

function samplesOf(connector: string): Sample[] {
  const text = readFileSync(join(connectors, connector, 'samples.ndjson'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Sample);
}

export interface Vendors {
  readonly simulator: Simulator;
  /** `sources:` with windows short enough for a test. */
  readonly sources: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Turns the network's faults on or off; those of the data stay. */
  readonly faults: { -readonly [name in keyof Faults]: number };
}

const window = { overlap: '3m', settle: '1s' };

export interface Traffic {
  readonly ratePerMinute?: number;
  readonly historyMs?: number;
  readonly pageSize?: number;
  /** Bytes that no compression makes smaller, added to every template of a record. */
  readonly ballast?: number;
}

/** Simulated vendors with short windows; ten minutes of history and one event a second where nothing else is said. */
export async function startVendors(
  seed: number,
  faults: Partial<Faults> = {},
  { ratePerMinute = 60, historyMs = 600_000, pageSize = 50, ballast = 0 }: Traffic = {},
): Promise<Vendors> {
  const templates = (connector: string): Sample[] =>
    samplesOf(connector).map((sample) =>
      ballast === 0 ? sample : { ...sample, ballast: randomBytes(ballast).toString('base64') },
    );
  const switchable = { ...noFaults, ...faults };
  const simulator = await startSimulator({
    seams: { ...systemSeams(), random: seededRandom(seed) },
    faults: switchable,
    ratePerMinute,
    historyMs,
    port: 0,
    samples: {
      anaconda: templates('anaconda'),
      'analyst-studio': templates('analyst-studio'),
      'astra-csv': templates('astra-csv'),
    },
    downloads: await mkdtemp(join(tmpdir(), 'penstock-downloads-')),
    tokenLifeMs: 5000,
    pageSize,
  });
  const sources = Object.fromEntries(
    Object.entries(simulator.sources as Record<string, Record<string, unknown>>).map(([name, source]) => {
      const windowed = source['connector'] === 'astra-csv' ? {} : { window };
      return [name, { ...source, ...windowed, schedule: '1s', start: '15m' }];
    }),
  );
  return { simulator, sources, faults: switchable };
}

const networkFaults = [
  'rate_limited',
  'rate_limited_date',
  'server_error',
  'html_error',
  'login_page',
  'cut_body',
  'reset',
  'repeat_token',
  'empty_page',
  'expired_token',
] as const;

/** Lets every request through from now on. */
export function calm({ faults }: Vendors): void {
  for (const name of networkFaults) faults[name] = 0;
}

/** The vendor's own ids of what a reader of windows can see: everything with a time, without records that our reading made. */
export function visibleIds(
  { simulator }: Vendors,
  vendor: 'anaconda' | 'analyst-studio',
  upTo = Number.POSITIVE_INFINITY,
): string[] {
  return simulator
    .issued(vendor)
    .filter(({ occurredAt }) => occurredAt !== null && occurredAt <= upTo)
    .filter(({ record }) => (record as { action?: string }).action !== 'audit_log_accessed')
    .map(({ id }) => id);
}
