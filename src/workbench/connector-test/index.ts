import { basename, dirname, join, resolve } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import type { Files, Seams } from '../../base/seams.ts';
import { loadConnector } from '../../connectors/index.ts';
import { shippedConnectors } from '../../runtime/read-config.ts';
import { checkSamples } from './check-samples.ts';
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
