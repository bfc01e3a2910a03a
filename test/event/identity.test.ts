import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson } from '../../src/base/json.ts';
import { compileHashId, fingerprintOf, normaliseKey, uidOf } from '../../src/event/index.ts';

it('gives one record one uid, and a second under its id another', () => {
  const first = uidOf('anaconda', '7c1b2a44-91b0-4c55-8f0e-2d9d5c3f6e01', '0b6f6d0e-5a51-4d0e-9a53-6f2f3c1b7a10');
  const second = uidOf('anaconda', '7c1b2a44-91b0-4c55-8f0e-2d9d5c3f6e01', '0b6f6d0e-5a51-4d0e-9a53-6f2f3c1b7a10', 'abc');

  expect(first).toBe('91f73bd932cde48e831e32b744fc6b3e');
  expect(second).toMatch(/^[0-9a-f]{32}$/);
  expect(second).not.toBe(first);
});

it('does not care for the order of keys nor for volatile fields', () => {
  const a = fingerprintOf({ id: '1', message: 'one', meta: { x: 1, views: 7 } }, ['message', 'meta.views']);
  const b = fingerprintOf({ meta: { views: 9, x: 1 }, message: 'two', id: '1' }, ['message', 'meta.views']);

  expect(a).toMatch(/^[0-9a-f]{16}$/);
  expect(b).toBe(a);
});

it('tells records apart that differ in anything else', () => {
  const prints = [
    '{"id":"1"}',
    '{"id":1}',
    '{"id":"1","x":null}',
    '{"id":12345678901234567890}',
    '{"id":12345678901234567891}',
    '"text"',
  ];

  expect(new Set(prints.map((text) => fingerprintOf(parseJson(text)))).size).toBe(prints.length);
});

it('survives a record that is nested beyond any stack', () => {
  const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);

  expect(fingerprintOf({ deep })).toMatch(/^[0-9a-f]{16}$/);
});

it('names a row by its canonical fields, whatever they are called and in whatever order', () => {
  const idOf = compileHashId(['event', ['userID', 'user_id'], 'typename']);

  const canonical = idOf({ userID: 'u', event: '', typename: 'AuditEvent', note: 'not part of it' });
  const renamed = idOf({ typename: 'AuditEvent', user_id: 'u', event: '' });

  expect([canonical, renamed]).toEqual(Array(2).fill('{"event":"","typename":"AuditEvent","userID":"u"}'));
});

it.each([
  ['Policy Updated', 'policy_updated'],
  ['policy.updated', 'policy_updated'],
  [' --Policy__Updated!! ', 'policy_updated'],
  ['GENERATE_TOKEN_FOR_CLIENT', 'generate_token_for_client'],
  ['Ünïcode Ação', 'ünïcode_ação'],
  ['???', ''],
])('normalises %j', (action, key) => {
  expect(normaliseKey(action)).toBe(key);
});

it('normalises what is normal already to itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const key = normaliseKey(text);

      expect(normaliseKey(key)).toBe(key);
    }),
  );
});
