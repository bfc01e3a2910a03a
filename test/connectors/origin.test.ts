import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileUrl, looseHostName } from '../../src/connectors/origin.ts';

const scopeOf = (values: Record<string, string>) => (name: string) => values[name];

describe('an address with places', () => {
  it.each([
    [
      '{{ options.url }}/api/{{ options.a }}',
      { 'options.url': 'https://x.example', 'options.a': 'b c' },
      'https://x.example/api/b%20c',
    ],
    ['{{ options.url }}/api', { 'options.url': 'https://x.example:8443/base/' }, 'https://x.example:8443/base/api'],
    ['https://{{ options.host }}/v1', { 'options.host': 'a.example:8443' }, 'https://a.example:8443/v1'],
    ['https://{{ options.name }}.example.com/v1', { 'options.name': 'acme' }, 'https://acme.example.com/v1'],
    ['https://fixed.example/{{ options.a }}', { 'options.a': '../x?y#z' }, 'https://fixed.example/..%2Fx%3Fy%23z'],
  ])('%s with %j is %s', (text, values, expected) => {
    expect(compileUrl(text).render(scopeOf(values)).href).toBe(expected);
  });

  it.each([
    ['{{ options.url }}/api', { 'options.url': 'not a url' }],
    ['{{ options.url }}/api', { 'options.url': 'https://user:pw@x.example' }],
    ['{{ options.url }}/api', { 'options.url': 'file:///etc/passwd' }],
    ['{{ options.url }}/api', {}],
    ['https://{{ options.host }}/v1', { 'options.host': 'evil.example/x?' }],
    ['https://{{ options.host }}/v1', { 'options.host': 'user@evil.example' }],
    ['https://fixed.example/{{ options.a }}/x', { 'options.a': '..' }],
    ['{{ record.href }}/x', { 'record.href': 'https://evil.example' }],
    ['https://{{ record.host }}/x', { 'record.host': 'evil.example' }],
    ['https://{{ group.name }}.example.com/x', { 'group.name': 'evil' }],
    ['https://{{ options.a }}{{ page.token }}/x', { 'options.a': 'a.example', 'page.token': '.evil.example' }],
  ])('%s with %j is refused', (text, values) => {
    expect(() => compileUrl(text).render(scopeOf(values))).toThrow(
      expect.objectContaining({ code: 'PEN_CONFIG_INVALID' }) as Error,
    );
  });

  it.each([
    ['{{ record.href }}/d', 'record.href'],
    ['https://{{ options.name }}.{{ group.region }}.example.com:443/d', 'group.region'],
    ['https://api.example.com{{ page.token }}', 'page.token'],
    ['{{ options.url }}/{{ record.id }}', undefined],
    ['https://{{ options.host }}/{{ group.id }}?a={{ page.token }}', undefined],
    ['https://api.example.com/d', undefined],
  ])('%s takes its host from %s besides the options', (text, name) => {
    expect(looseHostName(text)).toBe(name);
  });

  it('never leads elsewhere, whatever stands in its path', () => {
    const url = compileUrl('{{ options.url }}/a/{{ options.x }}/b');

    assert(
      property(
        string({ unit: 'grapheme', minLength: 1 }).filter((text) => text !== '.' && text !== '..'),
        (x) => {
          const rendered = url.render(scopeOf({ 'options.url': 'https://x.example/base', 'options.x': x }));

          expect([rendered.origin, rendered.pathname.split('/').length, rendered.search, rendered.hash]).toEqual([
            'https://x.example',
            5,
            '',
            '',
          ]);
        },
      ),
    );
  });
});
