import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { readUtf8 } from '../../base/file-text.ts';
import { compileSchema } from '../../base/schema.ts';
import { schemaFaults } from '../../base/schema-faults.ts';
import type { Files } from '../../base/seams.ts';
import { type Fault, faultsError, parseYaml } from '../../base/yaml-faults.ts';
import type { KnownAction, KnownTable } from '../known-actions.ts';

const closed = { additionalProperties: false };
const text = Type.String({ minLength: 1 });
const uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
const level = Type.Enum(['informational', 'low', 'medium', 'high', 'critical']);
const texts = Type.Array(text, { minItems: 1 });
/** OCSF field path, with a Sigma modifier after a bar if wanted, to the values of which one must be there; null means absent. */
const Fields = Type.Record(text, Type.Unknown(), { minProperties: 1 });

const Burst = Type.Object(
  {
    id: uuid,
    title: text,
    within: Type.String({ pattern: '^\\d+[smhd]$' }),
    at_least: Type.Integer({ minimum: 2 }),
    level,
    falsepositives: texts,
  },
  { ...closed, description: 'A second rule, for many such events by one performer.' },
);

const DetectionSpec = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9_]+$', description: 'File name of the rule.' }),
    id: uuid,
    title: text,
    description: text,
    actions: Type.Array(text, { minItems: 1, description: 'Keys of the action table.' }),
    where: Type.Optional(Fields),
    except: Type.Optional(Fields),
    level,
    techniques: Type.Array(Type.String({ pattern: '^T\\d{4}(\\.\\d{3})?$' }), { minItems: 1, description: 'Of MITRE ATT&CK.' }),
    falsepositives: texts,
    burst: Type.Optional(Burst),
  },
  closed,
);

/** The file `detections.yaml` of a connector. */
const DetectionsSpec = Type.Object({ detections: Type.Array(DetectionSpec, { minItems: 1 }) }, closed);

/** What is worth an alert, with the actions that it looks at. */
export interface Detection extends Omit<Static<typeof DetectionSpec>, 'actions'> {
  readonly table: KnownTable;
  readonly actions: readonly KnownAction[];
}

/** The detections that connectors bring along. Throws PEN_CONNECTOR_INVALID with every fault of a file. */
export async function readDetections(tables: readonly KnownTable[], files: Files): Promise<Detection[]> {
  const read = tables.flatMap((table) =>
    table.connectors.map(({ origin }) => readFile(join(origin, 'detections.yaml'), table, files)),
  );
  return (await Promise.all(read)).flat();
}

async function readFile(file: string, table: KnownTable, files: Files): Promise<Detection[]> {
  const content = await readUtf8(files, file, 'PEN_CONNECTOR_INVALID').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content === undefined) return [];
  const doc = parseYaml(content, file);
  const validate = compileSchema<Static<typeof DetectionsSpec>>(DetectionsSpec);
  if (doc.faults.length > 0) throw faultsError('PEN_CONNECTOR_INVALID', doc.faults);
  if (!validate(doc.value)) throw faultsError('PEN_CONNECTOR_INVALID', schemaFaults(validate.errors, doc));
  const { detections } = doc.value;
  const faults: Fault[] = [];
  const known = new Map(table.actions.map((action) => [action.key, action]));
  const found = detections.map((detection, index) => ({
    ...detection,
    table,
    actions: detection.actions.flatMap((key, at) => {
      const action = known.get(key);
      if (action === undefined)
        faults.push(
          doc.fault(['detections', index, 'actions', at], `the action table has no "${key}"`, 'use a key of actions.yaml'),
        );
      return action ?? [];
    }),
  }));
  if (faults.length > 0) throw faultsError('PEN_CONNECTOR_INVALID', faults);
  return found;
}
