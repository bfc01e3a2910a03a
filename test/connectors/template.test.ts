import { describe, expect, it } from 'vitest';
import { templateFault } from '../../src/connectors/template.ts';
import { openVendor, pageOf, vendorConnector } from './vendor.ts';

const known = ['options.token', 'window.from', 'page.token'];

describe('a text with braces', () => {
  it.each([
    'query { viewer { log(since: "{{ window.from }}") { nodes { id } } } }',
    'query{viewer{log(since:"{{window.from}}"){nodes{id}}}}',
    'query($f:F={a:{b:"{{ window.from }}"}}){log(f:$f){id}}',
    '{"filter":{"range":{"gte":"{{ window.from }}"}}}',
    '}} {{ window.from }} {{',
    '{{ {a} }} {{ window.from }}',
  ])('is sent with only the named places replaced: %s', async (query) => {
    const vendor = openVendor(
      vendorConnector({ 'request.method': 'POST', 'request.query': {}, 'request.body': { query } }),
      () => ({ body: { data: [] } }),
    );

    await pageOf(vendor);

    const expected = query.replace(/\{\{\s*window\.from\s*\}\}/, '2026-11-21T09:00:00.000Z');
    expect(JSON.parse(String(vendor.asked[0]?.body))).toEqual({ query: expected });
  });

  it.each([
    ['Bearer {{ options.token }', 'the template is broken at character 8: "{{ options.token }"'],
    ['Bearer { options.token }}', 'the template is broken at character 8: "{ options.token }}"'],
    ['options.token }}', 'the template is broken at character 1: "options.token }}"'],
    ['{{ window.from }} {{ options.token', 'the template is broken at character 19: "{{ options.token"'],
    ['x {{ env:TOKEN }}', 'the template is broken at character 3: "{{ env:TOKEN }}"'],
    ['x {{ options.token | upper }}', 'the template is broken at character 3: "{{ options.token | upper }}"'],
    ['{{ }}', 'the template is broken at character 1: "{{ }}"'],
    ['{{ token }}', 'the template names "token", which does not exist'],
  ])('that was meant as a place is a fault with its place: %s', (text, what) => {
    expect(templateFault(text, known)?.what).toBe(what);
  });
});
