import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson, setOwn } from '../../src/base/json.ts';
import { compileFingerprint } from '../../src/event/identity.ts';
import { fingerprintOf, redact } from '../../src/event/index.ts';
import { fewOrMany } from '../thorough.ts';

const words = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    'AstraCS:abc:123',
    'astracs%3Ax',
    '{"password":"p"}',
    '"{\\"token\\":1}"',
    'line\nbreak',
    'the token',
    'Müller',
    '\u017fecret',
  ),
);
const keys = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('message', 'meta', 'token', 'Client_Secret', 'AstraCS:key', '__proto__'),
);
const { record } = fc.letrec<{ record: Record<string, unknown>; value: unknown }>((tie) => ({
  record: fc.array(fc.tuple(keys, tie('value')), { maxLength: 6 }).map((members) => {
    const object: Record<string, unknown> = {};
    for (const [key, value] of members) setOwn(object, key, value);
    return object;
  }),
  value: fc.oneof(
    { depthSize: 'small' },
    words,
    fc.constantFrom(null, 1, true),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('record'),
  ),
}));
const volatile = fc.subarray(['message', 'meta.views', 'meta', 'token', 'meta.token', '__proto__']);

it('takes of a record exactly its fingerprint and what redaction leaves', () => {
  fc.assert(
    fc.property(record, volatile, (raw, paths) => {
      const taken = compileFingerprint(paths)(raw);

      expect([taken.fingerprint, taken.record]).toEqual([fingerprintOf(raw, paths), redact(raw)]);
      expect(JSON.stringify(taken.record)).toBe(JSON.stringify(redact(raw)));
    }),
    { numRuns: fewOrMany(500, 20_000) },
  );
});

it('leaves a record its text only where redaction leaves all of it', () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('token=abc', 'the token', '[secret]', 'Bearer abcdefgh12345678'),
  );
  const names = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom('token', 'tokenId', 'credentialProvider', 'Client_Secret', 'cookies', 'AstraCS:key', 'a'),
  );
  const members = fc.array(fc.tuple(names, fc.oneof(texts, fc.constant(null), fc.array(texts, { maxLength: 2 }))), {
    maxLength: 6,
  });
  // As vendors may write it: with blanks, and with one name twice, of which a parser keeps the last.
  const written = fc.tuple(members, fc.constantFrom('', ' ')).map(([all, blank]) => {
    const parts = all.map(([name, value]) => `${JSON.stringify(name)}${blank}:${blank}${JSON.stringify(value)}`);
    return `{${parts.join(`,${blank}`)}}`;
  });
  fc.assert(
    fc.property(written, (text) => {
      const raw = parseJson(text) as Record<string, unknown>;

      const { isAsItCame, record: kept } = compileFingerprint()(raw, { text });

      expect(JSON.stringify(kept)).toBe(JSON.stringify(redact(raw)));
      if (isAsItCame) expect(redact(text)).toBe(text);
    }),
    { numRuns: fewOrMany(150, 5000) },
  );
});

it.each([
  '{"credentialProvider":null,"token_id":"t1","note":"the token of a user"}',
  '{"sessionToken": null}',
  '{"token":"abc","token":null}',
  '{"cookies":{"n":1}}',
  '{"note":"{token:1}"}',
  '{"note":"token=abc"}',
])('keeps %s as it came exactly when no word in it stands for a secret', (text) => {
  const { isAsItCame } = compileFingerprint()(parseJson(text), { text });

  expect(isAsItCame).toBe(text.includes('Provider'));
});

it('gives the same object back when there is nothing to redact', () => {
  const raw = { message: 'volatile', meta: { views: 3 } };

  const { record: kept } = compileFingerprint(['message', 'meta.views'])(raw);

  expect(kept).toBe(raw);
});
