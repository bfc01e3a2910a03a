import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { budgetNews, tellsOfRate } from '../../src/connectors/http-window/budget-news.ts';
import { linkState, linkUrl, nextLink } from '../../src/connectors/http-window/links.ts';
import { compileUrl } from '../../src/connectors/origin.ts';
import { compileTemplate, templateFault } from '../../src/connectors/template.ts';
import { parseTime } from '../../src/event/index.ts';
import { answeredAt, retryAfterMs } from '../../src/http/index.ts';
import { skippingClock } from '../connectors/open-source.ts';
import { fuzz, resultOf } from './fuzz.ts';
import { anyText, mutated, soup } from './texts.ts';

const isOurs = (error: unknown): boolean => error instanceof PenstockError;

const target = fc.webUrl({ withQueryParameters: true }).filter((url) => !/[<>]/.test(url));
const relation = fc.constantFrom('prev', 'self', 'last', 'nextish', 'x-next');
const parameter = fc.constantFrom('; title="a, b; rel=next"', ';type=text/html', '; media="x\\"y"', '; rev');

it('the next page is the target of rel="next", whatever stands around it', () => {
  const link = (rel: fc.Arbitrary<string>) =>
    fc
      .tuple(target, parameter, rel, fc.constantFrom('; rel="$"', '; rel=$', ';  REL = "prev $"', '; rel="$"; title=*'))
      .map(([url, more, name, form]) => ({ url, text: `<${url}>${more}${form.replace('$', () => name)}` }));
  fuzz(fc.tuple(fc.array(link(relation), { maxLength: 3 }), link(fc.constant('next'))), ([others, next]) => {
    const links = [...others, next];

    expect(nextLink(links.map(({ text }) => text).join(', '))).toBe(next.url);
  });
});

it('any Link header gives a piece of itself or nothing', () => {
  fuzz(
    mutated(
      fc.oneof(
        soup,
        target.map((url) => `<${url}>; rel="next", <${url}>;rel=prev`),
      ),
    ),
    (header) => {
      const found = nextLink(header);

      if (found !== undefined) expect(header).toContain(`<${found}>`);
    },
  );
});

it('a link is followed at the host of its request, and never stored with a secret', () => {
  const request = new URL('https://api.example.com/v1/logs?since=1&key=s3cr%2Ft-value%2B1');
  const secrets = ['s3cr/t-value+1'];
  const page = { kind: 'link_header', link_host: 'ignored' } as never;
  const form = fc.oneof(
    anyText,
    mutated(
      fc.constantFrom(
        request.href,
        '/v1/logs?key=s3cr%2Ft-value%2B1&page=2',
        '//evil.example.com/x',
        'https://evil.example.com/',
      ),
    ),
  );
  fuzz(form, (text) => {
    const state = resultOf(() => linkState(text, page, { url: request, secrets }), isOurs);
    if ('error' in state) return;
    const { path } = state.value as { readonly path: string };

    const values = new URLSearchParams(path.split('?').slice(1).join('?')).values();

    expect([...values].filter((value) => value.includes('s3cr/t-value+1'))).toEqual([]);
    expect(linkUrl(path, request, secrets).origin).toBe(request.origin);
  });
});

const amount = fc.oneof(
  fc.nat().map(String),
  fc.double().map(String),
  fc.constantFrom('6m0s', '20ms', '1h', '99999999999999999999', '1e9', '-1', '100, 100;w=60', 'Fri, 20 Nov 2026 10:00:00 GMT'),
  anyText,
);
const headers = fc.dictionary(
  fc.constantFrom(
    'retry-after',
    'date',
    'age',
    'x-ratelimit-remaining',
    'x-rate-limit-reset',
    'ratelimit',
    'ratelimit-reset',
    'x-ratelimit-limit',
    'x-ratelimit-reset-after',
  ),
  mutated(
    fc.oneof(
      amount,
      fc.tuple(amount, amount).map(([r, t]) => `limit=100, remaining=${r}, reset=${t}`),
    ),
  ),
);

it('headers about time and rate give waits that are finite and not negative, and Retry-After at most ten minutes', () => {
  const clock = skippingClock();
  fuzz(fc.tuple(headers, fc.boolean()), ([found, isRefused]) => {
    const asked = retryAfterMs(found, clock);
    const news = Object.values(budgetNews(found, clock, { isGranted: !isRefused, isRefused }) ?? {});

    if (asked !== undefined) expect([asked >= 0, asked <= 600_000]).toEqual([true, true]);
    expect(news.filter((value) => value !== undefined && !(Number.isFinite(value) && value >= 0))).toEqual([]);
    expect(Number.isNaN(answeredAt(found))).toBe(false);
    expect(typeof tellsOfRate(found)).toBe('boolean');
  });
});

const instant = fc.date({
  min: new Date('2000-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
});
const seconds = (time: Date): string => time.toISOString().slice(0, 19);

it('a time is read alike however it is written', () => {
  fuzz(instant, (time) => {
    const ms = time.getTime();
    const whole = ms - (ms % 1000);

    expect(parseTime(time.toISOString())?.ms).toBe(ms);
    expect(parseTime(`${time.toISOString().slice(0, -1)}999+00:00`)?.ms).toBe(ms);
    expect(parseTime(`${seconds(time).replace('T', ' ')} UTC`)?.ms).toBe(whole);
    expect(parseTime(time.toUTCString())?.ms).toBe(whole);
    expect(parseTime(`/Date(${ms})/`)?.ms).toBe(ms);
  });
});

it('whatever is told as a time is a whole number of milliseconds from 2000 to 9999, or none', () => {
  const told = fc.oneof(
    anyText,
    mutated(instant.map((time) => time.toISOString())),
    mutated(instant.map((time) => time.toUTCString())),
    fc.double(),
    fc.bigInt().map(String),
    fc.constant(null),
  );
  fuzz(told, (value) => {
    const ms = parseTime(value)?.ms;

    if (ms !== undefined)
      expect([Number.isInteger(ms), ms >= Date.UTC(2000, 0), ms < 253_402_300_800_000]).toEqual([true, true, true]);
  });
});

it('a template is made of its texts and places, and its values stay values', () => {
  fuzz(fc.tuple(fc.array(fc.oneof(soup, fc.constant('{{ options.a }}')), { maxLength: 6 }), anyText), ([parts, value]) => {
    const text = parts.join('');
    const template = compileTemplate(text);

    expect(
      template
        .render(
          () => value,
          (inner) => `\u0001${inner}\u0002`,
        )
        ?.replaceAll(`\u0001${value}\u0002`, ''),
    ).toBe(template.parts.map((part) => ('text' in part ? part.text : '')).join(''));
    expect(typeof (templateFault(text, ['options.a'])?.what ?? '')).toBe('string');
  });
});

it('a value in an address never changes its host, and never climbs out of its path', () => {
  const templates = [
    'https://api.example.com/v1/{{ options.a }}/logs',
    'https://api.example.com/v1/x?y={{ options.a }}',
    '{{ options.base }}/v1/{{ options.a }}/logs',
  ];
  fuzz(
    fc.tuple(fc.constantFrom(...templates), fc.oneof(anyText, fc.constantFrom('..', '.', '@evil.example.com', '%2e%2e'))),
    ([template, value]) => {
      const url = compileUrl(template);
      const found = resultOf(() => url.render((name) => (name === 'options.base' ? 'https://api.example.com' : value)), isOurs);
      if ('error' in found) return;

      expect(found.value.origin).toBe('https://api.example.com');
      expect(found.value.pathname.startsWith('/v1/')).toBe(true);
      expect(found.value.pathname.split('/').length).toBe(template.includes('/logs') ? 4 : 3);
    },
  );
});
