import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { loadFacts, print } from './facts.ts';
import { faultsOf } from './faults.ts';
import { factsFrom } from './from-schemas.ts';

/** JSON Schemas of the classes, for whoever has them; they are no part of this repository. */
const schemas = process.env['PENSTOCK_OCSF'] ?? resolve(import.meta.dirname, '../../../shared/ocsf');
const hasSchemas = existsSync(schemas);

it('names every type and attribute that it uses', () => {
  const { classes, objects } = loadFacts();
  const shapes = [...classes, ...Object.values(objects)];

  const unknown = shapes.flatMap(({ attributes, required, deprecated, atLeastOne }) =>
    [...required, ...deprecated, ...atLeastOne].filter((name) => !(name in attributes)),
  );

  expect([classes.length, Object.keys(objects).length, unknown]).toEqual([8, 69, []]);
});

it('reads what it has written', () => {
  const written = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8').replace(/^#.*\n/gm, '');

  expect(print(loadFacts())).toEqual({ classes: written('classes.yaml'), objects: written('objects.yaml') });
});

it.skipIf(!hasSchemas)('says what the schemas of OCSF say (PENSTOCK_OCSF names their folder)', () => {
  const written = print(factsFrom(schemas));

  expect(print(loadFacts())).toEqual(written);
});

if (hasSchemas && existsSync(join(schemas, 'examples'))) {
  const examples = (kind: string) => {
    const folder = join(schemas, 'examples', kind);
    return readdirSync(folder).map((file) => ({ file, event: JSON.parse(readFileSync(join(folder, file), 'utf8')) as unknown }));
  };
  it.each(examples('valid'))('takes the example $file', ({ event }) => expect(faultsOf(event)).toEqual([]));
  it.each(examples('invalid'))('refuses the example $file', ({ event }) => expect(faultsOf(event)).not.toEqual([]));
}
