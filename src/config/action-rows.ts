import { resolve } from 'node:path';
import { formatPath, type YamlPath } from '../base/yaml-faults.ts';
import type { ConnectorExtras } from '../connectors/index.ts';
import type { LoadContext } from './load-context.ts';

/** A source's own action rows as the connectors room takes them: the file that it names, or the rows written there as a text. */
export function actionRows(written: unknown, at: YamlPath, { doc, from }: LoadContext): NonNullable<ConnectorExtras['actions']> {
  if (typeof written === 'string' && written !== '') return [resolve(from.dir, written)];
  if (!Array.isArray(written)) return [];
  return [{ file: `${doc.file} (${formatPath(at)})`, text: JSON.stringify({ actions: written as unknown[] }) }];
}
