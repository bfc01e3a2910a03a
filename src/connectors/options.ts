import type { Json } from '../base/json.ts';
import type { OptionSpec } from './connector-schema.ts';
import type { Scope } from './template.ts';

type OptionSpecs = Readonly<Record<string, OptionSpec>>;
type Options = Readonly<Record<string, unknown>>;

/** JSON Schema of `options:` of a source: what has neither a default nor `optional: true` is required. */
export function optionsSchema(specs: OptionSpecs): Json {
  const properties = Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, propertySchema(spec)]));
  const required = Object.entries(specs).filter(([, spec]) => spec.optional !== true && spec.default === undefined);
  return {
    type: 'object',
    properties,
    required: required.map(([name]) => name),
    additionalProperties: false,
    description: 'Options of the connector.',
  };
}

function propertySchema({ optional: _optional, ...spec }: OptionSpec): Json {
  const length = spec.type === 'string' && spec.minLength === undefined ? { minLength: 1 } : {};
  // One text counts as a list of one.
  const list = spec.type === 'array' ? { type: ['array', 'string'], items: spec.items ?? { type: 'string', minLength: 1 } } : {};
  return { ...spec, ...length, ...list };
}

/** The names that templates may use for these options. */
export function optionNames(specs: OptionSpecs): readonly string[] {
  return Object.keys(specs).map((name) => `options.${name}`);
}

/** Gives templates the values of checked options; lists are joined by commas. */
export function optionScope(options: Options): Scope {
  return (name) => {
    const key = name.replace(/^options\./, '');
    const value = Object.hasOwn(options, key) ? options[key] : undefined;
    return value === undefined || value === null ? undefined : textOf(value);
  };
}

/** The values that must not appear in any text. */
export function secretsOf(specs: OptionSpecs, options: Options): readonly string[] {
  const names = Object.keys(specs).filter((name) => specs[name]?.secret === true);
  return names.flatMap((name) => (typeof options[name] === 'string' ? [options[name]] : []));
}

/** The options marked `identity`; a secret never counts. */
export function identityOf(specs: OptionSpecs, options: Options): Record<string, string> {
  const names = Object.keys(specs).filter((name) => specs[name]?.identity === true && specs[name]?.secret !== true);
  return Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, textOf(options[name])]])));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : Array.isArray(value) ? value.join(',') : JSON.stringify(value);
}
