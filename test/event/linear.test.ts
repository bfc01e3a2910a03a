// Vendors and their users write every byte of a record: ten times the text costs about ten times the work, whatever it says.
import { describe, expect, it } from 'vitest';
import { canonicalJson, parseJson } from '../../src/base/json.ts';
import { formats } from '../../src/event/event.ts';
import { compileFingerprint, encodeBody, normaliseKey, redact } from '../../src/event/index.ts';
import { ipOf, isEmail } from '../../src/event/reads.ts';
import { parseTime } from '../../src/event/time.ts';
import { awkwardRuns, expectLinear, repeated } from '../cost.ts';
import { loadConnector } from './load-connector.ts';

const page = { source: 'acme', tenant: 'tenant-1', labels: [], processedTime: 1_795_000_000_000 };
const uid = '0123456789abcdef0123456789abcdef';
const connector = loadConnector('analyst-studio');
const sample = connector.samples[0] ?? {};
const runs = Object.entries(awkwardRuns);

/** A sample in which every text, and one more member, is the text. */
function filledWith(text: string): Record<string, unknown> {
  const filled = Object.entries(sample).map(([key, value]) => [key, typeof value === 'string' ? text : value]);
  return { ...Object.fromEntries(filled.slice(0, 3)), note: text };
}

describe.each(runs)('a text of %s', (_name, run) => {
  it('is redacted in linear time, also behind a word that names a secret', () => {
    expectLinear((length) => [redact(repeated(run, length)), redact({ a: `password ${repeated(run, length)}` })]);
  });

  it('is redacted in linear time inside of other text', () => {
    expectLinear((length) => redact({ a: JSON.stringify({ b: JSON.stringify({ token_id: repeated(run, length) }) }) }));
  });

  it('is read, fingerprinted, mapped and encoded in linear time', () => {
    expectLinear((length) => {
      const record = parseJson(JSON.stringify(filledWith(repeated(run, length)))) as Record<string, unknown>;
      const { record: clean } = compileFingerprint()(record);
      const mapped = connector.mapper.map({ uid, received: 1, record: clean }, page);
      return formats.map((format) => encodeBody(format, mapped, { includeRaw: false }).length);
    });
  });

  it('is no time, no address and a key in linear time', () => {
    expectLinear((length) => {
      const text = repeated(run, length);
      return [parseTime(text), parseTime(`2026-11-20 ${text}`), isEmail(text), ipOf(text), normaliseKey(text)];
    });
  });
});

describe('JSON', () => {
  it.each([
    ['one number that ends in 1', (length: number) => `0.1${'0'.repeat(length)}1`],
    ['one number of zeros', (length: number) => `1${'0'.repeat(length)}`],
    ['a number with a long exponent', (length: number) => `1e-${'1'.repeat(length)}`],
    ['many long numbers', (length: number) => `[${repeated('0.10000000000000000001,', length - (length % 23))}1]`],
    ['many strings', (length: number) => `["1234567890123456",${repeated('"a\\u0000",', length - (length % 10))}1]`],
    ['many empty objects', (length: number) => `[1234567890123456,${repeated('{},', length - (length % 3))}1]`],
    [
      'many keys',
      (length: number) =>
        JSON.stringify(Object.fromEntries(Array.from({ length: length / 20 }, (_, i) => [`k${i}1234567890123456`, i]))),
    ],
  ])('with %s is parsed and written in linear time', (_name, make) => {
    expectLinear((length) => canonicalJson(parseJson(make(length))));
  });

  it('nested deeper than the stack is parsed in linear time', () => {
    expectLinear((length) => parseJson(`[1234567890123456,${'['.repeat(length / 2)}${']'.repeat(length / 2)}]`));
  });

  it('keeps a long number exactly when a double cannot hold it', () => {
    expect(JSON.stringify(parseJson('[0.10000000000000000000, 1.50e3, 1234567890123456789, 100000000000000000000]'))).toBe(
      '[0.1,1500,1234567890123456789,100000000000000000000]',
    );
  });
});
