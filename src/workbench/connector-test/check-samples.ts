import { join } from 'node:path';
import { isObject, parseJson } from '../../base/json.ts';
import type { Files } from '../../base/seams.ts';
import type { Connector } from '../../connectors/connector.ts';
import { eventFaults } from './event-faults.ts';
import type { CaseReport } from './run-case.ts';

/**
 * Checks `samples.ndjson` beside a connector: every line is a record with id, time and a known action whose event has what its class
 * requires, no id comes twice, and every action has a sample. Undefined when there is no such file.
 */
export async function checkSamples(connector: Connector, files: Files): Promise<CaseReport | undefined> {
  if (!(await files.readdir(connector.origin)).includes('samples.ndjson')) return undefined;
  const text = await files.readFile(join(connector.origin, 'samples.ndjson'), 'utf8');
  const seen = { uids: new Set<string>(), actions: new Set<string>() };
  const faults: string[] = [];
  let count = 0;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    count += 1;
    faults.push(...sampleFaults(connector, line, seen).map((what) => `samples.ndjson:${index + 1}: ${what}`));
  }
  const without = connector.actions.filter(({ action }) => !seen.actions.has(action)).map(({ action }) => action);
  if (without.length > 0) faults.push(`samples.ndjson: has no record of ${without.join(', ')}`);
  return { name: 'samples', summary: `${count} records, ${connector.actions.length} actions`, faults, written: [] };
}

type Seen = { readonly uids: Set<string>; readonly actions: Set<string> };

function sampleFaults({ records, mapper }: Connector, line: string, seen: Seen): string[] {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (error) {
    if (error instanceof SyntaxError) return [`is not JSON: ${error.message}`];
    throw error;
  }
  if (!isObject(value)) return ['is not a JSON object'];
  const facts = records.examine({ value }, undefined);
  const faults: string[] = [];
  if (seen.uids.has(facts.uid)) faults.push('has the id of a record above it');
  seen.uids.add(facts.uid);
  if (facts.time === undefined) faults.push('has no time at record.time that can be read');
  if (facts.actionKey === undefined) return [...faults, 'has no action at record.action'];
  const mapped = mapper.map(
    { uid: facts.uid, received: 0, record: facts.record },
    { source: 'test', tenant: undefined, labels: [], processedTime: 0 },
  );
  if (mapped.action === undefined) return [...faults, `its action "${facts.actionKey}" has no row in the action table`];
  seen.actions.add(mapped.action.action);
  return [...faults, ...eventFaults(mapped)];
}
