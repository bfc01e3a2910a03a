import { Type } from 'typebox';
import { expect, it } from 'vitest';
import { durationPattern } from '../../src/base/quantity.ts';
import type { ObjectSchema } from '../../src/config/block-schemas.ts';
import { describeOptions } from '../../src/config/describe-options.ts';

it('writes a Markdown table of options, those within maps included', () => {
  const schema = Type.Object({
    token: Type.String({ secret: true, description: 'HEC token.' }),
    format: Type.Enum(['ocsf', 'cef'], { default: 'ocsf', description: 'Body | form.' }),
    endpoints: Type.Optional(Type.Array(Type.String({ format: 'uri' }), { description: 'Where to.' })),
    batch: Type.Object(
      { wait: Type.String({ pattern: durationPattern, default: '1s', description: 'Pause.' }) },
      { default: {}, description: 'Limits.' },
    ),
  });

  const table = describeOptions(schema as unknown as ObjectSchema);

  expect(table.split('\n')).toEqual([
    '| option | type | default | meaning |',
    '| --- | --- | --- | --- |',
    '| `token` | string, secret | required | HEC token. |',
    '| `format` | `ocsf`, `cef` | `ocsf` | Body \\| form. |',
    '| `endpoints` | list of URL |  | Where to. |',
    '| `batch` | map |  | Limits. |',
    '| `batch.wait` | duration | `1s` | Pause. |',
    '',
  ]);
});
