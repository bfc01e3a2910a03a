import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { clip, harmless, tame, tameJson } from '../../src/base/foreign.ts';
import { canonicalJson, parseJson, setOwn } from '../../src/base/json.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { redact } from '../../src/event/index.ts';
import { fuzz } from './fuzz.ts';
import { anyText, chanceOf, json, soup, type Written, writeJson } from './texts.ts';

const secret = fc.stringMatching(/^[A-Za-z][A-Za-z0-9/+_.:&"\\<= -]{10,40}[A-Za-z0-9]$/);
const hex = (text: string): string => Buffer.from(text).toString('hex');
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const encodings: readonly ((text: string) => string)[] = [
  String,
  encodeURIComponent,
  (text) => hex(text).replace(/../g, '%$&'),
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3),
  base64,
  (text) => Buffer.from(text).toString('base64url'),
  (text) => encodeURIComponent(base64(text)),
  hex,
  (text) => hex(text).toUpperCase(),
];

it('a known secret leaves no text, in whichever encoding and company it comes', () => {
  fuzz(
    fc.tuple(secret, fc.constantFrom(...encodings), soup, soup),
    ([value, encode, before, after]) => {
      const secrets = createSecrets();
      secrets.add(value);
      const form = encode(value);

      const clean = secrets.scrub(`${before} ${form} ${after}`);

      expect(clean).not.toContain(form);
      expect(clean).toContain('[REDACTED]');
    },
    { weight: 4 },
  );
});

it('a text without a known secret stays as it is', () => {
  const secrets = createSecrets();
  secrets.add('Qz7-unfindable-Wx9');
  fuzz(anyText, (text) => {
    expect(secrets.scrub(text)).toBe(text);
    expect(secrets.scrubValues(text)).toBe(text);
  });
});

// biome-ignore format: a list
const names = ['password', 'Access_Token', 'x-api-key', 'client secret', 'awsSecretAccessKey', 'session_token', 'authorization', 'PRIVATE-KEY', 'passwd', 'refreshToken'];
const planted = 'pl4nted-V4lue-0f-A-s3cret';

/** The value with the secret in a place of it: below a key at some depth, in JSON inside of text, with keys in escapes. */
const hiding = fc
  .tuple(json, fc.constantFrom(...names), fc.array(fc.constantFrom('member', 'item', 'text'), { maxLength: 4 }), fc.nat())
  .map(([{ value }, name, wrappings, seed]) => {
    const chance = chanceOf(seed);
    const leaf: Written = {
      members: [
        ['other', value],
        [name, { text: planted }],
      ],
    };
    return wrappings.reduce<Written>((inner, wrapping) => {
      if (wrapping === 'item') return { items: [value, inner] };
      if (wrapping === 'text') return { members: [['note', { text: writeJson(inner, chance) }]] };
      return {
        members: [
          ['inner', inner],
          ['id', { number: '1' }],
        ],
      };
    }, leaf);
  });

it('the value of a key that names a secret is in no redacted record, however it was wrapped and written', () => {
  fuzz(
    fc.tuple(hiding, fc.nat()),
    ([value, seed]) => {
      const clean = redact(parseJson(writeJson(value, chanceOf(seed))));

      expect(canonicalJson(clean)).not.toContain(planted);
      expect(canonicalJson(redact(clean))).toBe(canonicalJson(clean));
    },
    { weight: 2 },
  );
});

it('a secret in text that is no JSON is taken out up to its end', () => {
  const forms: readonly ((name: string) => string)[] = [
    (name) => `"${name}": "${planted}"`,
    (name) => `\\"${name}\\":\\"${planted}\\"`,
    (name) => `?${name.replaceAll(' ', '_')}=${planted}&`,
    (name) => `${name.replaceAll(' ', '_')}="${planted}"`,
    () => `Authorization: Bearer ${planted}\n`,
    () => `bearer ${planted}`,
    () => `AstraCS:${planted}`,
  ];
  const calm = fc
    .array(fc.constantFrom('a', ' ', '\n', ', ', '{', '}', '1', 'é', '. ', ';', 'user'), { maxLength: 12 })
    .map((found) => found.join(''));
  fuzz(fc.tuple(calm, fc.constantFrom(...names), fc.constantFrom(...forms), calm), ([before, name, form, after]) => {
    const clean = redact({ message: `${before} ${form(name)} ${after}` });

    expect(canonicalJson(clean)).not.toContain(planted);
  });
});

it('a record that hides nothing keeps its meaning', () => {
  const calmKeys = fc.stringMatching(/^[a-f]{0,6}$/);
  const calm = fc.dictionary(calmKeys, fc.oneof(fc.stringMatching(/^[a-f \\"{}:,]{0,20}$/), fc.integer(), fc.constant(null)));
  fuzz(calm, (members) => {
    const record: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(members)) setOwn(record, key, value);

    expect(redact(record)).toBe(record);
  });
});

it('a text for people is short, on one line, and steers nothing', () => {
  const steering = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
  fuzz(fc.tuple(anyText, fc.integer({ min: 4, max: 40 })), ([text, most]) => {
    expect(clip(text, most).length).toBeLessThanOrEqual(most);
    if (text.isWellFormed()) expect(clip(text, most).isWellFormed()).toBe(true);
    expect(steering.test(tame(text))).toBe(false);
    expect(tame(text).isWellFormed()).toBe(true);
    expect(steering.test(harmless(text).replace(/[\t\n]/g, ''))).toBe(false);
    expect(JSON.parse(tameJson(JSON.stringify(text)))).toBe(text);
    expect(steering.test(tameJson(JSON.stringify(text)))).toBe(false);
  });
});
