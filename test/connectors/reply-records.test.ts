import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { canonicalJson, isPlain, parseJson } from '../../src/base/json.ts';
import { atOnce } from '../../src/base/slices.ts';
import type { RawRecord } from '../../src/connectors/connector.ts';
import { compileFindRecords, ReplyRecord } from '../../src/connectors/http-window/reply-records.ts';
import type { HttpWindowSpec } from '../../src/connectors/read-section.ts';
import { compileRecordRules } from '../../src/connectors/record-rules.ts';
import { boundDepth } from '../../src/event/depth.ts';
import { encodeRecords } from '../../src/journal/records/pages.ts';
import { fuzz, resultOf } from '../fuzz/fuzz.ts';
import { json, mutated } from '../fuzz/texts.ts';

type Spec = Pick<HttpWindowSpec, 'records' | 'page' | 'failures'>;
const spec = { records: 'items', page: { kind: 'offset', total: 'total' } } satisfies Spec;
const finderOf = (change: Partial<Spec>) => {
  const find = compileFindRecords({ ...spec, ...change } as HttpWindowSpec);
  return find && ((body: Buffer) => atOnce(find(body)));
};
const find = finderOf({});
const list = (text: string, change: Partial<Spec> = {}): unknown => finderOf(change)?.(Buffer.from(text))?.value;
const valueOf = (each: unknown): unknown => (each instanceof ReplyRecord ? each.value : each);

describe('the records of a reply', () => {
  const records = fc.array(json, { maxLength: 4 }).map((all) => all.map(({ text }) => `{"id":${text},"a b":1}`).join(' ,\n'));
  const reply = fc.tuple(records, fc.constantFrom('', ',"total":3', ',"more":{"items":[]}', ',"next":"a\\u0062"'));

  it('are those that a parser finds, whatever the text is', () => {
    fuzz(mutated(reply.map(([items, tail]) => `{"first":[1,{}],"items":[${items}]${tail}}`)), (text) => {
      const body = Buffer.from(text);
      const found = resultOf(() => {
        const value = find?.(body)?.value as { items: unknown[] } | undefined;
        return value && { ...value, items: value.items.map(valueOf) };
      }, isBadReply);
      if ('value' in found && found.value === undefined) return;
      const read = resultOf(
        () => parseJson(body.toString()),
        (error) => error instanceof SyntaxError,
      );

      expect('value' in found).toBe('value' in read);
      if ('value' in found && 'value' in read) expect(canonicalJson(found.value)).toBe(canonicalJson(read.value));
    });
  });

  it('lie in the reply as they came, below a key or at the top', () => {
    const text = '[ {"b": 1.0, "a":"é"},{}]';

    const [below, top] = [
      list(`{"total":2,"items":${text},"next":null}`),
      list(text, { records: '$', page: { kind: 'link_header' } }),
    ];

    const texts = (all: unknown): string[] => (all as RawRecord[]).map(({ json: own }) => String(own));
    expect(texts((below as { items: unknown }).items)).toEqual(['{"b": 1.0, "a":"é"}', '{}']);
    expect(texts(top)).toEqual(['{"b": 1.0, "a":"é"}', '{}']);
  });

  it('are said to be plain and shallow only where they are, whatever the text is', () => {
    fuzz(mutated(reply.map(([items, tail]) => `{"items":[${items}]${tail}}`)), (text) => {
      const { items = [] } = (list(text) ?? {}) as { items?: unknown[] };
      for (const each of items) {
        if (!(each instanceof ReplyRecord)) continue;
        const read = resultOf(() => each.read(), isBadReply);
        if (each.json.isPlain) expect(isPlain(each.json.toString())).toBe(true);
        if ('value' in read && read.value.isShallow) expect(boundDepth(read.value.value)).toBe(read.value.value);
      }
    });
  });

  it.each([
    ['{"a":1}', true],
    ['{"a":[true,false,null,-1.5,"e"],"b":{"c":"1234567890123456789e400"}}', true],
    ['{"a":12345678901234}', true],
    ['{"a":1234567890123456}', false],
    ['{"a":[1,12345678901234567]}', false],
    ['{"a":[1234567890123456,1]}', false],
    ['{"a":0.1234567890123456}', false],
    ['{"a":1e400}', false],
    ['{"a":{"b":1E-400}}', false],
    ['{"a":1.0e+2}', false],
  ])('%s is plain: %s, and keeps its digits', (text, expected) => {
    const [each] = (list(`{"items":[${text}]}`) as { items: ReplyRecord[] }).items;

    expect(each?.json.isPlain).toBe(expected);
    expect(canonicalJson(each?.value)).toBe(canonicalJson(parseJson(text)));
  });

  it.each([
    [100, true],
    [101, false],
  ])('nested %i levels deep are shallow: %s', (levels, expected) => {
    const text = `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    const { items } = list(`{"items":[${text},{}]}`) as { items: ReplyRecord[] };

    expect(items.map((each) => each.read().isShallow)).toEqual([expected, true]);
  });

  it('have no text where it has escapes or several lines', () => {
    const { items } = list('{"items":[{"a":"\\u0041"},{"b":\n1}]}') as { items: RawRecord[] };

    expect(items).toEqual([{ a: 'A' }, { b: 1 }]);
  });

  it.each([
    ['a number that is none', '{"items":[{"a":NaN}]}'],
    ['a control character in a text', '{"items":[{"a":"\u0001"}]}'],
    ['something else than objects', '{"items":[{},1]}'],
    ['no list', '{"items":{}}'],
    ['a second list of the name', '{"items":[{}],"items":[]}'],
    ['a second list of a name in escapes', '{"items":[{}],"it\\u0065ms":[]}'],
    ['more beside them than memory should hold', `{"items":[{}],"x":[${'[],'.repeat(400_000)}0]}`],
    ['a list that is cut off', '{"items":[{}'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1')],
  ])('are left to the parser of the whole where there is %s', (_what, text) => {
    expect(find?.(Buffer.from(text, 'latin1'))).toBeUndefined();
  });

  it('are left to the parser of the whole where it reads something else out of their list', () => {
    const kinds: Partial<Spec>[] = [
      { page: { kind: 'token', token: 'items[-1].id' } },
      { failures: { 'items[0].error': { '*': 'failed' } } },
      { records: '$', page: { kind: 'token', token: '[-1].id' } },
      { records: ['items', 'entries'] },
      { records: 'data.items' },
    ];

    expect(kinds.map((kind) => finderOf(kind))).toEqual(kinds.map(() => undefined));
  });

  it('make the reply a bad one where one only looks like JSON', () => {
    const { items } = list('{"items":[{"a":1},{"a":1 2}]}') as { items: RawRecord[] };

    expect(() => items.map(({ value }) => value)).toThrow(expect.objectContaining({ code: 'PEN_SOURCE_BAD_REPLY' }));
  });
});

const isBadReply = (error: unknown): boolean => error instanceof PenstockError && error.code === 'PEN_SOURCE_BAD_REPLY';

describe('the text of a record', () => {
  const rules = compileRecordRules({ id: 'id', time: 'at', action: 'what', volatile: ['views'] }, 'demo');
  const examined = (text: string) => {
    const [raw] = (list(`{"items":[${text}]}`) as { items: RawRecord[] }).items;
    return rules.examine(raw ?? { value: null }, 'o', (words) => words.replaceAll('hunter2', '[REDACTED]'));
  };

  it('goes into the journal as it came', async () => {
    const facts = examined('{"id": "1","n":12345678901234567890 ,"what":"é"}');
    const { uid, record, json: text } = facts;
    const [row] = await encodeRecords([{ uid, received: 1, record, json: text }]);

    expect(String(row?.records[0]?.json)).toBe('{"id": "1","n":12345678901234567890 ,"what":"é"}');
    expect(canonicalJson(record)).toBe('{"id":"1","n":12345678901234567890,"what":"é"}');
  });

  it.each([
    ['a secret behind a name that comes again', '{"id":"1","password":"swordfish","password":null}'],
    ['a secret by its value', '{"id":"1","note":"it is hunter2"}'],
    ['a secret in a member that does not count', '{"id":"1","views":{"token":"swordfish"}}'],
  ])('is forgotten where it holds %s', (_what, text) => {
    const facts = examined(text);

    expect([facts.json, JSON.stringify(facts.record)]).toEqual([undefined, expect.not.stringMatching('swordfish|hunter2')]);
  });

  it('changes neither id nor fingerprint', () => {
    const value = { id: '1', what: 'b', at: '2026-11-20T10:00:00Z', views: 3 };

    const [text, parsed] = [examined(JSON.stringify(value)), rules.examine({ value }, 'o')];

    expect([text.uid, text.fingerprint, text.time]).toEqual([parsed.uid, parsed.fingerprint, parsed.time]);
  });
});
