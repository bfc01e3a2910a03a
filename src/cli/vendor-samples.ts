import type { Files } from '../base/seams.ts';
import { type SimulatorSettings, vendorNames } from '../simulator/index.ts';
import { readSamples } from '../workbench/sample.ts';

/** The shipped synthetic records from which simulated vendors make theirs. */
export async function vendorSamples(files: Files): Promise<SimulatorSettings['samples']> {
  const samples = await Promise.all(vendorNames.map(async (name) => [name, await readSamples(name, files)] as const));
  return Object.fromEntries(samples) as unknown as SimulatorSettings['samples'];
}
