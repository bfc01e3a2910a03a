import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { connectorSchema } from '../../src/connectors/connector-schema.ts';
import { readKinds } from '../../src/connectors/read-section.ts';
import { ActionTableSpec } from '../../src/event/index.ts';
import { sinkTypes } from '../../src/sinks/index.ts';

const schemas: Record<string, object> = {
  'action table': ActionTableSpec,
  ...Object.fromEntries(Object.values(sinkTypes).map(({ name, options }) => [`options of ${name}`, options])),
  ...Object.fromEntries(
    Object.keys(readKinds).map((kind) => [`connector that reads by ${kind}`, connectorSchema(kind as keyof typeof readKinds)]),
  ),
};

// The program does not look: compiling the schema of schemas would take longer than all of ours.
it.each(Object.keys(schemas))('the schema of the %s is a schema', (name) => {
  const ajv = new Ajv2020({ strict: false, formats: { duration: true, size: true, uri: true, 'date-time': true, path: true } });

  expect({ valid: ajv.validateSchema(schemas[name] ?? {}), errors: ajv.errors }).toEqual({ valid: true, errors: null });
});
