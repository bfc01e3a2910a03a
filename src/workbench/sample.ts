import { join } from 'node:path';
import { isObject, parseJson } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { shippedConnectors } from '../runtime/read-config.ts';

/** The synthetic records of a shipped connector: at least one for every action of its table. */
export async function readSamples(connector: string, files: Files): Promise<Readonly<Record<string, unknown>>[]> {
  const text = await files.readFile(join(shippedConnectors, connector, 'samples.ndjson'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseJson(line))
    .filter(isObject);
}
