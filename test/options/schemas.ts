import { FileOptions } from '../../src/config/file-options.ts';
import { SourceOptions } from '../../src/config/source-options.ts';
import { connectorSchema } from '../../src/connectors/connector-schema.ts';
import { readKinds } from '../../src/connectors/read-section.ts';
import { CommonSinkOptions, TlsOptions } from '../../src/sinks/common-options.ts';
import { sinkTypes } from '../../src/sinks/index.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
}

/** The options that a schema describes, as paths without those that only group others: `batch.bytes`. `tls` is a schema of its own. */
function optionsOf(schema: unknown, prefix = ''): string[] {
  const { anyOf = [], items, properties = {} } = schema as Schema;
  const inner = [...anyOf, ...(items === undefined ? [] : [items])].flatMap((part) => optionsOf(part, prefix));
  const isTls = (option: Schema): boolean => option.properties?.['ca_file'] !== undefined;
  const own = Object.entries(properties).flatMap(([name, option]) => {
    const path = `${prefix}${name}`;
    const below = isTls(option) ? [] : optionsOf(option, `${path}.`);
    return below.length === 0 ? [path] : below;
  });
  return [...new Set([...inner, ...own])];
}

const connector = (connectorSchema('http_window') as unknown as Schema).properties ?? {};

/** Every option that a person can write, by the schema that describes it; `kind` chooses the schema. */
export const options: Readonly<Record<string, readonly string[]>> = {
  file: optionsOf(FileOptions),
  source: optionsOf(SourceOptions),
  sink: optionsOf(CommonSinkOptions),
  tls: optionsOf(TlsOptions),
  ...Object.fromEntries(Object.values(sinkTypes).map(({ name, options }) => [`sink ${name}`, optionsOf(options)])),
  auth: optionsOf(connector['auth']),
  record: optionsOf(connector['record']),
  ...Object.fromEntries(
    Object.entries(readKinds).map(([kind, schema]) => [`read ${kind}`, optionsOf(schema).filter((option) => option !== 'kind')]),
  ),
};
