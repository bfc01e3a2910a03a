import type { Json } from '../base/json.ts';
import { compileSchema } from '../base/schema.ts';
import { schemaFaults } from '../base/schema-faults.ts';
import type { Fault, YamlText } from '../base/yaml-faults.ts';
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

const keywordsOf = {
  text: ['format', 'pattern', 'minLength', 'maxLength'],
  number: ['minimum', 'maximum'],
  list: ['minItems', 'items'],
};
const kindsOf: Readonly<Record<string, readonly (keyof typeof keywordsOf)[]>> = {
  string: ['text'],
  integer: ['number'],
  number: ['number'],
  array: ['list', 'text'],
};

/** What is wrong with options, which otherwise only the first source would find out that sets them, or none: a schema leaves it out of account. */
export function checkOptions(specs: OptionSpecs, doc: YamlText): Fault[] {
  return Object.entries(specs).flatMap(([name, spec]) => {
    const at = ['options', name];
    const fitting = (kindsOf[spec.type] ?? []).flatMap((kind) => keywordsOf[kind]);
    const stray = Object.values(keywordsOf)
      .flat()
      .filter((keyword) => Object.hasOwn(spec, keyword) && !fitting.includes(keyword));
    if (stray.length > 0)
      return stray.map((keyword) =>
        doc.fault([...at, keyword], `says nothing about a value of type ${spec.type}`, 'leave it out', 'key'),
      );
    const wrong = wrongPattern(spec.pattern);
    if (wrong !== undefined) return [doc.fault([...at, 'pattern'], wrong, 'write a regular expression of JavaScript')];
    const validate = compileSchema(propertySchema(spec));
    return spec.default === undefined || validate(spec.default) ? [] : schemaFaults(validate.errors, doc, [...at, 'default']);
  });
}

function wrongPattern(pattern: string | undefined): string | undefined {
  try {
    void new RegExp(pattern ?? '', 'u');
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
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
