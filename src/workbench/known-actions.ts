import type { Files } from '../base/seams.ts';
import type { ActionSummary } from '../connectors/action-tables.ts';
import type { Connector } from '../connectors/connector.ts';
import { type ConnectorPlaces, loadConnector, loadConnectors } from '../connectors/index.ts';
import type { MappedEvent } from '../event/attributes.ts';
import type { ActionRow, Mapped } from '../event/event.ts';
import { shippedConnectors } from '../runtime/read-config.ts';
import { mapSamples } from './catalog.ts';

/** An action as its table describes it and as its events carry it. */
export interface KnownAction extends ActionSummary {
  /** `metadata.event_code` of its events, letter by letter; the documented one first. */
  readonly codes: readonly string[];
  readonly description: string | undefined;
  readonly cim: ActionRow['cim'];
}

/** An action table with the connectors that read it. */
export interface KnownTable {
  readonly table: string;
  readonly connectors: readonly Connector[];
  readonly metadata: MappedEvent['metadata'];
  readonly actions: readonly KnownAction[];
}

const placesOf = (files: Files, dirs: readonly string[]): ConnectorPlaces => ({ dirs: [...dirs, shippedConnectors], files });

/** Every action table, by name; `dirs` are looked up before the shipped connectors. Throws PEN_NOT_FOUND for a table without samples. */
export async function knownTables(files: Files, dirs: readonly string[] = []): Promise<KnownTable[]> {
  const connectors = [...(await loadConnectors(placesOf(files, dirs))).values()];
  const groups = Object.groupBy(connectors, ({ mapper }) => mapper.table);
  const tables = Object.entries(groups).map(([table, group = []]) => readTable(table, group, files));
  return (await Promise.all(tables)).sort((one, other) => (one.table < other.table ? -1 : 1));
}

/** The action table of a connector; throws PEN_USAGE for a name that no folder has. */
export async function knownTableOf(name: string, files: Files, dirs: readonly string[]): Promise<KnownTable> {
  const places = placesOf(files, dirs);
  const { table } = (await loadConnector(name, places)).mapper;
  const connectors = [...(await loadConnectors(places)).values()].filter(({ mapper }) => mapper.table === table);
  return readTable(table, connectors, files);
}

async function readTable(table: string, connectors: readonly Connector[], files: Files): Promise<KnownTable> {
  const [first] = connectors as readonly [Connector];
  const samples = await mapSamples(first, connectors, files, 0);
  const actions = first.actions.flatMap((summary) => knownAction(summary, samples) ?? []);
  const { metadata } = (samples[0] as Mapped).event as MappedEvent;
  return { table, connectors, metadata, actions };
}

function knownAction(summary: ActionSummary, samples: readonly Mapped[]): KnownAction | undefined {
  const own = samples.filter(({ action }) => action?.key === summary.key);
  const row = own[0]?.action;
  if (row === undefined) return undefined;
  const codes = own.flatMap(({ event }) => event.metadata.event_code ?? []);
  return { ...summary, codes: [...new Set(codes)], description: row.description ?? undefined, cim: row.cim };
}
