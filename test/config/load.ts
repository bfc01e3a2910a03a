import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { onTestFinished } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { type LoadOptions, loadConfig } from '../../src/config/load-config.ts';
import type { Connector } from '../../src/connectors/connector.ts';
import type { SinkType } from '../../src/sinks/sink.ts';

const day = 86_400_000;

export function fakeConnector(name: string, change: Partial<Connector> = {}): Connector {
  return {
    name,
    hash: '0123456789abcdef',
    text: name,
    origin: `/connectors/${name}`,
    options: {
      type: 'object',
      properties: {
        org_id: { type: 'string', minLength: 1, identity: true },
        client_secret: { type: 'string', minLength: 1, secret: true },
        api_url: { type: 'string', format: 'uri', default: 'https://api.example.com' },
        directory: { type: 'string', format: 'path' },
      },
      required: ['org_id'],
      additionalProperties: false,
    },
    kind: 'http_window',
    defaults: {
      scheduleMs: 60_000,
      overlapMs: 900_000,
      settleMs: 60_000,
      maxMs: day,
      minMs: 60_000,
      precisionMs: 1,
      retentionMs: 90 * day,
      ascending: true,
      maxPages: 1000,
      seenDays: 10,
    },
    records: {
      split: () => [],
      examine: () => {
        throw new Error('not asked for');
      },
    },
    mapper: {
      table: name,
      map: () => {
        throw new Error('not asked for');
      },
    },
    actions: ['policy_updated', 'policy_deleted'].map((key) => ({
      action: key,
      key,
      title: key,
      group: 'Policies',
      className: 'Entity Management',
      classUid: 3004,
      activity: 'Update',
      severity: 'Low',
      severityId: 1,
      risk: 'low',
      confirmed: true,
    })),
    open: () => {
      throw new Error('not asked for');
    },
    tenant: (options) => String(options['org_id']),
    identity: (options) => ({ org_id: String(options['org_id']) }),
    ...change,
  };
}

function fakeSink(
  name: string,
  properties: Record<string, ReturnType<typeof Type.String>>,
  change: Partial<SinkType> = {},
): SinkType {
  return {
    name,
    options: Type.Object(properties, { additionalProperties: false }),
    defaultFormat: 'ocsf',
    acknowledges: 'nothing',
    open: () => Promise.reject(new Error('not asked for')),
    urls: () => [],
    ...change,
  };
}

export const fakeSinkTypes: Readonly<Record<string, SinkType>> = {
  stdout: fakeSink('stdout', {}),
  file: fakeSink('file', { path: Type.String({ format: 'path' }) }),
  splunk_hec: fakeSink(
    'splunk_hec',
    { endpoint: Type.String({ format: 'uri' }), token: Type.String({ minLength: 1, secret: true }) },
    { defaultFormat: 'cim', speaksHttp: true, urls: ({ endpoint }) => [String(endpoint)] },
  ),
};

export async function temporaryFolder(files: Record<string, string> = {}): Promise<string> {
  const folder = await fs.realpath(await fs.mkdtemp(join(os.tmpdir(), 'penstock-config-')));
  onTestFinished(() => fs.rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await fs.mkdir(join(folder, name, '..'), { recursive: true });
    await fs.writeFile(join(folder, name), text);
  }
  return folder;
}

export interface Given extends Partial<LoadOptions> {
  readonly folder?: string;
}

/** Loads a text as `penstock.yaml` of a temporary folder with fake connectors and sinks. */
export async function load(yaml: string, { folder, ...options }: Given = {}): Promise<Config> {
  const dir = folder ?? (await temporaryFolder());
  const file = join(dir, 'penstock.yaml');
  await fs.writeFile(file, yaml);
  return await loadConfig(file, {
    env: {},
    files: fs,
    connectorDirs: [],
    sinkTypes: fakeSinkTypes,
    now: () => Date.UTC(2026, 10, 21),
    loadConnector: (name) =>
      name === 'vendor' || name === 'folder'
        ? Promise.resolve(fakeConnector(name, name === 'folder' ? { kind: 'csv_directory' } : {}))
        : Promise.reject(
            new PenstockError('PEN_NOT_FOUND', `unknown connector "${name}"`, { fix: 'possible here: vendor, folder' }),
          ),
    ...options,
  });
}

/** The lines that the user sees when a text is refused, without the folder. */
export async function faultsOf(yaml: string, given: Given = {}): Promise<string[]> {
  const folder = given.folder ?? (await temporaryFolder());
  try {
    await load(yaml, { ...given, folder });
  } catch (error) {
    if (!(error instanceof PenstockError) || error.code !== 'PEN_CONFIG_INVALID') throw error;
    const text = error.where === undefined ? error.message : `${error.where}: ${error.message}\n  fix: ${error.fix ?? ''}`;
    return text.replaceAll(`${folder}/`, '').split('\n');
  }
  return [];
}
