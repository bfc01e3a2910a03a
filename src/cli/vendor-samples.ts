import { join } from 'node:path';
import { isObject, parseJson } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { shippedConnectors } from '../runtime/read-config.ts';
import { type SimulatorSettings, vendorNames } from '../simulator/index.ts';

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
