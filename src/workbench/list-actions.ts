import type { Files } from '../base/seams.ts';
import type { ActionSummary } from '../connectors/connector.ts';
import { listConnectors, loadConnector } from '../connectors/index.ts';
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
