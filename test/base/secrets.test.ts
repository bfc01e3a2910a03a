import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, undecoded, writings } from '../../src/base/decode-text.ts';
import { PenstockError } from '../../src/base/errors.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { awkwardRuns, expectLinear, repeated } from '../cost.ts';
import { fewOrMany } from '../thorough.ts';

const secret = 'Tök/en+"5f<e&8\\c1 d=b7';

function knowing(...values: string[]): (text: string) => string {
  const secrets = createSecrets();
  for (const value of values) secrets.add(value);
  return (text) => secrets.scrub(text);
}

describe('a value of a record', () => {
  const secrets = createSecrets();
  secrets.add('pl4nted/tok+en-öx-0001');
  const bytes = (text: string, mark: string): string => Buffer.from(text).toString('hex').replaceAll(/../g, `${mark}$&`);
  const codes = (text: string, write: (code: string) => string): string =>
    Array.from(text, (char) => write((char.codePointAt(0) ?? 0).toString(16).padStart(4, '0'))).join('');

  it.each([
    ['as it is', 'pl4nted/tok+en-öx-0001'],
    ['in base64', Buffer.from('pl4nted/tok+en-öx-0001').toString('base64')],
    ['in hex', Buffer.from('pl4nted/tok+en-öx-0001').toString('hex')],
    ['as URLs write it', encodeURIComponent('pl4nted/tok+en-öx-0001')],
    ['as bytes of a URL', bytes('pl4nted/tok+en-öx-0001', '%')],
    ['as bytes of a URL, in capitals', bytes('pl4nted/tok+en-öx-0001', '%').toUpperCase()],
    ['as bytes of JavaScript', bytes('pl4nted/tok+en-öx-0001', '\\x')],
    ['as units of JavaScript', codes('pl4nted/tok+en-öx-0001', (code) => `\\u${code}`)],
    ['as HTML', codes('pl4nted/tok+en-öx-0001', (code) => `&#x${code};`)],
    ['as HTML in a part', 'pl4nted&sol;tok&#43;en-&ouml;x-0001'.replace('&ouml;', '&#xf6;')],
    ['in quoted-printable', bytes('pl4nted/tok+en-öx-0001', '=').toUpperCase()],
    ['with variants of its characters', Array.from('pl4nted/tok+en-öx-0001').join('\ufe0f')],
    ['with tags that nobody sees', Array.from('pl4nted/tok+en-öx-0001').join('\u{e0041}')],
    ['with one mark in it', 'pl4nted/tok\u200b+en-öx-0001'],
    ['as UTF-16', Array.from('pl4nted/tok+en-öx-0001').join('\0')],
    ['with marks of a byte order between', Array.from('pl4nted/tok+en-öx-0001').join('\ufeff')],
    ['as HTML in HTML', 'pl4nted&amp;sol;tok&amp;#43;en-&amp;#xf6;x-0001'],
    ['as a URL writes it, in HTML', encodeURIComponent('pl4nted/tok+en-öx-0001').replaceAll('%', '&percnt;')],
    [
      'as HTML writes it in base64',
      Buffer.from('pl4nted&sol;tok&#43;en-&#xf6;x-0001').toString('base64').replaceAll('N', '&#78;'),
    ],
    ['in quoted-printable in a part, with one mark', 'pl4nted=2Ftok=2Ben-\u200böx-0001'],
    ['in hex with marks', Buffer.from('pl4nted/tok+en-öx-0001').toString('hex').replaceAll('3', '3\u200b')],
    ['as HTML in decimals', codes('pl4nted/tok+en-öx-0001', (code) => `&#${Number.parseInt(code, 16)};`)],
  ])('holds no secret %s', (_name, text) => {
    expect(secrets.scrubValues(`before ${text} after`)).toBe('before [REDACTED] after');
  });

  it('holds no secret beside many other words with marks, and all of these stay', () => {
    const others = Array.from(
      { length: 300 },
      (_, n) => `https://shop.example.com/${n}?a=1&amp;b=${n} R&amp;D \u2764\ufe0f`,
    ).join(' ');
    const text = `${others} x&amp;pl4nted&sol;tok&#43;en-&#xf6;x-0001 ${others}`;

    expect(secrets.scrubValues(text)).toBe(`${others} [REDACTED] ${others}`);
  });

  it('keeps every other text, whatever it is written in', () => {
    const other = [
      '100% of a%20b',
      bytes('an ordinary text', '%'),
      '&#97;&#98;&#99;',
      codes('ordinary', (code) => `\\u${code}`),
      'R&amp;D, caf&eacute;, =3D=20, \u2764\ufe0f and \u{1f468}\u200d\u{1f469}',
    ].join(' ');

    expect(secrets.scrubValues(other)).toBe(other);
  });
});

const lower = (text: string): string => text.replace(/%[0-9A-F]{2}/g, (found) => found.toLowerCase());
const html = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('"', '&quot;')
    .replaceAll('/', '&#x2F;')
    .replaceAll('=', '&#61;');
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const hex = (text: string): string => Buffer.from(text).toString('hex');
const unicode = (text: string): string =>
  text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`);
const each = (text: string, write: (code: number) => string): string =>
  Array.from(text, (char) => write(char.codePointAt(0) ?? 0)).join('');
const apart = (text: string, length: number, by: string): string =>
  text.replace(new RegExp(`.{${length}}(?=.)`, 'gsu'), `$&${by}`);
/** As a reader shows it that takes each byte for a character. */
const utf16 = (text: string): string => Buffer.from(text, 'utf16le').toString('latin1');

const encodings: readonly (readonly [string, (text: string) => string])[] = [
  ['as it is', String],
  ['percent-encoded', encodeURIComponent],
  ['percent-encoded in lower case', (text) => lower(encodeURIComponent(text))],
  ['percent-encoded in every byte', (text) => hex(text).replace(/../g, '%$&')],
  ['form-encoded', (text) => new URLSearchParams({ p: text }).toString().slice(2)],
  ['in JSON', (text) => JSON.stringify(text).slice(1, -1)],
  ['in JSON with escaped slashes', (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/')],
  ['in JSON in JSON', (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3)],
  ['in JSON in unicode escapes', unicode],
  ['in HTML', html],
  ['in HTML in JSON', (text) => JSON.stringify(html(text)).slice(1, -1)],
  ['in base64', base64],
  ['in base64 without padding', (text) => base64(text).replace(/=+$/, '')],
  ['in base64url', (text) => Buffer.from(text).toString('base64url')],
  ['in base64 in a URL', (text) => encodeURIComponent(base64(text))],
  ['in hex', hex],
  ['in upper-case hex', (text) => hex(text).toUpperCase()],
  ['percent-encoded twice', (text) => encodeURIComponent(encodeURIComponent(text))],
  ['percent-encoded three times', (text) => encodeURIComponent(encodeURIComponent(encodeURIComponent(text)))],
  ['percent-encoded as UTF-16', (text) => unicode(text).replaceAll('\\u', '%u')],
  ['in upper case', (text) => text.toUpperCase()],
  ['in escapes of JavaScript', (text) => each(text, (code) => `\\u{${code.toString(16)}}`)],
  ['in escapes of Python', (text) => each(text, (code) => `\\U${code.toString(16).padStart(8, '0')}`)],
  ['in escapes of C', (text) => hex(text).replace(/../g, '\\x$&')],
  ['in HTML without semicolons', (text) => each(text, (code) => `&#x${code.toString(16)}`)],
  ['in HTML in HTML', (text) => html(html(text))],
  ['in quoted-printable', (text) => hex(text).toUpperCase().replace(/../g, '=$&')],
  ['in quoted-printable, over lines', (text) => apart(text, 9, '=\r\n')],
  ['over lines', (text) => apart(text, 7, '\n')],
  ['over lines of a header', (text) => apart(text, 7, '\r\n ')],
  ['over lines in JSON', (text) => JSON.stringify(apart(text, 7, '\n')).slice(1, -1)],
  ['with places where a page may break it', (text) => apart(text, 4, '<wbr>')],
  ['with marks that nobody sees', (text) => apart(text, 1, '\u200b')],
  ...['\u00ad', '\u034f', '\u180e', '\u2060', '\u3164', '\ufe0f', '\ufff9', '\ufffd', '\u{e0041}', '\u{e0100}'].map(
    (mark) =>
      [`with U+${mark.codePointAt(0)?.toString(16).toUpperCase()} between`, (text: string) => apart(text, 1, mark)] as const,
  ),
  ...['&shy;', '&zwnj;', '&ZeroWidthSpace;', '&#8203;', '<wbr />', '<b class="x">', '</b><b>', '<!-- -->', '\u001b[1;31m'].map(
    (mark) => [`with ${JSON.stringify(mark)} between`, (text: string) => apart(text, 3, mark)] as const,
  ),
  ['spaced out', (text) => apart(text, 1, ' ')],
  ['as UTF-16', utf16],
  ['as UTF-16 in JSON', (text) => JSON.stringify(utf16(text)).slice(1, -1)],
  ['as UTF-16 in base64', (text) => Buffer.from(text, 'utf16le').toString('base64')],
  ['as UTF-16 in hex', (text) => Buffer.from(text, 'utf16le').toString('hex')],
  ['in base64 in base64', (text) => base64(base64(text))],
  ['in base64 over lines', (text) => apart(base64(text), 10, '\r\n')],
  ['percent-encoded in base64', (text) => base64(encodeURIComponent(text))],
  ['in hex in hex', (text) => hex(hex(text))],
  ['in hex with colons', (text) => hex(text).replace(/..(?=.)/g, '$&:')],
  ['in hex as a dump shows it', (text) => hex(text).replace(/.{4}(?=.)/g, '$& ')],
  ['in hex with blanks', (text) => hex(text).replace(/..(?=.)/g, '$& ')],
  ['in hex as a list', (text) => hex(text).replace(/../g, '0x$&, ').slice(0, -2)],
  ['as a list of bytes', (text) => [...Buffer.from(text)].join(', ')],
];

/** What of an encoding says nothing of the secret in it. */
const padding = /(?:0x)?\[REDACTED\](?:\0|\\u0000|00|A?={0,2})/g;

describe('a secret', () => {
  it.each(encodings)('is taken out %s', (_name, encode) => {
    const scrub = knowing(secret);

    const clean = scrub(`a ${encode(secret)} b, ${encode(secret)}.`);

    expect(clean.replace(padding, '[REDACTED]')).toBe('a [REDACTED] b, [REDACTED].');
  });

  it.each(['', 'a', 'ab', 'user:'])('is taken out of base64 of more than itself, behind "%s"', (before) => {
    const clean = knowing(secret)(base64(`${before}${secret} and more`));

    expect(clean).toContain('[REDACTED]');
    expect(Buffer.from(clean.replace('[REDACTED]', ''), 'base64').toString('utf8')).not.toContain(secret.slice(3, 12));
  });

  it('is taken out whatever text is around it and in whichever encoding', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.stringMatching(/^[!-~]{12,40}$/),
        fc.constantFrom(...encodings),
        (around, value, [, encode]) => {
          expect(knowing(value)(`${around} ${encode(value)} ${around}`)).not.toContain(encode(value));
        },
      ),
      { numRuns: fewOrMany(150, 5_000) },
    );
  });

  it.each(encodings)('is taken out %s where a part of it looks like a mark, a tag or an escape', (_name, encode) => {
    for (const value of ['<A>!!!!!!!!!!!!', 'Zk<br/>9q</p>Lw7#tR', '%41%zzQm\\x41=3D&amp;7', 'a&lt;b\\u0041~~~~~~']) {
      const written = encode(value);

      expect(knowing(value)(`x ${written} y`)).not.toContain(written);
    }
  });

  it('is taken out where somebody has cut it', () => {
    const token = 'p3nst0ck-0123456789-abcdefghijklmnopqrstuvwxyz-XY';
    const scrub = knowing(token);

    for (let length = 13; length <= token.length; length += 1)
      expect(scrub(`refused "${token.slice(0, length)}…`)).toBe('refused "[REDACTED]…');
  });

  it('of three characters is no secret, and text without one stays as it is', () => {
    expect(knowing('abc')('abc %41 &amp; \\u0041')).toBe('abc %41 &amp; \\u0041');
    expect(knowing(secret)('abc %41 &amp; \\u0041 %zz &nothing; \\')).toBe('abc %41 &amp; \\u0041 %zz &nothing; \\');
  });
});

/** What stands in lines of any log and looks like one of the encodings. */
const noise = 'of 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 2026-11-29 16:00:45 in a%7Eb, R&amp;D, x\\ny';
const nested = [
  'percent-encoded',
  'percent-encoded in every byte',
  'in JSON with escaped slashes',
  'in JSON in unicode escapes',
  'in HTML',
]
  .concat(['in quoted-printable', 'over lines', 'with marks that nobody sees', 'in base64', 'in base64url', 'in hex'])
  .concat(['in hex with colons', 'as a list of bytes', 'in escapes of C', 'with places where a page may break it']);
const ways = encodings.filter(([name]) => nested.includes(name));

describe.each(ways)('a secret %s', (_name, first) => {
  it('is taken out of two and three encodings, beside what looks like some', () => {
    const scrub = knowing('Zk7/q+w9:Lm2&x=T4p');
    const missed: string[] = [];
    const look = (names: string, written: string): void => {
      if (scrub(`${noise} (${written}) ${noise}`).includes(written)) missed.push(names);
    };
    for (const [second, wrap] of ways) {
      const twice = wrap(first('Zk7/q+w9:Lm2&x=T4p'));
      look(second, twice);
      for (const [third, again] of ways)
        if (fewOrMany(0, 1) === 1 || third === second || third.length % 7 === 0) look(`${second}, ${third}`, again(twice));
    }

    expect(missed).toEqual([]);
  });
});

it('UUIDs, dates and words of URLs are nothing that is written in another way', () => {
  const text = undecoded(
    '2026-11-29 16:00:45 3f2504e0-4f89-11d3-9a0c-0305e82c3301 2026-11-29 16:00:45,120 /services/collector/event-of-today',
  );

  expect(writings.filter((writing) => decodeText(text, writing) !== undefined)).toEqual([]);
});

describe('of a filled-in value', () => {
  it.each([
    [
      'a path of a webhook',
      'https://hooks.example.com/services/T02ABCD9/B0XY12ZQ9/Zk3mNq8vW0',
      'POST /services/T02ABCD9/B0XY12ZQ9/Zk3mNq8vW0',
    ],
    ['a segment of a path', 'https://hooks.example.com/services/T02ABCD9/Zk3mNq8vW0?x=1', 'no hook Zk3mNq8vW0'],
    ['a parameter of a URL', 'https://h.example.com/in?code=Zk3m%2FNq8vW0&x=1', 'bad code Zk3m/Nq8vW0'],
    ['a password of a URL', 'http://user:pa55%40word@proxy.example.com:3128', 'user pa55@word is unknown'],
    ['the Basic form of a URL', 'http://user:pa55%40word@proxy.example.com:3128', `Basic ${base64('user:pa55@word')}`],
    ['the proof of a scheme', 'SSWS 00AbCdEfGh', 'token 00AbCdEfGh is invalid'],
    [
      'a line of a key',
      '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nkjsdf\n-----END PRIVATE KEY-----',
      'near MIIEvQIBADANBgkqhkiG9w0BAQ',
    ],
    [
      'a text of a key file',
      JSON.stringify({ type: 'x', private_key: '-----B\nMIIEvQIBADANBgkqhkiG9w0BAQ\n' }),
      'near MIIEvQIBADANBgkqhkiG9w0BAQ',
    ],
    ['a part of a path', 'services/T02ABCD9/Zk3mNq8vW0', 'no hook Zk3mNq8vW0'],
  ])('%s is a secret by itself', (_name, value, text) => {
    const clean = knowing(value)(text);

    expect(clean).toContain('[REDACTED]');
    for (const part of ['Zk3mNq8vW0', 'pa55', '00AbCdEfGh', 'MIIEvQIBADANBg', base64('user:pa55@word')])
      expect(clean).not.toContain(part);
  });

  it('the host and words of every URL stay', () => {
    const text = 'no connection to https://hooks.example.com/services/collector';

    expect(knowing('https://hooks.example.com/services/collector/T02ABCD9')(text)).toBe(text);
  });
});

it('forgets the oldest of the tokens that were minted, never what was configured', () => {
  const secrets = createSecrets();
  secrets.add('configured-0');
  for (let n = 0; n <= 1_000; n += 1) secrets.addPassing(`minted-${n}-token`);

  expect(secrets.scrub('configured-0 minted-1000-token minted-999-token minted-0-other')).toBe(
    '[REDACTED] [REDACTED] [REDACTED] minted-0-other',
  );
});

it.each(['session-token', 'MintedByThem', 'minted-secret-one', 'opaque_value', 'idle-1234'])(
  'believes a peer that "%s" is a token',
  (word) => {
    const secrets = createSecrets();
    secrets.addPassing(word);

    expect(secrets.tell(`it is ${word}`)).toBe('it is [REDACTED]');
  },
);

it.each(['idle', 'refused', 'anaconda-acme', '1764539267', 'no connection', '","msg":"'])(
  'believes no peer that "%s" is a token',
  (word) => {
    const secrets = createSecrets();
    secrets.addPassing(word);

    expect(secrets.tell(`it is ${word}`)).toBe(`it is ${word}`);
  },
);

it('keeps little of long tokens that take turns', () => {
  const secrets = createSecrets();
  const token = (n: number): string => `${n}-${'x'.repeat(20_000)}`;
  for (let n = 0; n < 40; n += 1) secrets.addPassing(token(n));

  const found = Array.from({ length: 40 }, (_, n) => secrets.scrub(`a ${token(n).slice(0, 30)} b`) === 'a [REDACTED] b');
  expect(found.at(-1)).toBe(true);
  expect(found.filter(Boolean).length).toBeLessThan(15);
});

describe('what is learnt for one source', () => {
  const secrets = createSecrets();
  const [ours, others] = [secrets.ofOne(), secrets.ofOne()];
  secrets.add('configured-0001');
  ours.addPassing('mallory7@example.com');

  it('is taken out of its own records, and out of no others', () => {
    const text = 'login of mallory7@example.com with configured-0001';

    expect(ours.scrubValues(text)).toBe('login of [REDACTED] with [REDACTED]');
    expect(others.scrubValues(text)).toBe('login of mallory7@example.com with [REDACTED]');
  });

  it('is in nothing that people are told', () => {
    expect(secrets.tell('refused mallory7@example.com')).toBe('refused [REDACTED]');
  });
});

it('tells a text scrubbed, then cut, then on one line that steers nothing', () => {
  const secrets = createSecrets();
  secrets.add(secret);

  expect(secrets.tell(`a\r\n\u001b[31mb\u009b2J\u202ec ${secret} ${'x'.repeat(2000)}`, 40)).toBe(
    `a [31mb 2J\ufffdc [REDACTED] ${'x'.repeat(13)}…`,
  );
  expect(
    secrets.tellError(new PenstockError('PEN_INTERNAL', `x ${secret}`, { fix: `y ${secret}`, status: 403, sent: false })),
  ).toMatchObject({
    message: 'x [REDACTED]',
    fix: 'y [REDACTED]',
    status: 403,
    sent: false,
  });
});

/** Halves of what each pattern looks for. */
const halves = [
  '\u00a0',
  ' a',
  'a  ',
  'a\u00a0\u00a0',
  'a b c d ',
  '&',
  '&a',
  '&#x',
  '%u',
  '%4',
  '\\U0',
  '\\u{',
  '=4',
  '=\r',
  '11',
  '11 ',
  '11,,',
  '0x',
  '0x1 ',
  'ab:',
  'ab--',
  '2026-',
  '<a ',
  '<',
  '<!--',
  '\u001b[',
  '\u0000 ',
  'abcdefgh-',
];

it.each([...Object.values(awkwardRuns), ...halves])('each way of writing is undone in linear time in runs of %j', (run) => {
  expectLinear((length) => {
    const text = undecoded(`a ${repeated(run, length)}\n`);
    for (const writing of writings) decodeText(text, writing);
  });
});

describe('with 3,000 secrets', () => {
  const secrets = createSecrets();
  for (let n = 0; n < 3_000; n += 1) secrets.add(`AstraCS:${n}-f00ba7c0ffee-${n * 7919}`);

  it.each(Object.entries(awkwardRuns))('%s are scrubbed in linear time', (_name, run) => {
    expectLinear((length) => [secrets.tell(repeated(run, length)), secrets.scrub(`%41&amp;\\u0041${repeated(run, length)}`)]);
  });

  it('beginnings of them are scrubbed in linear time', () => {
    expectLinear((length) => secrets.scrub(repeated('AstraCS:17', length)));
  });

  it('adding more costs in proportion to their number', () => {
    expectLinear((length) => {
      const more = createSecrets();
      for (let n = 0; n < length / 1_000; n += 1) {
        more.add(`more-${n}-${n * 7919}`);
        more.scrub('a text between');
      }
    });
  });
});
