import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import type { CursorReader, PageRequest, Reader, WindowReader } from '../../src/connectors/connector.ts';
import { nextLink } from '../../src/connectors/http-window/links.ts';
import { openSource, plainPage, shippedConnectors } from './open-source.ts';

const origin = 'https://example.okta.com';
const options = { org_url: origin, token: '00secret-token' };
const window: PageRequest = { from: Date.UTC(2026, 10, 20, 10, 0, 0, 5), to: Date.UTC(2026, 10, 20, 11), state: null };
const signal = new AbortController().signal;

beforeEach(() => nock.disableNetConnect());
afterEach(() => {
  nock.abortPendingRequests();
  nock.cleanAll();
});

/** What asks for ranges. */
function rangeOf(reader: Reader): WindowReader {
  const { range } = reader as CursorReader;
  if (range === undefined) throw new Error('no range');
  return range;
}

const page = async (request: PageRequest = window): ReturnType<WindowReader['page']> => {
  await using opened = await openSource('okta', options);
  return await rangeOf(opened.reader).page(request, signal);
};
const link = (url: string): string => `<${origin}/api/v1/logs?limit=1000>; rel="self", <${url}>; rel="next"`;

describe('paging by Link headers', () => {
  it('asks for the window, ascending, with the SSWS header', async () => {
    nock(origin, { reqheaders: { authorization: 'SSWS 00secret-token' } })
      .get('/api/v1/logs?since=2026-11-20T10%3A00%3A00.005Z&until=2026-11-20T11%3A00%3A00.000Z&sortOrder=ASCENDING&limit=1000')
      .reply(200, [{ uuid: '1' }], { link: link(`${origin}/api/v1/logs?limit=1000&after=16000_1%2B`) });

    const answer = await page();

    expect(plainPage(answer)).toEqual({
      records: [{ value: { uuid: '1' } }],
      next: { kind: 'link', path: '/api/v1/logs?limit=1000&after=16000_1%2B' },
    });
  });

  it('follows the stored path with credentials, and ends at an empty page although it links on', async () => {
    nock(origin, { reqheaders: { authorization: 'SSWS 00secret-token' } })
      .get('/api/v1/logs?after=x%2B')
      .reply(200, [], { link: link(`${origin}/api/v1/logs?after=y`) });

    const answer = await page({ ...window, state: { kind: 'link', path: '/api/v1/logs?after=x%2B' } });

    expect(answer).toEqual({ records: [], next: null });
  });

  it.each([
    'https://evil.example/api/v1/logs?after=1',
    'https://example.okta.com:8443/x',
    'http://example.okta.com/x',
    '//evil.example/x',
    'https://example.okta.com@evil.example/x',
  ])('does not follow a link to %s', async (url) => {
    nock(origin)
      .get(/logs/)
      .reply(200, [{ uuid: '1' }], { link: link(url) });

    const error = (await page().catch((caught: unknown) => caught)) as PenstockError;

    expect(error.code).toBe('PEN_FOREIGN_ORIGIN');
  });

  it.each(['//evil.example/x?after=1', '/\\evil.example/x?after=1'])(
    'stays at its own host with a stored path such as %s',
    async (path) => {
      nock(origin, { reqheaders: { authorization: 'SSWS 00secret-token' } })
        .get((asked) => asked === '//evil.example/x?after=1')
        .reply(200, [{ uuid: '1' }]);

      const answer = await page({ ...window, state: { kind: 'link', path } });

      expect(answer.records.length).toBe(1);
    },
  );

  it('follows a link whose path begins with two slashes', async () => {
    nock(origin)
      .get(/^\/api.*logs/)
      .reply(200, [{ uuid: '1' }], { link: link(`${origin}//api/v1/logs?after=1`) });
    nock(origin)
      .get((asked) => asked === '//api/v1/logs?after=1')
      .reply(200, [{ uuid: '2' }]);

    const { next } = await page();
    const second = await page({ ...window, state: next });

    expect([...second.records].map(({ value }) => value)).toEqual([{ uuid: '2' }]);
  });

  it('stores no secret of ours in a link, but what the vendor put there', async () => {
    nock(origin)
      .get(/logs/)
      .reply(200, [{ uuid: '1' }], {
        link: link(`${origin}/api/v1/logs?after=1&access_token=abc&X-Amz-Signature=def&k=00secret-token`),
      });

    const answer = await page();

    expect(answer.next).toEqual({ kind: 'link', path: '/api/v1/logs?after=1&access_token=abc&X-Amz-Signature=def' });
  });

  it('says how long to wait from X-Rate-Limit headers', async () => {
    await using opened = await openSource('okta', options);
    nock(origin)
      .get(/logs/)
      .reply(200, [], {
        'x-rate-limit-limit': '120',
        'x-rate-limit-remaining': '3',
        'x-rate-limit-reset': String(Date.UTC(2026, 10, 21, 10, 0, 30) / 1000),
      });

    await rangeOf(opened.reader).page(window, signal);

    expect(opened.news.map(([, state]) => state)).toEqual([{ limit: 120, remaining: 3, resetMs: 30_000 }]);
  });
});

describe('the polling link', () => {
  it('is kept behind an empty page too, and asked for with the credential', async () => {
    await using opened = await openSource('okta', options);
    const reader = opened.reader as CursorReader;
    nock(origin, { reqheaders: { authorization: 'SSWS 00secret-token' } })
      .get('/api/v1/logs?since=2026-11-20T10%3A00%3A00.005Z&sortOrder=ASCENDING&limit=1000')
      .reply(200, [{ uuid: '1' }], { link: link(`${origin}/api/v1/logs?after=16_1`) })
      .get('/api/v1/logs?after=16_1')
      .reply(200, [], { link: link(`${origin}/api/v1/logs?after=16_2`) });

    const first = await reader.page({ state: null, from: window.from }, signal);
    const second = await reader.page({ state: first.next }, signal);

    expect([first, second].map(plainPage)).toEqual([
      { records: [{ value: { uuid: '1' } }], next: { kind: 'link', path: '/api/v1/logs?after=16_1' } },
      { records: [], next: { kind: 'link', path: '/api/v1/logs?after=16_2' } },
    ]);
  });
});

describe('the next link of a header', () => {
  it.each([
    ['<https://a/b>; rel="next"', 'https://a/b'],
    ['<https://a/b>; rel=next', 'https://a/b'],
    ['<a,b>; rel="self", <c;d>; title="x, y; rel=next"; rel="next"', 'c;d'],
    ['<a>; REL="prev NEXT"', 'a'],
    ["<a>; title='x, y'; rel='prev next'", 'a'],
    ['<a>; rel="last"', undefined],
    ['<a>; xrel="next"', undefined],
    ['', undefined],
    ['nonsense', undefined],
  ])('%s is %s', (header, expected) => {
    expect(nextLink(header)).toBe(expected);
  });
});

describe('the samples', () => {
  const samples = readFileSync(join(shippedConnectors, 'okta/samples.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { eventType: string });

  it('cover every action, and each is mapped by its own row', async () => {
    await using opened = await openSource('okta', options);
    const { records, mapper, actions } = opened.connector;
    const context = { source: 'okta', tenant: origin, labels: [], processedTime: 0 };

    const mapped = samples.map((value) => {
      const { uid, record } = records.examine({ value }, origin);
      return mapper.map({ uid, received: 0, record }, context);
    });

    expect(mapped.map(({ action }) => action?.action)).toEqual(actions.map(({ action }) => action));
    expect(mapped.map(({ event }) => event.class_uid)).toEqual(actions.map(({ classUid }) => classUid));
    expect(mapped.filter(({ failed }) => failed !== undefined)).toEqual([]);
  });

  it('tell who did what to whom', async () => {
    await using opened = await openSource('okta', options);
    const { records, mapper } = opened.connector;
    const sample = samples.find(({ eventType }) => eventType === 'group.user_membership.add');
    const { uid, record, time } = records.examine({ value: sample }, origin);

    const { event } = mapper.map({ uid, received: 0, record }, { source: 'okta', tenant: origin, labels: [], processedTime: 0 });

    expect(event).toMatchObject({
      class_uid: 3006,
      time,
      status: 'Success',
      user: { uid: '00u9example2', email_addr: 'sam@example.com' },
      group: { uid: '00g1example', name: 'Finance' },
      actor: { user: { uid: '00u1example', email_addr: 'dana@example.com' } },
      src_endpoint: { ip: '192.0.2.10' },
    });
  });
});
