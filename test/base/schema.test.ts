import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject } from '../../src/base/json.ts';
import { durationPattern, sizePattern } from '../../src/base/quantity.ts';
import { compileSchema } from '../../src/base/schema.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { sinkSchema, sourceSchema } from '../../src/config/block-schemas.ts';
import { FileOptions } from '../../src/config/file-options.ts';
import { connectorSchema } from '../../src/connectors/connector-schema.ts';
import { loadConnectors } from '../../src/connectors/index.ts';
import { readKinds } from '../../src/connectors/read-section.ts';
import { ActionTableSpec } from '../../src/event/index.ts';
import { shippedConnectors } from '../../src/runtime/read-config.ts';
import { sinkTypes } from '../../src/sinks/index.ts';
import { expectLinear } from '../cost.ts';
import { fewOrMany } from '../thorough.ts';

type Schema = Readonly<Record<string, unknown>>;

function openAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allErrors: true, useDefaults: true, verbose: true, allowUnionTypes: true });
  ajv.addVocabulary(['secret', 'identity']);
  ajv.addFormat('duration', new RegExp(durationPattern));
  ajv.addFormat('size', new RegExp(sizePattern));
  ajv.addFormat('uri', (text) => text.includes('://') && URL.canParse(text));
  ajv.addFormat('date-time', (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)));
  ajv.addFormat('path', true);
  return ajv;
}

const connectors = await loadConnectors({ dirs: [shippedConnectors], files: systemSeams().files });
const schemas: Readonly<Record<string, unknown>> = {
  'the file': FileOptions,
  'an action table': ActionTableSpec,
  ...Object.fromEntries(Object.values(sinkTypes).map((kind) => [`a sink of type ${kind.name}`, sinkSchema(kind)])),
  ...Object.fromEntries(
    Object.keys(readKinds).map((kind) => [`a connector that reads by ${kind}`, connectorSchema(kind as keyof typeof readKinds)]),
  ),
  ...Object.fromEntries([...connectors].map(([name, connector]) => [`a source of ${name}`, sourceSchema(connector)])),
};

const texts = ['', 'a', '30s', '5', '2GiB', 'https://a.example/x', 'a:1', '2026-01-01T00:00:00Z', '~/', 'ä€😀', 'a'.repeat(300)];
const odd: readonly unknown[] = [null, true, false, 0, 1, -1, 1.5, 1e9, [], {}, ['x', 'x'], { x: 1 }, ...texts];

/** A value that mostly fits, by the numbers of a stream; what is not known about it is right by chance. */
function valueFor(schema: unknown, next: (below: number) => number): unknown {
  if (!isObject(schema) || next(12) === 0) return odd[next(odd.length)];
  const branches = schema['anyOf'] as readonly unknown[] | undefined;
  if (branches !== undefined) return valueFor(branches[next(branches.length)], next);
  if (schema['const'] !== undefined) return schema['const'];
  if (Array.isArray(schema['enum'])) return (schema['enum'] as unknown[])[next(schema['enum'].length)];
  const type = [schema['type']].flat()[0];
  if (type === 'object' || schema['properties'] !== undefined) return objectFor(schema, next);
  if (type === 'array') return Array.from({ length: next(4) }, () => valueFor(schema['items'], next));
  if (type === 'boolean') return next(2) === 0;
  if (type === 'integer' || type === 'number') return next(2) === 0 ? next(10) : [-1, 1.5, 1e7][next(3)];
  return texts[next(texts.length)];
}

function objectFor(schema: Schema, next: (below: number) => number): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries((schema['properties'] ?? {}) as Schema))
    if (next(3) > 0) value[key] = valueFor(inner, next);
  for (const [, inner] of Object.entries((schema['patternProperties'] ?? {}) as Schema))
    for (let n = next(3); n > 0; n -= 1) value[['one', 'two', 'A/b~c', 'Ü'][next(4)] ?? ''] = valueFor(inner, next);
  if (next(10) === 0) value['unknown/~key'] = odd[next(odd.length)];
  return value;
}

/** Of several items that come again ajv names one or another. */
function comparable(error: Record<string, unknown>): Record<string, unknown> {
  return error['keyword'] === 'uniqueItems' ? { ...error, params: 0, message: 0 } : error;
}

function answerOf(validate: { (value: unknown): unknown; errors?: unknown }, given: unknown) {
  const value = structuredClone(given);
  const isValid = validate(value);
  const errors = (validate.errors ?? []) as Record<string, unknown>[];
  return { isValid, value, errors: errors.map(({ schema: _schema, ...error }) => comparable(error)) };
}

describe('a value', () => {
  it.each(Object.keys(schemas))('is judged as ajv judges it, faults, words, order and defaults, by the schema of %s', (name) => {
    // As a file has it: TypeBox marks its own with more.
    const schema: unknown = JSON.parse(JSON.stringify(schemas[name]));
    const theirs = openAjv().compile(schema as object);
    const ours = compileSchema(schema);

    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (stream) => {
        const given = valueFor(schema, (below) => stream.next().value % below);

        expect(answerOf(ours, given)).toEqual(answerOf(theirs, given));
      }),
      { numRuns: fewOrMany(10, 200) },
    );
  });
});

it('names an item that comes again', () => {
  const validate = compileSchema({ type: 'array', uniqueItems: true });

  validate(['a', 'b', 'a', 'b']);

  expect(validate.errors.map(({ message }) => message)).toEqual([
    'must NOT have duplicate items (items ## 3 and 1 are identical)',
  ]);
});

it('looks for an item that comes again at a cost in proportion', () => {
  const validate = compileSchema({ type: 'array', uniqueItems: true });

  expectLinear((length) =>
    validate(Array.from({ length: length / 10 }, (_, index) => (index % 2 === 0 ? `${index}` : { a: index }))),
  );
});

it('takes equal items of any kind for one that comes again, and no others', () => {
  const validate = compileSchema({ type: 'array', uniqueItems: true });

  expect(validate([1, '1', true, 'true', null, 'null', [1], '[1]', {}, '{}', { a: 1 }, { a: 2 }, '"', 0])).toBe(true);
  expect([
    validate([
      { a: 1, b: [2] },
      { b: [2], a: 1 },
    ]),
    validate([[1], [1]]),
    validate([0, -0]),
  ]).toEqual([false, false, false]);
});

it('refuses a pattern that is none', () => {
  expect(() => compileSchema({ type: 'string', pattern: '(' })('x')).toThrow('the schema does not compile');
});

it.each(['requird', 'oneOf', 'toString'])('refuses the keyword %s, which it does not know', (keyword) => {
  const schema = { type: 'object', properties: { a: { [keyword]: [] } } };

  expect(() => compileSchema(schema)({ a: 1 })).toThrow(`the schema does not compile: unknown keyword "${keyword}"`);
});

it('refuses a format that it does not know', () => {
  expect(() => compileSchema({ type: 'string', format: 'colour' })('x')).toThrow('unknown format "colour"');
});

it('takes names of objects for data', () => {
  const validate = compileSchema({ type: 'object', required: ['constructor'], properties: { toString: { type: 'number' } } });

  expect({ isValid: validate({}), faults: validate.errors.map(({ message }) => message) }).toEqual({
    isValid: false,
    faults: ["must have required property 'constructor'"],
  });
});
