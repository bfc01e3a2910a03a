import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseForeignJson } from '../../src/base/foreign.ts';
import { canonicalJson, parseJson } from '../../src/base/json.ts';
import { parseBody } from '../../src/connectors/http-window/reply.ts';
import { boundDepth } from '../../src/event/index.ts';
import { fuzz, resultOf } from './fuzz.ts';
import { anyText, json, meant, mutated, understood } from './texts.ts';

const isSyntax = (error: unknown): boolean => error instanceof SyntaxError;

it('JSON is read as it is written: keys, order of members, digits of numbers', () => {
  fuzz(
    json,
    ({ value, text }) => {
      const read = parseForeignJson(text);

      expect(understood(read)).toEqual(meant(value));
      expect(canonicalJson(parseJson(canonicalJson(read)))).toBe(canonicalJson(read));
    },
    { weight: 2, kept: [-1_500_945_495] },
  );
});

it('a text is JSON when it is, and a SyntaxError otherwise', () => {
  fuzz(fc.oneof(anyText, mutated(json.map(({ text }) => text))), (text) => {
    const wanted = resultOf(() => JSON.parse(text) as unknown, isSyntax);
    const found = resultOf(() => parseForeignJson(text), isSyntax);

    expect('value' in found).toBe('value' in wanted);
  });
});

it('a body of JSON is read, one of a careless writer mended, and anything else a fault', () => {
  fuzz(mutated(json.map(({ text }) => text)), (text) => {
    const read = parseBody({ status: 200, headers: {}, body: Buffer.from(text) });
    // Blanks of any kind before a text, and what programs in C leave after it, are no fault of it.
    const bare = text.toWellFormed().replace(/^\s+/, '').replace(/\0+$/, '');
    const isJson = 'value' in resultOf(() => JSON.parse(bare) as unknown, isSyntax);

    if ('fault' in read) expect([read.fault.length < 100, isJson]).toEqual([true, false]);
    else {
      expect('marked' in read).toBe(!isJson);
      expect(canonicalJson(parseJson(JSON.stringify(read.value)))).toBe(canonicalJson(read.value));
    }
  });
});

it('a value within the bound of its depth is left alone, and one beyond it can be written', () => {
  fuzz(
    fc.tuple(json, fc.constantFrom(0, 3, 600, 5000)),
    ({ 0: { text }, 1: levels }) => {
      const value = parseJson(`${'{"a":['.repeat(levels)}${text}${']}'.repeat(levels)}`);

      const bounded = boundDepth(value);

      if (levels < 100) expect(bounded).toBe(value);
      else expect(() => JSON.stringify(bounded)).not.toThrow();
    },
    { weight: 20 },
  );
});
