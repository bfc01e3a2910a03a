import type { Files } from '../base/seams.ts';
import { configJsonSchema } from '../config/index.ts';
import { actionsJsonSchema, connectorJsonSchema, loadConnectors } from '../connectors/index.ts';
import { shippedConnectors } from '../runtime/read-config.ts';

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
