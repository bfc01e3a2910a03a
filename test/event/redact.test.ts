import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson } from '../../src/base/json.ts';
import { redact } from '../../src/event/index.ts';

const marker = 's3cr3t-value';

it.each([
  'secret',
  'Token',
  'PASSWORD',
  'client_secret',
  'clientSecret',
  'access_token',
  'accessToken',
  'refresh-token',
  'API key',
  'apiKey',
  'private_key',
  'passwd',
  'session_token',
  'id_token',
  'x-api-key',
  'authToken',
  'aws_secret_access_key',
  'X-Auth-Token',
  'userPassphrase',
  'storageAccountKey',
  'signing_key',
  'password2',
])('takes out the value of %s, whatever its type, at any depth', (key) => {
  const record = { a: [{ [key]: marker }, { [key]: { nested: marker } }, { [key]: [marker] }, { [key]: 7 }] };

  const a = Array.from({ length: 4 }, () => ({ [key]: '[REDACTED]' }));
  expect(redact(record)).toEqual({ a });
});

it.each(['authorization', 'Proxy-Authorization', 'cookie', 'setCookie', 'credentials', 'access_tokens', 'jwt'])(
  'takes out the texts of %s and looks through the objects below it',
  (key) => {
    const record = {
      [key]: marker,
      list: [{ [key]: [marker, { id: 'a', token: marker }] }],
      kept: { [key]: { scope: 's', n: 1 } },
    };

    expect(redact(record)).toEqual({
      [key]: '[REDACTED]',
      list: [{ [key]: ['[REDACTED]', { id: 'a', token: '[REDACTED]' }] }],
      kept: { [key]: { scope: 's', n: 1 } },
    });
  },
);

it('leaves null, and keys that only contain such a word', () => {
  const record = {
    token: null,
    tokenExpiry: '2027',
    secret_question: 'pet',
    token_id: 't1',
    monkey: 'm',
    access_key_id: 'AK',
    max_tokens: 4,
  };

  expect(redact(record)).toBe(record);
});

it.each([
  ['JSON in text', JSON.stringify({ secret: marker })],
  ['JSON in text in JSON in text', JSON.stringify({ body: JSON.stringify({ a: [{ token: marker }] }) })],
  ['an escaped key', '{"\\u0073ecret":"s3cr3t-value"}'],
  ['JSON that was cut off', '{"clientId":"a","secret":"s3cr3t-value'],
  ['escaped JSON that was cut off', '{\\"clientId\\":\\"a\\",\\"secret\\":\\"s3cr3t-value'],
  ['JSON behind other text', 'answer: {"secret": "s3cr3t-value"} end'],
  ['another notation', "{'client_secret': 's3cr3t-value', 'x': None}"],
  ['a secret with an escaped quote, twice wrapped', 'got {\\"token\\": \\"a\\\\\\"s3cr3t-value\\"}'],
  ['a list that was cut off', '{"a":1,"tokens":["x","s3cr3t-value"'],
  ['an object behind other text', 'sent {"credentials_secret":{"a":"}","b":"s3cr3t-value"},"n":1} once'],
  ['a URL', 'https://x.example/a?b=1&access_token=s3cr3t-value&c=2'],
  ['a form', 'grant_type=x&client_secret=s3cr3t-value'],
  ['a setting', 'PASSWORD="x s3cr3t-value"'],
  ['a header', 'GET /\r\nX-Api-Key: s3cr3t-value\r\nAccept: x'],
  ['a cookie', 'Cookie: a=b; sid=s3cr3t-value'],
  ['a proof of identity', 'curl -H Bearer 0123456789-s3cr3t-value'],
  ['an escaped key that was cut off', 'x {"\\u0073ecret":"s3cr3t-value'],
  ['a token with a prefix', 'created AstraCS:abc:s3cr3t-value'],
  ['a token with a percent-encoded prefix', 'https://x.example/?t=AstraCS%3Aabc%3As3cr3t-value'],
])('finds a secret in %s', (_where, text) => {
  const clean = redact({ event: text });

  expect(JSON.stringify(clean)).not.toContain(marker);
  expect(JSON.stringify(clean)).toContain('[REDACTED]');
});

it('takes only the value out of a text', () => {
  expect(redact('a {"token": "x", "n": 1} b?sig_token=y&n=2 password: as it was')).toBe(
    'a {"token": "[REDACTED]", "n": 1} b?sig_token=[REDACTED]&n=2 password: as it was',
  );
});

it('takes out what is known by its value, in keys and texts', () => {
  const scrub = (text: string): string => text.replaceAll('live-value', '[REDACTED]');

  expect(redact({ a: 'x live-value', 'live-value': [{ b: '{"c":"live-value"}' }] }, scrub)).toEqual({
    a: 'x [REDACTED]',
    '[REDACTED]': [{ b: '{"c":"[REDACTED]"}' }],
  });
});

it('drops a secret that a second member of the same name hides from the parser', () => {
  expect(redact({ event: '{"secret":"s3cr3t-value","secret":null}' })).toEqual({ event: '{"secret":null}' });
});

it('redacts a record that is only text', () => {
  expect(redact('x AstraCS:abc:def y')).toBe('x [REDACTED] y');
});

it('keeps the digits of numbers and the rest of embedded JSON', () => {
  const record = parseJson('{"id":12345678901234567890,"event":"{\\"secret\\":\\"a\\",\\"n\\":12345678901234567890}"}');

  expect(JSON.stringify(redact(record))).toBe(
    '{"id":12345678901234567890,"event":"{\\"secret\\":\\"[REDACTED]\\",\\"n\\":12345678901234567890}"}',
  );
});

it('leaves embedded JSON without secrets byte for byte', () => {
  const record = { event: '{ "a" : 1.0,\n "token_id": "x" }' };

  expect(redact(record)).toEqual(record);
});

it('keeps keys that look like structure', () => {
  const record = parseJson('{"__proto__":{"secret":"x","y":1},"constructor":"c"}');

  expect(JSON.stringify(redact(record))).toBe('{"__proto__":{"secret":"[REDACTED]","y":1},"constructor":"c"}');
});

it('never lets a secret through, however deep and however often wrapped', () => {
  const wrap = fc.constantFrom<(value: unknown) => unknown>(
    (value) => ({ inner: value }),
    (value) => [value, 1],
    (value) => ({ text: JSON.stringify(value) }),
  );
  fc.assert(
    fc.property(fc.array(wrap, { maxLength: 6 }), fc.json(), (wraps, noise) => {
      const record = wraps.reduce<unknown>((value, step) => step(value), { noise, secret: marker });

      expect(JSON.stringify(redact(record))).not.toContain(marker);
    }),
  );
});

it('changes nothing in records that hold no secret', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const record = parseJson(text);

      expect(redact({ record })).toEqual({ record });
    }),
  );
});
