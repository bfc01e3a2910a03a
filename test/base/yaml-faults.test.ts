import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../src/base/schema.ts';
import { schemaFaults } from '../../src/base/schema-faults.ts';
import { faultsError, formatFault, parseYaml } from '../../src/base/yaml-faults.ts';
import { expectLinear } from '../cost.ts';

const Sink = Type.Object(
  {
    type: Type.String(),
    token: Type.String({ minLength: 1, secret: true, description: 'HEC token' }),
    mode: Type.Optional(Type.Unsafe<'a' | 'b'>({ type: 'string', enum: ['alpha', 'beta'] })),
    body: Type.Optional(Type.Union([Type.String(), Type.Object({ name: Type.String() }, { additionalProperties: false })])),
    limit: Type.Number({ default: 5 }),
  },
  { additionalProperties: false },
);
const File = Type.Object(
  { sinks: Type.Record(Type.String(), Sink), list: Type.Optional(Type.Array(Type.Integer())) },
  { additionalProperties: false },
);

function check(text: string): string[] {
  const doc = parseYaml(text, 'p.yaml');
  if (doc.faults.length > 0) return doc.faults.map(formatFault);
  const validate = compileSchema(File);
  validate(doc.value);
  return schemaFaults(validate.errors, doc).map(formatFault);
}

describe('a text that would cost too much', () => {
  it.each([
    ['lists', '['.repeat(100_000), 'p.yaml:1:1: it is nested too deeply'],
    ['maps', '{a: '.repeat(100_000), 'p.yaml:1:1: it is nested too deeply'],
    [
      'blocks',
      Array.from({ length: 3000 }, (_, depth) => `${' '.repeat(depth)}a:`)
        .join('\n')
        .slice(0, 4_000_000),
      'nested too deeply',
    ],
    ['15 MB', 'a: 1\n'.repeat(3_000_000), 'p.yaml:1:1: the file has 15000000 characters, more than 4194304'],
  ])('of %s is one clear fault', (_name, text, fault) => {
    expect(check(text)).toEqual([expect.stringContaining(fault)]);
  });
});

describe('a file', () => {
  it.each([
    ['aliases of nothing', (index: number) => `- *a${index}\n`],
    ['unions of which no branch fits', (index: number) => `- b${index}\n`],
    ['unions with a fault in a branch', (index: number) => `- { a: b${index} }\n`],
  ])('of many faults is read at a cost in proportion (%s)', (_name, lineOf) => {
    const validate = compileSchema(Type.Array(Type.Union([Type.Integer(), Type.Object({ a: Type.Integer() })])));

    expectLinear((length) => {
      const doc = parseYaml(Array.from({ length: length / 40 }, (_, index) => lineOf(index)).join(''), 'p.yaml');
      validate(doc.value);
      return schemaFaults(validate.errors, doc);
    });
  });

  it('takes an alias behind its anchor, and none before it or of another name', () => {
    const faults = [
      ['b: &x 1', 'c: *x'],
      ['c: *x', 'b: &x 1'],
      ['b: &x 1', 'c: *y'],
    ].map((lines) => check(lines.join('\n')));

    expect(faults.map((found) => found.filter((fault) => fault.includes('alias')).length)).toEqual([0, 1, 1]);
  });
});

describe('schema faults', () => {
  it('speaks of each item by itself where a union has no branch for it', () => {
    const validate = compileSchema(Type.Array(Type.Union([Type.Integer(), Type.Object({ a: Type.Integer() })])));
    const doc = parseYaml('[1, x, { a: y }, z]', 'p.yaml');
    validate(doc.value);

    expect(schemaFaults(validate.errors, doc).map(({ path }) => path)).toEqual([[1], [2, 'a'], [3]]);
  });

  it('points at the misspelt key and suggests the right one', () => {
    const faults = check('sinks:\n  soc:\n    type: x\n    token: t\n    tokn: y\n');

    expect(faults).toEqual([
      'p.yaml:5:5 (sinks.soc.tokn): unknown option "tokn"\n  fix: did you mean "token"? possible here: type, token, mode, body, limit',
    ]);
  });

  it('reports every fault at once, a missing key at its parent', () => {
    const faults = check('sinks:\n  soc:\n    type: 5\n    mode: gamma\nlist: [1, x]\n');

    expect(faults).toEqual([
      'p.yaml:2:3 (sinks.soc): "token" is missing\n  fix: add "token": HEC token',
      'p.yaml:3:11 (sinks.soc.type): must be a string\n  fix: write text, in quotes if it looks like a number',
      'p.yaml:4:11 (sinks.soc.mode): "gamma" must be one of alpha, beta\n  fix: use one of them',
      'p.yaml:5:11 (list[1]): must be an integer\n  fix: write a whole number',
    ]);
  });

  it('says what is wrong deep inside a union instead of listing its branches', () => {
    const faults = check('sinks:\n  soc:\n    type: x\n    token: t\n    body: { name: 5 }\n');

    expect(faults).toEqual([
      'p.yaml:5:19 (sinks.soc.body.name): must be a string\n  fix: write text, in quotes if it looks like a number',
    ]);
  });

  it('fills in defaults', () => {
    const doc = parseYaml('sinks: { soc: { type: x, token: t } }', 'p.yaml');

    compileSchema(File)(doc.value);

    expect(doc.value).toEqual({ sinks: { soc: { type: 'x', token: 't', limit: 5 } } });
  });
});

describe('the text itself', () => {
  it.each([
    ['a duplicate key', 'a: 1\na: 2\n', 'p.yaml:2:1: "a" is written twice\n  fix: keep one of them'],
    [
      'an unknown anchor',
      'a: *b\n',
      'p.yaml:1:4: an alias of no anchor\n  fix: put it into quotes if it is text, or write the name of an anchor (&NAME) that stands above',
    ],
    ['an unknown tag', 'a: !js x\n', 'p.yaml:1:4: text that begins with ! has to be in quotes\n  fix: put all of it into quotes'],
    [
      'a cron expression without quotes',
      'a:\n  cron: */5 * * * * # often\n',
      'p.yaml:2:9: text that begins with * has to be in quotes\n  fix: write "*/5 * * * *"',
    ],
    ['stars alone', 'cron: * * * * *\n', 'p.yaml:1:7: text that begins with * has to be in quotes\n  fix: write "* * * * *"'],
    [
      'stars in a flow',
      'a: { cron: */5 * * * *, zone: UTC }\n',
      'p.yaml:1:12: text that begins with * has to be in quotes\n  fix: write "*/5 * * * *"',
    ],
    ['a star in a list', 'a:\n  - *\n', 'p.yaml:2:5: text that begins with * has to be in quotes\n  fix: write "*"'],
    [
      'a second document',
      'a: 1\n---\nb: [\n',
      'p.yaml:2:1: a second document begins here\n  fix: keep one in the file: remove "---" or "..." and what follows',
    ],
    [
      'no blank after the colon',
      'a:1\nb: 2\n',
      'p.yaml:1:1: there is no blank after the colon\n  fix: write a: and a blank before its value',
    ],
    [
      'a reserved character',
      'a: @b c # d\n',
      'p.yaml:1:4: text that begins with @ has to be in quotes\n  fix: put all of it into quotes',
    ],
    [
      'text behind a quote',
      "a: 'it's'\n",
      "p.yaml:1:8: the text goes on after its end\n  fix: put the whole value into one pair of quotes; inside of '...' a quote is written ''",
    ],
    [
      'a template of another program',
      'a: {{ b }}\n',
      'p.yaml:1:5: a name cannot begin with { or [\n  fix: put text that begins with a bracket into quotes',
    ],
    [
      'a line one column too deep',
      'a:\n  b: 1\n   c: 2\n   d: 3\ne: 4\n',
      'p.yaml:3:4: this line is indented deeper than the one above, which has a value already\n  fix: begin both in the same column',
    ],
    [
      'a line one column too shallow',
      'a:\n b: 1\n  c: 2\n  d: 3\n  e: 4\n',
      'p.yaml:3:3: this line is indented deeper than the one above, which has a value already\n  fix: begin both in the same column',
    ],
    [
      'a block that ends in another column than it began, once',
      'a:\n   b: 1\n  c: 2\n  b: 3\n',
      'p.yaml:3:1: the lines of one block are not indented alike\n  fix: give them the same indentation',
    ],
    [
      'tabs, once, and nothing that follows from them',
      'a:\n\tb: 1\nc:\n\tb: 2\n\td: 3\n',
      'p.yaml:2:1: tabs are not allowed as indentation\n  fix: indent with spaces, in every line',
    ],
    [
      'a quote that no other ends',
      'a:\n  b: "c\n  d: 1\ne: 2\n',
      'p.yaml:2:6: the quote that begins here is not closed\n  fix: close it where the text ends',
    ],
    [
      'a quote that one of another text ends',
      'a: "b\n  c: 1\n  d: "e"\n',
      'p.yaml:1:4: the quote that begins here is not closed\n  fix: close it where the text ends',
    ],
    ['no colon', 'a:\n  b: 1\n  c 2\n', 'p.yaml:3:3: a name without a colon\n  fix: end the name with a colon and a blank'],
    [
      'no colon before an indented block',
      'a\n  b: 1\n  c: 2\n',
      'p.yaml:1:1: a name without a colon\n  fix: end the name with a colon and a blank',
    ],
    [
      '= in the place of a colon',
      'a:\n  b: 1\n  c = 2\n',
      'p.yaml:3:3: there is a = in the place of a colon\n  fix: write c: and a blank before its value',
    ],
    ['a second colon', 'a: b: c\n', 'p.yaml:1:4: a second ": " in one line\n  fix: put text that holds ": " into quotes'],
    [
      'no comma',
      'a: ["b" "c"]\n',
      'p.yaml:1:9: a comma is missing\n  fix: write a comma between two of a list, or of what stands in braces',
    ],
    [
      'a comma too many',
      'a: [b,, c]\n',
      'p.yaml:1:7: there is nothing before this comma\n  fix: leave the comma out, or write what belongs there',
    ],
    [
      'a comment right after its value',
      'a: "b"#c\n',
      'p.yaml:1:7: there is no blank before #\n  fix: write one if a comment begins there, or put text that holds # into quotes',
    ],
  ])('reports %s with its place', (_name, text, expected) => {
    const faults = check(text);

    expect(faults).toEqual([expected]);
  });

  it.each([
    '@hunter2',
    '%hunter2',
    '`hunter2',
    '*hunter2',
    '*-hunter2',
    '!hunter2',
    '&hunter2',
    '&hunter2#',
    '{hunter2',
    '[hunter2',
    '"hunter2',
    '"hunter2"hunter2',
    '"hunter2"#hunter2',
    '"\\hunter2"',
    'hunter2: hunter2',
    '|hunter2',
    '>hunter2',
    '- hunter2',
    '? hunter2',
    '{{ hunter2 }}',
    '[hunter2]]',
    '<hunter2',
  ])('does not repeat a password, whatever it begins with: %s', (password) => {
    const lines = [`token: ${password}`, `token:${password}`, `token ${password}`, `token = ${password}`];

    const faults = lines.flatMap((line) => parseYaml(`a:\n  b: 1\n  ${line}\n  c: 2\n`, 'p.yaml').faults.map(formatFault));

    expect(faults.filter((fault) => fault.includes('hunter2'))).toEqual([]);
    expect(faults).not.toEqual([]);
  });

  it.each([
    ['base64 on a line of its own', 'a:\n  b: 1\n  aHVudGVyMg==\n  c: 2\n', 'aHVudGVyMg'],
    ['base64 with one sign at its end', 'a:\n  b: 1\n  - Hunter2 =\n  c: 2\n', 'Hunter2'],
    ['a line that begins with %', '%hunter2\na: 1\n', 'hunter2'],
    ['a colon within it', 'a:\n  b: 1\n  Hunter2:x\n  c: 2\n', 'Hunter2'],
    ['an address with a token', 'a: [https://[::1]/in?token=hunter2]\n', 'hunter2'],
    ['a name without an anchor', 'a: & hunter2\nb: *hunter2\n', 'hunter2'],
    ['a tag without an end', 'a: !<hunter2 x\n', 'hunter2'],
  ])('does not repeat a password in %s, and says what to do', (_where, text, password) => {
    const { faults } = parseYaml(text, 'p.yaml');

    expect(faults.map(formatFault).join('\n')).not.toContain(password);
    expect(faults.map(({ fix }) => fix)).toEqual(faults.map(() => expect.any(String)));
    expect(faults).not.toEqual([]);
  });

  it.each([
    [
      'that expand without bound',
      [
        'a: &a [x, y]',
        ...Array.from({ length: 30 }, (_, at) => `a${at}: &a${at} [*a${at === 0 ? '' : at - 1}, *a${at === 0 ? '' : at - 1}]`),
      ].join('\n'),
    ],
    ['of the list that holds them', 'a: &a [1, *a]\n'],
    ['of the map that holds them, deep inside', 'a: &a { b: [{ c: *a }] }\n'],
  ])('refuses aliases %s', (_name, text) => {
    const doc = parseYaml(text, 'p.yaml');

    expect(doc.faults.map(({ what }) => what)).toEqual([expect.stringContaining('its aliases stand for more than')]);
    expect(doc.value).toBeUndefined();
  });

  it('lets thousands of places share what one anchor holds', () => {
    const shared = { host: 'a', rates: [1, { per: 'm' }] };
    const text = [
      'first: &shared { host: a, rates: [1, { per: m }] }',
      ...Array.from({ length: 5_000 }, (_, at) => `s${at}: *shared`),
    ];

    const doc = parseYaml(text.join('\n'), 'p.yaml');

    expect(doc.faults).toEqual([]);
    expect(Object.values(doc.value as object)).toEqual(Array.from({ length: 5_001 }, () => shared));
  });

  it.each([
    ['its own value before', 'a: &a { x: 1, y: 1 }\nb: { y: 2, <<: *a }\n', { y: 2, x: 1 }],
    ['its own value behind', 'a: &a { x: 1, y: 1 }\nb: { <<: *a, y: 2 }\n', { x: 1, y: 2 }],
    ['the first of several', 'a: &a { x: 1 }\nc: &c { x: 3, z: 3 }\nb: { <<: [*a, *c] }\n', { x: 1, z: 3 }],
    ['what the merged map merged', 'a: &a { x: 1 }\nc: &c { <<: *a }\nb: { <<: *c }\n', { x: 1 }],
    ['text in quotes', "b: { '<<': 1 }\n", { '<<': 1 }],
  ])('merges maps by the key <<, and takes %s', (_name, text, expected) => {
    const doc = parseYaml(text, 'p.yaml');

    expect(doc.faults).toEqual([]);
    expect((doc.value as { b: unknown }).b).toEqual(expected);
  });

  it.each([
    ['a text', 'b: { <<: x }\n', 6],
    ['nothing', 'b: { <<: }\n', 6],
    ['an alias of a list of texts', 'a: &a [x]\nb: { <<: *a }\n', 6],
    ['a list that holds a text', 'a: &a { x: 1 }\nb: { <<: [*a, x] }\n', 6],
  ])('refuses to merge %s', (_name, text, column) => {
    const { faults, value } = parseYaml(text, 'p.yaml');

    expect(faults).toMatchObject([{ column, what: '"<<" merges maps into this one, and nothing else' }]);
    expect(value).toBeUndefined();
  });

  it('keeps __proto__ as data', () => {
    const doc = parseYaml('__proto__: { polluted: true }\n', 'p.yaml');

    expect(Object.keys(doc.value as object)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('gathers all faults into one error, in the order of the text', () => {
    const doc = parseYaml('a: 1\nb: 2\n', 'p.yaml');

    const error = faultsError('PEN_CONFIG_INVALID', [doc.fault(['b'], 'second'), doc.fault(['a'], 'first', 'mend it')]);

    expect(error.message).toBe('p.yaml:1:4 (a): first\n  fix: mend it\np.yaml:2:4 (b): second');
  });
});
