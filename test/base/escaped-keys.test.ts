import { describe, expect, it } from 'vitest';
import { hasEscapedKey } from '../../src/base/escaped-keys.ts';
import { parseForeignJson } from '../../src/base/foreign.ts';
import { parseJson } from '../../src/base/json.ts';
import { redact } from '../../src/event/index.ts';
import { expectLinear, repeated } from '../cost.ts';

const keysOf = (text: string): string[] => Object.keys(parseJson(text) as Record<string, unknown>);

describe('a key that is written with escapes', () => {
  it.each([
    ['a line break', '"\\n"', '\n'],
    ['a quote', '"\\""', '"'],
    ['half of a pair', '"k\\ud800"', 'k\ud800'],
    ['a letter', '"\\u0070assword"', 'password'],
    ['the prototype', '"__pro\\u0074o__"', '__proto__'],
  ])('is read as it is written after an object whose key looks like its text: %s', (name, written, key) => {
    // As many characters of the text as the key has: what V8 compares.
    const alike = written.slice(1, 1 + key.length);
    const before = parseJson(`{"${name}":1,${JSON.stringify(alike)}:2}`);

    expect(Object.keys(before as object)).toEqual([name, alike]);
    expect(keysOf(`{"${name}":1,${written}:2}`)).toEqual([name, key]);
    expect(keysOf(`{"${name}":1,${written} \n :2,"n":12345678901234567890}`)).toEqual([name, key, 'n']);
  });

  it('hides no secret', () => {
    redact(parseForeignJson('{"hides":1,"\\\\u0070as":2}'));

    expect(redact(parseForeignJson('{"hides":1,"\\u0070assword":"hunter2"}'))).toEqual({ hides: 1, password: '[REDACTED]' });
  });

  it('keeps values, order, numbers and nesting, and the later of two with one name', () => {
    const text = '{"a":["x:\\n",{"\\u0062":12345678901234567890}],"\\u0061":1,"\\t":{"c":[{"\\\\":null}]},"d":"\\"e\\":"}';

    expect(JSON.stringify(parseJson(text))).toBe('{"a":1,"\\t":{"c":[{"\\\\":null}]},"d":"\\"e\\":"}');
    expect(parseJson('{"\\u00310":1,"10":2}')).toEqual({ 10: 2 });
    expect(JSON.stringify(parseJson('[{"\\u0062":12345678901234567890,"2":1,"\\u0031":1}]'))).toBe(
      '[{"1":1,"2":1,"b":12345678901234567890}]',
    );
  });

  it('is a fault where its escape is one', () => {
    for (const text of ['{"\\q":1}', '{"\\u00":1}', '{"\\n":}', '{"\\n":1', '{"a":"\\n:', '"\\n":1', '{"\n\\n":1}'])
      expect(() => parseJson(text), text).toThrow(SyntaxError);
  });
});

it('tells escaped keys from escaped values', () => {
  const texts = ['{"a":"\\n"}', '["\\":"]', '["a\\\\","b:"]', '{"a\\\\":1}', '{"x":"\\"","\\n"  :1}', '"\\'];

  expect(texts.map(hasEscapedKey)).toEqual([false, false, false, true, true, false]);
});

it.each([
  ['keys', '"\\n":{"a":1},', 14],
  ['values', '"a":"\\"\\n\\\\",', 13],
])('costs in proportion to its length, of escaped %s, whole and cut off', (_name, member, length) => {
  expectLinear((size) => {
    const text = `{"\\t":[${'['.repeat(50)}${']'.repeat(50)}],${repeated(member, size - (size % length))}"z":0}`;
    const tries = [text, text.slice(0, -12), `${text.slice(0, -4)}"${'\\"'.repeat(size / 2)}`];
    return tries.map((one) => {
      try {
        return parseJson(one);
      } catch (error) {
        if (error instanceof SyntaxError) return undefined;
        throw error;
      }
    });
  });
});
