import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { configJsonSchema } from '../config/index.ts';
import type { ActionSummary } from '../connectors/action-tables.ts';
import type { Connector } from '../connectors/connector.ts';
import { actionsJsonSchema, connectorJsonSchema, listConnectors, loadConnector, loadConnectors } from '../connectors/index.ts';
import type { Format, Mapped } from '../event/event.ts';
import { compileDrop, type Droppable, dropFaults, encodeBody } from '../event/index.ts';
import { validateEvent } from '../event/ocsf/validate.ts';
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
  readonly drop?: readonly Droppable[];
  /** Only this action's key. */
  readonly action?: string;
  /** Looked up before the shipped connectors. */
  readonly dirs?: readonly string[];
  /** What becomes `metadata.processed_time`, milliseconds. */
  readonly now: number;
}

interface Samples {
  /** One for every synthetic record of a connector, mapped and encoded as a sink would send it. */
  readonly lines: readonly string[];
  /** Of all lines. */
  readonly bytes: number;
  /** Of all lines, had nothing been dropped. */
  readonly wholeBytes: number;
  /** What is not valid by OCSF, with the action in front. */
  readonly faults: readonly string[];
}

const bytesOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

/** The samples of a connector. Throws PEN_NOT_FOUND where there are none of the action, PEN_USAGE when the format lacks what is to be dropped. */
export async function renderSamples(
  { connector: name, format, includeRaw, drop = [], action, dirs = [], now }: SampleRequest,
  files: Files,
): Promise<Samples> {
  const [wrong] = dropFaults(drop, format);
  if (wrong !== undefined)
    throw new PenstockError('PEN_USAGE', wrong.what, { fix: 'leave it out of --drop, or set --format ocsf' });
  const places = { dirs: [...dirs, shippedConnectors], files };
  const connector = await loadConnector(name, places);
  const mapped = await mapSamples(connector, [...(await loadConnectors(places)).values()], files, now);
  const wanted = action === undefined ? mapped : mapped.filter(({ actionKey }) => actionKey === action);
  if (wanted.length > 0) {
    const whole = wanted.map((one) => encodeBody(format, one, { includeRaw }));
    const lines =
      drop.length === 0 ? whole : wanted.map((one) => encodeBody(format, one, { includeRaw, drop: compileDrop(drop) }));
    const faults = wanted.flatMap(({ event, actionKey }) => validateEvent(event).map((fault) => `${actionKey}: ${fault}`));
    return { lines, bytes: bytesOf(lines), wholeBytes: bytesOf(whole), faults };
  }
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
  const raws = lines.flatMap((line) => connector.records.split({ value: parseJson(line) }));
  return raws.map((raw) => {
    const { uid, record } = connector.records.examine(raw, undefined);
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
