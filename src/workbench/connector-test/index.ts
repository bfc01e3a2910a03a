import { basename, dirname, join, resolve } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import { readUtf8 } from '../../base/file-text.ts';
import { isObject, parseJson } from '../../base/json.ts';
import { counted } from '../../base/quantity.ts';
import type { Files, Seams } from '../../base/seams.ts';
import type { Connector, RawRecord } from '../../connectors/connector.ts';
import { loadConnector } from '../../connectors/index.ts';
import { shippedConnectors } from '../../runtime/read-config.ts';
import { eventFaults } from './faults.ts';
import { type CaseReport, runCase } from './run-case.ts';

interface ConnectorTestReport {
  readonly connector: string;
  readonly folder: string;
  readonly actions: number;
  /** The samples, then every recorded case by name. */
  readonly cases: readonly CaseReport[];
  readonly passed: boolean;
}

interface ConnectorTestOptions {
  /** Write what comes out as what is expected. */
  readonly update: boolean;
  /** Only the case of this name. */
  readonly only?: string;
}

/**
 * Tests a connector's folder: it loads, its samples are sound, and every case under `tests/` gives the expected events when the real
 * reader reads its recorded answers. Nothing but files is touched. Throws PEN_CONNECTOR_INVALID with every fault when it does not load.
 */
export async function testConnector(
  folder: string,
  seams: Seams,
  { update, only }: ConnectorTestOptions,
): Promise<ConnectorTestReport> {
  const path = resolve(folder);
  if (!(await filesIn(path, seams.files)).includes('connector.yaml'))
    throw new PenstockError('PEN_NOT_FOUND', `there is no connector.yaml in "${folder}"`, {
      fix: 'name the folder of a connector; "penstock connector new NAME" makes one',
    });
  const connector = await loadConnector(basename(path), { dirs: [dirname(path), shippedConnectors], files: seams.files });
  const samples = only === undefined ? await checkSamples(connector, seams.files) : undefined;
  const cases = samples === undefined ? [] : [samples];
  for (const name of await caseNames(path, seams.files, only))
    cases.push(await runCase(connector, name, join(path, 'tests', name), seams, update));
  return {
    connector: connector.name,
    folder: path,
    actions: connector.actions.length,
    cases,
    passed: cases.every(({ faults }) => faults.length === 0),
  };
}

/** Names in a folder; none when it is not there. */
async function filesIn(folder: string, files: Files): Promise<string[]> {
  try {
    return await files.readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

async function caseNames(folder: string, files: Files, only: string | undefined): Promise<string[]> {
  const isThere = (await filesIn(folder, files)).includes('tests');
  const entries = isThere ? await files.readdir(join(folder, 'tests'), { withFileTypes: true }) : [];
  const names = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort();
  const wanted = only === undefined ? names : names.filter((name) => name === only);
  if (only === undefined || wanted.length > 0) return wanted;
  throw new PenstockError('PEN_NOT_FOUND', `there is no case "${only}"`, { fix: `known: ${names.join(', ') || 'none'}` });
}

/**
 * Checks `samples.ndjson` beside a connector: every line is a record with id, time and a known action whose event has what its class
 * requires, no id comes twice, and every action has a sample. Undefined when there is no such file.
 */
async function checkSamples(connector: Connector, files: Files): Promise<CaseReport | undefined> {
  if (!(await files.readdir(connector.origin)).includes('samples.ndjson')) return undefined;
  const text = await readUtf8(files, join(connector.origin, 'samples.ndjson'), 'PEN_CONNECTOR_INVALID');
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
  return {
    name: 'samples',
    summary: `${counted(count, 'record')}, ${counted(connector.actions.length, 'action')}`,
    faults,
    written: [],
  };
}

type Seen = { readonly uids: Set<string>; readonly actions: Set<string> };

function sampleFaults(connector: Connector, line: string, seen: Seen): string[] {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (error) {
    if (error instanceof SyntaxError) return [`is not JSON: ${error.message}`];
    throw error;
  }
  if (!isObject(value)) return ['is not a JSON object'];
  return connector.records.split({ value }).flatMap((raw) => partFaults(connector, raw, seen));
}

function partFaults({ records, mapper }: Connector, raw: RawRecord, seen: Seen): string[] {
  const facts = records.examine(raw, undefined);
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
