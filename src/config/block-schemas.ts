import type { Fault } from '../base/yaml-faults.ts';
import type { Connector } from '../connectors/connector.ts';
import { CommonSinkOptions } from '../sinks/common-options.ts';
import type { SinkType } from '../sinks/sink.ts';
import { FileOptions } from './file-options.ts';
import { SourceOptions } from './source-options.ts';

/** An object schema as JSON: what TypeBox and connectors both give. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, OptionSchema>>;
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** The schema of one option. */
export interface OptionSchema {
  readonly type?: unknown;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly secret?: boolean;
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly items?: OptionSchema;
  readonly anyOf?: readonly OptionSchema[];
  readonly [keyword: string]: unknown;
}

/** A sink's whole schema: what all sinks have, and its kind's own options, which win where both describe one. */
export function sinkSchema(kind: SinkType): ObjectSchema {
  const own = kind.options as unknown as ObjectSchema;
  const common = CommonSinkOptions as unknown as ObjectSchema;
  return {
    ...own,
    properties: {
      type: { const: kind.name, description: 'Kind of sink.' },
      ...own.properties,
      ...without(common.properties, 'type', own.properties),
    },
    // What has a default is never missing; ajv fills it in before it looks for what is required.
    required: [...new Set(['type', ...(own.required ?? [])])],
    additionalProperties: false,
  };
}

/** A source's whole schema: what all sources have, with the connector's own `options`. */
export function sourceSchema(connector: Pick<Connector, 'options'>): ObjectSchema {
  const common = SourceOptions as unknown as ObjectSchema;
  const options = connector.options as OptionSchema;
  return {
    ...common,
    properties: { ...common.properties, options: { ...options, default: {} } },
    required: ['connector'],
  };
}

function without(
  properties: ObjectSchema['properties'],
  name: string,
  others: ObjectSchema['properties'],
): ObjectSchema['properties'] {
  return Object.fromEntries(Object.entries(properties).filter(([key]) => key !== name && !(key in others)));
}

/** Options that belong together: the block of the file, whose they are, and their schema. */
type Root = readonly [block: string, owner: string, schema: unknown];

/** A fault of an option that is unknown at its place, with the places where there is one of its name: in `roots`, else anywhere in the file. */
export function withPlaces(
  fault: Fault,
  sinkTypes: Readonly<Record<string, SinkType>>,
  roots: readonly Root[] = rootsOf(sinkTypes),
): Fault {
  const name = /^unknown option "(.+)"$/s.exec(fault.what)?.[1];
  const hint = `"${name}" belongs `;
  if (name === undefined || fault.fix?.startsWith(hint) === true) return fault;
  const places = placesOf(name, String(fault.path[0]), roots);
  if (places.length === 0) return fault;
  const told = `${hint}${places.slice(0, mostPlaces).join(', or ')}`;
  if (fault.fix === undefined) return { ...fault, fix: told };
  // What is spelt nearly like that and possible here goes before what is spelt like that and possible elsewhere.
  const [, near = '', rest = ''] = /^(did you mean "[^"]*"\? )?(.*)$/s.exec(fault.fix) ?? [];
  return { ...fault, fix: `${near}${told}; ${rest}` };
}

const mostPlaces = 3;

function rootsOf(sinkTypes: Readonly<Record<string, SinkType>>): readonly Root[] {
  const common = Object.keys((CommonSinkOptions as unknown as ObjectSchema).properties);
  return [
    ['sources', 'a source', SourceOptions],
    ['sinks', 'a sink', CommonSinkOptions],
    ['', 'the top of the file', FileOptions],
    ...Object.values(sinkTypes).map(
      ({ name, options }): Root => ['sinks', `a sink of type ${name}`, own(options as unknown as OptionSchema, common)],
    ),
  ];
}

/** Where an option is known, those of the same block first: `below "batch" of a sink`, `to a source`. */
function placesOf(name: string, block: string, roots: readonly Root[]): string[] {
  const near = roots.toSorted((a, b) => Number(b[0] === block) - Number(a[0] === block));
  const places = near.flatMap(([, owner, schema]) =>
    pathsTo(name, schema as OptionSchema).map((path) =>
      path.length === 0 ? `to ${owner}` : `below "${path.join('.')}" ${owner === 'the top of the file' ? 'at' : 'of'} ${owner}`,
    ),
  );
  return [...new Set(places)];
}

const own = ({ properties }: OptionSchema, common: readonly string[]): OptionSchema => ({
  properties: Object.fromEntries(Object.entries(properties ?? {}).filter(([key]) => !common.includes(key))),
});

const deepest = 3;

/** What stands around the options of that name in a schema. */
function pathsTo(name: string, { properties = {}, anyOf = [] }: OptionSchema, around: readonly string[] = []): string[][] {
  if (around.length > deepest) return [];
  const here = Object.hasOwn(properties, name) ? [[...around]] : [];
  const inside = Object.entries(properties).flatMap(([key, schema]) => pathsTo(name, schema, [...around, key]));
  return [...here, ...inside, ...anyOf.flatMap((schema) => pathsTo(name, schema, around))];
}
