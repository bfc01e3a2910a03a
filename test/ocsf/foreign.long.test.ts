// Against a validator that nobody here wrote: the Python package `ocsf-json-schema` with `jsonschema`. PENSTOCK_OCSF_PYTHON names the Python that has both.
import { execFile } from 'node:child_process';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { Droppable } from '../../src/event/index.ts';
import { classShapes, objectShapes } from '../../src/event/ocsf/shapes.ts';
import { listConnectorNames, renderSamples } from '../../src/workbench/catalog.ts';

const python = process.env['PENSTOCK_OCSF_PYTHON'];
const { files } = systemSeams();

/** Runs a script with the schema of OCSF 1.8.0 as `schema`; gives what it prints, as JSON. */
function run(script: string, input = ''): Promise<unknown> {
  const program = `import json, sys\nfrom ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema\nschema = get_ocsf_schema(version='1.8.0')\n${script}`;
  return new Promise((resolve, reject) => {
    const child = execFile(python ?? '', ['-c', program], { maxBuffer: 2 ** 28, timeout: 120_000 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as unknown);
      else reject(error);
    });
    child.stdin?.end(input);
  });
}

const validate = `
from jsonschema import Draft202012Validator
made = OcsfJsonSchemaEmbedded(schema)
known, faults = {}, []
for line in sys.stdin:
    event = json.loads(line)
    key = (event['class_uid'], tuple(event['metadata'].get('profiles', [])))
    if key not in known:
        known[key] = Draft202012Validator(made.get_class_schema(made.lookup_class_name_from_uid(key[0]), list(key[1])))
    faults += [[event['type_uid'], list(map(str, error.absolute_path)), error.validator] for error in known[key].iter_errors(event)]
print(json.dumps(faults))
`;
const requirements = `
named = lambda attributes: {name: attribute['requirement'] for name, attribute in attributes.items()}
print(json.dumps({
    'classes': {str(one['uid']): named(one['attributes']) for one in schema['classes'].values()},
    'objects': {name: named(one['attributes']) for name, one in schema['objects'].items()},
}))
`;

it.skipIf(python === undefined).each([[[]], [['optional']], [['optional', 'unmapped', 'observables']]] as [Droppable[]][])(
  'finds nothing in the samples of all connectors without %j',
  async (drop) => {
    const names = await listConnectorNames(files);
    const samples = await Promise.all(
      names.map((connector) =>
        renderSamples({ connector, format: 'ocsf', includeRaw: true, drop, now: 1_795_000_000_000 }, files),
      ),
    );
    const lines = samples.flatMap((one) => one.lines);

    expect(lines.length).toBeGreaterThan(150);
    expect(await run(validate, `${lines.join('\n')}\n`)).toEqual([]);
  },
);

it.skipIf(python === undefined)('says the same of what is required, recommended and optional', async () => {
  const facts = (await run(requirements)) as Record<'classes' | 'objects', Record<string, Record<string, string>>>;
  const shapes = [
    ...[...classShapes.values()].map((shape) => ({ shape, fact: facts.classes[String(shape.uid)] })),
    ...[...objectShapes()].map((shape) => ({ shape, fact: facts.objects[shape.name] })),
  ];

  const differences = shapes.flatMap(({ shape, fact }) =>
    [...shape.attributes.values()]
      .filter(({ name, requirement }) => fact?.[name] !== requirement)
      .map(({ name, requirement }) => `${shape.name}.${name}: ${requirement}, not ${fact?.[name]}`),
  );

  expect(differences).toEqual([]);
});
