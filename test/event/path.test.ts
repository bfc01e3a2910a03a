import { expect, it } from 'vitest';
import { compilePath, parsePath } from '../../src/event/index.ts';

const record: unknown = JSON.parse(
  '{"actor":{"ip":"192.0.2.1","name":""},"target":[{"id":"t1","type":"App"},{"id":"t2","type":"User"}],"meta":{"a.b":7},"n":null}',
);

it.each([
  ['actor.ip', '192.0.2.1'],
  ['$.actor.ip', '192.0.2.1'],
  ['target[1].id', 't2'],
  ['target[-1].id', 't2'],
  ['target[-3].id', undefined],
  ['target[type=User].id', 't2'],
  ['target[type=Group].id', undefined],
  ['meta["a.b"]', 7],
  ["meta['a.b']", 7],
  ['actor.ip.length', undefined],
  ['target.length', undefined],
  ['actor.missing.deeper', undefined],
  ['n', undefined],
])('reads %s', (path, value) => {
  expect(compilePath(path)(record)).toEqual(value);
});

it('takes the first candidate that tells something', () => {
  expect(compilePath(['missing', 'n', 'actor.name', 'actor.ip'])(record)).toBe('192.0.2.1');
});

it.each(['constructor', 'toString', '__proto__', '__proto__.polluted', 'actor.hasOwnProperty'])(
  'never leaves the own properties for %s',
  (path) => {
    expect(compilePath(path)(record)).toBeUndefined();
  },
);

it('reads keys that look like structure as data', () => {
  const odd: unknown = JSON.parse('{"__proto__":{"id":"1"},"constructor":"c"}');

  expect([compilePath('__proto__.id')(odd), compilePath('constructor')(odd)]).toEqual(['1', 'c']);
});

it.each([undefined, null, 7, 'text', [], true])('gives nothing for the record %j', (odd) => {
  expect(compilePath('a.b')(odd)).toBeUndefined();
});

it.each(['', '.', 'a..b', 'a.', '.a', 'a[', 'a[x', 'a]b'])('says that %j is no path', (path) => {
  expect(parsePath(path)).toBeUndefined();
  expect(() => compilePath(path)).toThrow(SyntaxError);
});
