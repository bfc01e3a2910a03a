// What a vendor can put into a reply costs in proportion to its length, and never more memory than one reply may.
import { describe, expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { atOnce } from '../../src/base/slices.ts';
import { budgetNews } from '../../src/connectors/http-window/budget-news.ts';
import { compileParse } from '../../src/connectors/http-window/lines.ts';
import { nextLink } from '../../src/connectors/http-window/links.ts';
import { compilePaging } from '../../src/connectors/http-window/paging.ts';
import { parseBody, requireJson, vendorWords } from '../../src/connectors/http-window/reply.ts';
import { compileToldCut } from '../../src/connectors/http-window/told-cut.ts';
import { readFrame } from '../../src/connectors/pulsar-websocket/frame.ts';
import type { HttpWindowSpec } from '../../src/connectors/read-section.ts';
import type { HttpResponse } from '../../src/http/client.ts';
import { readToken, retryAfterMs } from '../../src/http/index.ts';
import { awkwardRuns, expectLinear, repeated } from '../cost.ts';

const seams = systemSeams();
const answer = (body: string, headers: Record<string, string> = {}, status = 403): HttpResponse => ({
  status,
  headers,
  body: Buffer.from(body),
});

function paging(page: object): ReturnType<typeof compilePaging> {
  return compilePaging({ records: ['data'], page } as unknown as HttpWindowSpec);
}

const context = { url: new URL('https://vendor.example/logs'), headers: {}, state: null, limit: 100, secrets: [] };

function faultOf(work: () => unknown): Partial<PenstockError> {
  try {
    work();
  } catch (error) {
    const { code, message } = error as PenstockError;
    return { code, message };
  }
  return {};
}

it.each([
  [{ status: 400, err: 'start_time is no time' }],
  [{ code: 7, statusMessage: 'start_time is no time' }],
  [{ response: { errMsg: 'start_time is no time' } }],
])('the words of a vendor are found in %j', (body) => {
  expect(vendorWords(answer(JSON.stringify(body)), String)).toBe('start_time is no time');
});

describe.each(Object.entries(awkwardRuns))('%s in a reply', (_name, run) => {
  it('cost in proportion to their length as words about a fault', () => {
    expectLinear((length) => {
      const text = repeated(run, length);
      const bodies = [
        text,
        `<html>${text}`,
        JSON.stringify({ error: { message: text } }),
        JSON.stringify([text, { detail: [text] }]),
      ];
      return bodies.map((body) => vendorWords(answer(body), String));
    });
  });

  it('cost in proportion to their length in headers, links, tokens and frames', () => {
    expectLinear((length) => {
      const text = repeated(run, length);
      const headers = { link: text, 'retry-after': text, 'x-ratelimit-remaining': text, 'content-type': text };
      const token = answer(JSON.stringify({ access_token: `${text}x`, expires_in: text }), {}, 200);
      return [
        nextLink(text),
        nextLink(`<https://vendor.example/>; rel="${text}`),
        budgetNews(headers, seams.clock, { isGranted: false, isRefused: true }),
        retryAfterMs(headers, seams.clock),
        readToken(token, 'https://vendor.example', seams).lifetimeMs,
        readFrame('topic', JSON.stringify({ messageId: text, payload: text, publishTime: text })),
        readFrame('topic', text),
      ];
    });
  });
});

describe.each(
  Object.entries({ ...awkwardRuns, 'open cells': '"a\n', 'odd quotes': 'a"b,"c"d\n', NUL: '\0', 'half lines': '{"a":\n' }),
)('%s as a reply', (_name, run) => {
  it('cost in proportion to their length as lines and as a table, and in what says that there is more', () => {
    const read = (['ndjson', 'csv'] as const).map((format) => compileParse({ format }, 'time'));
    const toldCut = compileToldCut({ records: ['data'], page: { kind: 'none' } } as unknown as HttpWindowSpec);
    expectLinear((length) => {
      const text = repeated(run, length);
      const headers = { 'content-range': text.slice(0, 16_384), 'content-type': text.slice(0, 16_384) };
      const bodies = [text, `time,a,b\n${text}`, `time,a,b\n1,2,"${text}`];
      return [
        ...bodies.flatMap((body) => read.map((parse) => faultOf(() => atOnce(parse(answer(body, headers, 200)))))),
        toldCut({ data: [], [text]: text, more: text }, { status: 206, headers, before: 0 }),
      ];
    });
  });
});

describe('a refusal', () => {
  it('of more than a megabyte is not read, whatever it is made of', () => {
    const body = JSON.stringify({ message: 'x'.repeat(1_048_576) });

    expect(vendorWords(answer(body), String)).toBe(`a body of ${body.length} bytes`);
    expect(vendorWords(answer(JSON.stringify({ message: 'wrong', more: 'x'.repeat(1_000_000) })), String)).toBe('wrong');
  });
});

describe('a page', () => {
  it('of millions of tiny values is refused before it is built', () => {
    const body = `{"data":[${'{},'.repeat(5_000_000)}{}]}`;

    expect(faultOf(() => requireJson(parseBody(answer(body, {}, 200)), answer(body, {}, 200), 'GET x'))).toMatchObject({
      code: 'PEN_SOURCE_BAD_REPLY',
      message: expect.stringMatching(/^answered 200 with more than \d+ values in \d+ characters to GET x$/) as string,
    });
    expect(() => requireJson(parseBody(answer(body, {}, 200)), answer(body, {}, 200), 'GET x')).toThrow(
      expect.objectContaining({ fix: expect.stringMatching(/^ask for fewer records at once/) as string }),
    );
    expect(faultOf(() => requireJson(parseBody(answer(body, {}, 200)), answer(body, {}, 200), 'GET x', true))).toMatchObject({
      code: 'PEN_WINDOW_TOO_LARGE',
    });
  });

  it('of more records than a walk examines at once halves the window', () => {
    const read = paging({ kind: 'none' });
    const records = Array.from({ length: 100_001 }, () => ({}));

    expect(read({ data: records.slice(1) }, context).records).toHaveLength(100_000);
    expect(faultOf(() => read({ data: records }, context))).toEqual({
      code: 'PEN_WINDOW_TOO_LARGE',
      message: 'the reply has 100001 records, more than 100000',
    });
  });

  it('with a token or link that no request could carry is refused', () => {
    const token = paging({ kind: 'token', token: 'next' });
    const link = paging({ kind: 'link', link: 'next' });
    const next = 'x'.repeat(20_000_000);

    expect(faultOf(() => token({ data: [{}], next }, context)).message).toBe(
      'the page token has 20000000 characters, more than 32768',
    );
    expect(faultOf(() => link({ data: [{}], next }, context)).message).toBe(
      'the link to the next page has 20000000 characters, more than 32768',
    );
  });

  it('with other keys than expected names them in a few words', () => {
    const fault = faultOf(() => paging({ kind: 'none' })({ ['x'.repeat(60_000_000)]: 1 }, context));

    expect(fault.message?.length).toBeLessThan(200);
  });

  it('finds the next link wherever it stands in the header', () => {
    expect(nextLink('<https://a.example/?a=<b>; rel="next"')).toBe('b');
    expect(nextLink('<<<<https://a.example/1>; rel="prev", <https://a.example/2>; title="x\\"y"; rel="last next"')).toBe(
      'https://a.example/2',
    );
  });
});
