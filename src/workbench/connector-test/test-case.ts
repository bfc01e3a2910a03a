import { join, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { PenstockError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { parseTimestamp } from '../../base/quantity.ts';
import { compileSchema } from '../../base/schema.ts';
import type { Files } from '../../base/seams.ts';
import { faultsError, parseYaml, schemaFaults, type YamlText } from '../../base/yaml-faults.ts';
import type { Connector } from '../../connectors/connector.ts';

/** `case.yaml` of a recorded case. */
const CaseFile = Type.Object(
  {
    options: Type.Record(Type.String(), Type.Unknown(), {
      default: {},
      description: 'Options of the source, as in a configuration; secrets are made up.',
    }),
    from: Type.Optional(Type.String({ description: 'Start of the recorded window, RFC 3339.' })),
    to: Type.Optional(Type.String({ description: 'End of the recorded window, RFC 3339.' })),
  },
  { additionalProperties: false },
);
type CaseFile = Static<typeof CaseFile>;

/** A recorded case: options and the window that was asked for, milliseconds. */
export interface TestCase {
  readonly name: string;
  readonly folder: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly window: { readonly from: number; readonly to: number } | undefined;
}

let validateFile: ReturnType<typeof compileSchema<CaseFile>> | undefined;

/** Reads `case.yaml`; throws PEN_CONFIG_INVALID with every fault of it, each with file, line and column. */
export async function readCase(connector: Connector, name: string, folder: string, files: Files): Promise<TestCase> {
  const file = join(folder, 'case.yaml');
  const isThere = (await files.readdir(folder)).includes('case.yaml');
  const doc = parseYaml(isThere ? await files.readFile(file, 'utf8') : '{}', file);
  if (doc.faults.length > 0) throw faultsError('PEN_CONFIG_INVALID', doc.faults);
  validateFile ??= compileSchema<CaseFile>(CaseFile);
  const value = doc.value ?? {};
  if (!validateFile(value)) throw faultsError('PEN_CONFIG_INVALID', schemaFaults(validateFile.errors, doc));
  const options = absolutePaths(checkedOptions(connector, value.options, doc), connector, folder);
  return { name, folder, options, window: windowOf(value, doc) };
}

function checkedOptions(connector: Connector, options: Record<string, unknown>, doc: YamlText): Record<string, unknown> {
  const validate = compileSchema<{ options: Record<string, unknown> }>({
    type: 'object',
    properties: { options: connector.options },
  });
  const value: unknown = { options };
  if (validate(value)) return value.options;
  throw faultsError('PEN_CONFIG_INVALID', schemaFaults(validate.errors, doc));
}

function absolutePaths(options: Record<string, unknown>, connector: Connector, folder: string): Record<string, unknown> {
  const properties = isObject(connector.options) ? connector.options['properties'] : undefined;
  const isPath = (name: string): boolean => {
    const schema = isObject(properties) ? properties[name] : undefined;
    return isObject(schema) && schema['format'] === 'path';
  };
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      isPath(name) && typeof value === 'string' ? resolve(folder, value) : value,
    ]),
  );
}

function windowOf({ from, to }: CaseFile, doc: YamlText): TestCase['window'] {
  if (from === undefined && to === undefined) return undefined;
  const bound = (name: 'from' | 'to', text: string | undefined): number => {
    const at = text === undefined ? undefined : parseTimestamp(text);
    if (at !== undefined) return at;
    throw faultsError('PEN_CONFIG_INVALID', [
      doc.fault([name], `${name} is not a time`, 'write a time such as 2026-11-21T10:00:00Z; from and to belong together'),
    ]);
  };
  const window = { from: bound('from', from), to: bound('to', to) };
  if (window.from <= window.to) return window;
  throw new PenstockError('PEN_CONFIG_INVALID', 'from lies after to', { where: doc.file });
}
