import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseDeepJson } from '../../src/base/deep-json.ts';

const long = (source: string): object | undefined => (/\d{16}/.test(source) ? { source } : undefined);

it('reads what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseDeepJson(text, () => undefined)).toEqual(JSON.parse(text));
    }),
  );
});

it('replaces numbers, never digits inside of a text or a key', () => {
  const text = String.raw`{"a":12345678901234567890,"12345678901234567890":["x 12345678901234567890 \" 1",-1234567890123456.5e3],"__proto__":{"b":1234567890123456}}`;

  const parsed = parseDeepJson(text, long) as Record<string, unknown>;

  expect(Object.entries(parsed)).toEqual([
    ['a', { source: '12345678901234567890' }],
    ['12345678901234567890', ['x 12345678901234567890 " 1', { source: '-1234567890123456.5e3' }]],
    ['__proto__', { b: { source: '1234567890123456' } }],
  ]);
});

it('reads a number at any depth, and a long text beside it', () => {
  const text = `{"pad":"${'x\\n'.repeat(1_000_000)}","deep":${'['.repeat(100_000)}12345678901234567890${']'.repeat(100_000)}}`;

  let node = (parseDeepJson(text, long) as { deep: unknown }).deep;
  while (Array.isArray(node)) node = (node as unknown[])[0];

  expect(node).toEqual({ source: '12345678901234567890' });
});

it('refuses what is no JSON', () => {
  expect(() => parseDeepJson('{"a":01234567890123456789}', long)).toThrow(SyntaxError);
});
