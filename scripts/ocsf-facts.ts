// Writes test/ocsf/classes.yaml and objects.yaml: `node scripts/ocsf-facts.ts FOLDER`, a folder with one JSON Schema per event class.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { print } from '../test/ocsf/facts.ts';
import { factsFrom } from '../test/ocsf/from-schemas.ts';

const [, , folder] = process.argv;
if (folder === undefined) throw new Error('usage: node scripts/ocsf-facts.ts FOLDER');

const target = join(import.meta.dirname, '../test/ocsf');
const source = 'OCSF 1.8.0, core schema (Apache-2.0, OCSF, a Series of LF Projects, LLC). Written by scripts/ocsf-facts.ts.';
const { classes, objects } = print(factsFrom(folder));

writeFileSync(
  join(target, 'classes.yaml'),
  `# The event classes that actions are mapped to. Under \`attributes\`: type -> the attributes that have it.\n# ${source}\n${classes}`,
);
writeFileSync(
  join(target, 'objects.yaml'),
  `# The objects that events contain: type -> the attributes that have it.\n# ${source}\n${objects}`,
);
