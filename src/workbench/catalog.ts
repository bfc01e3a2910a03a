import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { configJsonSchema } from '../config/index.ts';
import type { ActionSummary, Connector } from '../connectors/connector.ts';
import { actionsJsonSchema, connectorJsonSchema, listConnectors, loadConnector, loadConnectors } from '../connectors/index.ts';
import type { Format, Mapped } from '../event/event.ts';
import { encodeBody } from '../event/index.ts';
import { shippedConnectors } from '../runtime/read-config.ts';

/** A connector's action table for people. */
export interface ActionList {
  readonly connector: string;
  readonly table: string;
  readonly actions: readonly ActionSummary[];
}

/** The actions that a connector knows; `dirs` are looked up before the shipped connectors. Throws PEN_NOT_FOUND with the known names. */
export async function listActions(name: string, files: Files, dirs: readonly string[] = []): Promise<ActionList> {
  const connector = await loadConnector(name, { dirs: [...dirs, shippedConnectors], files });
  return { connector: connector.name, table: connector.mapper.table, actions: connector.actions };
}

/** Names of the shipped connectors and those in `dirs`. */
export function listConnectorNames(files: Files, dirs: readonly string[] = []): Promise<string[]> {
  return listConnectors({ dirs: [...dirs, shippedConnectors], files });
}

interface SampleRequest {
  readonly connector: string;
  readonly format: Format;
  readonly includeRaw: boolean;
  /** Only this action's key. */
  readonly action?: string;
  /** Looked up before the shipped connectors. */
  readonly dirs?: readonly string[];
  /** What becomes `metadata.processed_time`, milliseconds. */
  readonly now: number;
}

/** One line for every synthetic record of a connector, mapped and encoded as a sink would send it. */
export async function renderSamples(
  { connector: name, format, includeRaw, action, dirs = [], now }: SampleRequest,
  files: Files,
): Promise<string[]> {
  const places = { dirs: [...dirs, shippedConnectors], files };
  const connector = await loadConnector(name, places);
  const mapped = await mapSamples(connector, [...(await loadConnectors(places)).values()], files, now);
  const wanted = action === undefined ? mapped : mapped.filter(({ actionKey }) => actionKey === action);
  if (wanted.length > 0) return wanted.map((one) => encodeBody(format, one, { includeRaw }));
  throw new PenstockError('PEN_NOT_FOUND', `connector "${name}" has no sample of action "${action ?? ''}"`, {
    fix: `see "penstock actions ${name}"`,
  });
}

/** The synthetic records of a connector as events, one for every action; `now` becomes `metadata.processed_time`. */
export async function mapSamples(
  connector: Connector,
  others: readonly Connector[],
  files: Files,
  now: number,
): Promise<readonly Mapped[]> {
  const lines = (await samplesOf(connector, others, files)).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const { uid, record } = connector.records.examine({ value: parseJson(line) }, undefined);
    return connector.mapper.map(
      { uid, received: now, record },
      { source: connector.name, tenant: undefined, labels: [], processedTime: now },
    );
  });
}

/** A connector that reads the same table in another way has the same samples. */
async function samplesOf(connector: Connector, others: readonly Connector[], files: Files): Promise<string> {
  const relatives = others.filter(({ name, mapper }) => name !== connector.name && mapper.table === connector.mapper.table);
  for (const { origin } of [connector, ...relatives]) {
    try {
      return await files.readFile(join(origin, 'samples.ndjson'), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new PenstockError('PEN_NOT_FOUND', `connector "${connector.name}" has no samples`, {
    fix: `add ${join(connector.origin, 'samples.ndjson')}`,
  });
}

/** Files that have a JSON Schema. */
export const schemaKinds = ['config', 'connector', 'actions'] as const;
export type SchemaKind = (typeof schemaKinds)[number];

/** The JSON Schema of a kind of file, for editors. */
export async function printSchema(kind: SchemaKind, files: Files): Promise<unknown> {
  if (kind === 'connector') return connectorJsonSchema();
  if (kind === 'actions') return actionsJsonSchema();
  const connectors = await loadConnectors({ dirs: [shippedConnectors], files });
  return configJsonSchema([...connectors.values()]);
}
