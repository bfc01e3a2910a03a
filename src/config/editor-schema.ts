import type { Connector } from '../connectors/connector.ts';
import { CommonSinkOptions } from '../sinks/common-options.ts';
import { sinkTypes } from '../sinks/index.ts';
import { type ObjectSchema, type OptionSchema, sinkSchema, sourceSchema } from './block-schemas.ts';
import { FileOptions, namePattern } from './file-options.ts';
import { SourceOptions } from './source-options.ts';

const interpolation = { type: 'string', pattern: '\\$\\{(env|file):[^}]+\\}' };

/**
 * JSON Schema (draft 7, which every editor knows) of the whole configuration file, made of the schemas that `loadConfig` checks with.
 * A source's options depend on its connector, a sink's on its type; connectors that are not given here may have any options.
 */
export function configJsonSchema(connectors: readonly Pick<Connector, 'name' | 'options'>[]): Record<string, unknown> {
  const file = forEditor(FileOptions as unknown as ObjectSchema) as ObjectSchema;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Penstock configuration',
    ...file,
    properties: {
      ...file.properties,
      sources: named(file.properties['sources'], 'source'),
      sinks: { ...named(file.properties['sinks'], 'sink'), minProperties: 1 },
    },
    required: ['sinks'],
    definitions: { ...sourceDefinitions(connectors), ...sinkDefinitions() },
  };
}

function sourceDefinitions(connectors: readonly Pick<Connector, 'name' | 'options'>[]): Record<string, unknown> {
  const names = connectors.map(({ name }) => name);
  const shared = forEditor(SourceOptions as unknown as ObjectSchema);
  return {
    source: {
      type: 'object',
      required: ['connector'],
      properties: { connector: { anyOf: [{ enum: names }, { type: 'string' }], description: 'Name of the connector.' } },
      allOf: names.map((name) => choose('connector', name, `source-${name}`)),
      if: { properties: { connector: { enum: names } } },
      else: { $ref: '#/definitions/source-of-own-connector' },
    },
    'source-of-own-connector': shared,
    ...Object.fromEntries(
      connectors.map((connector) => [
        `source-${connector.name}`,
        referring(forEditor(sourceSchema(connector)), shared, 'source-of-own-connector'),
      ]),
    ),
  };
}

function sinkDefinitions(): Record<string, unknown> {
  const kinds = Object.values(sinkTypes);
  const shared = forEditor(CommonSinkOptions as unknown as ObjectSchema);
  const names = kinds.map(({ name }) => name);
  return {
    sink: {
      type: 'object',
      required: ['type'],
      properties: { type: { enum: names, description: 'Kind of sink.' } },
      allOf: names.map((name) => choose('type', name, `sink-${name}`)),
    },
    'sink-of-any-type': shared,
    ...Object.fromEntries(
      kinds.map((kind) => [`sink-${kind.name}`, referring(forEditor(sinkSchema(kind)), shared, 'sink-of-any-type')]),
    ),
  };
}

function named(blocks: OptionSchema | undefined, kind: string): Record<string, unknown> {
  return {
    type: 'object',
    description: blocks?.description,
    propertyNames: { pattern: namePattern },
    additionalProperties: { $ref: `#/definitions/${kind}` },
  };
}

function choose(key: string, value: string, definition: string): object {
  // oxlint-disable-next-line no-thenable -- `then` is a keyword of JSON Schema
  return { if: { properties: { [key]: { const: value } }, required: [key] }, then: { $ref: `#/definitions/${definition}` } };
}

/** The same schema, with a reference in the place of every option that `shared` describes in the same words. */
function referring(schema: OptionSchema, shared: OptionSchema, name: string): OptionSchema {
  const properties = Object.entries(schema.properties ?? {}).map(([key, option]) => {
    const isSame = JSON.stringify(option) === JSON.stringify(shared.properties?.[key]);
    return [key, isSame ? { $ref: `#/definitions/${name}/properties/${key}` } : option];
  });
  return { ...schema, properties: Object.fromEntries(properties) as Readonly<Record<string, OptionSchema>> };
}

/** Without our own marks; and wherever text must have a form, an interpolation may stand instead. What has a default is not required. */
function forEditor(schema: OptionSchema): OptionSchema {
  const { secret: _secret, identity: _identity, format, properties, required, items, anyOf, ...rest } = schema;
  const inner = {
    ...rest,
    ...(format === undefined || format === 'path' || format === 'duration' || format === 'size' ? {} : { format }),
    ...(items === undefined ? {} : { items: forEditor(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(forEditor) }),
    ...(properties === undefined ? {} : { properties: mapValues(properties, forEditor), ...requiredOf(properties, required) }),
  };
  const isFormed = rest.type === 'string' && (rest['pattern'] !== undefined || (format !== undefined && format !== 'path'));
  if (!isFormed) return inner;
  const { description, default: fallback, ...form } = inner;
  return {
    anyOf: [form, interpolation],
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
  };
}

function requiredOf(properties: Readonly<Record<string, OptionSchema>>, required: unknown): { required?: string[] } {
  const missing = ((required as readonly string[] | undefined) ?? []).filter((name) => properties[name]?.default === undefined);
  return missing.length === 0 ? {} : { required: missing };
}

function mapValues(
  values: Readonly<Record<string, OptionSchema>>,
  change: (value: OptionSchema) => OptionSchema,
): Record<string, OptionSchema> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));
}
