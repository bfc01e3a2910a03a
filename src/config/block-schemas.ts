import type { Connector } from '../connectors/connector.ts';
import { CommonSinkOptions } from '../sinks/common-options.ts';
import type { SinkType } from '../sinks/sink.ts';
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
