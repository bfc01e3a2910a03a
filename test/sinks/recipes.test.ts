import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sinkTypes } from '../../src/sinks/index.ts';
import { faultsOf, load } from '../config/load.ts';
import { makeCertificates } from '../http/certificates.ts';

const docs = resolve(import.meta.dirname, '../../docs');
const source = 'sources: { feed: { connector: vendor, options: { org_id: acme } } }\n';
const env = { SUMO_HTTP_SOURCE_URL: 'https://endpoint.example.sumologic.com/receiver/v1/http/c0de' };
const secrets =
  'NEW_RELIC_LICENSE_KEY LOKI_PASSWORD COLLECTOR_TOKEN AXIOM_TOKEN CRIBL_HEC_TOKEN CRIBL_TOKEN PANTHER_SECRET SPLUNK_HEC_TOKEN LAKE_TOKEN KAFKA_PASSWORD';
const filled = { ...env, ...Object.fromEntries(secrets.split(' ').map((name) => [name, `value-of-${name}`])) };

/** Certificate files are looked at when a configuration loads; the pages name some that this machine has not. */
const authority = join(mkdtempSync(join(tmpdir(), 'penstock-recipes-')), 'ca.pem');
using certificates = makeCertificates();
writeFileSync(authority, certificates.read('ca.pem'));

/** The YAML blocks of a page with the heading that each stands under. */
function blocksOf(page: string): { readonly heading: string; readonly yaml: string }[] {
  const text = readFileSync(resolve(docs, page), 'utf8');
  return text.split(/^## /m).flatMap((section) => {
    const heading = section.split('\n', 1)[0] ?? '';
    return [...section.matchAll(/^```yaml\n(sinks:[\s\S]*?)^```$/gm)].map(([, yaml = '']) => ({ heading, yaml }));
  });
}

describe('Every configuration in the pages about sinks validates', () => {
  const blocks = [
    ...blocksOf('sinks/recipes.md'),
    ...blocksOf('sinks.md').filter(({ heading }) => /HEC|HTTP|Kafka|S3/.test(heading)),
  ];

  it.each(blocks)('$heading', async ({ yaml }) => {
    const config = await load(`${source}${yaml.replace(/\/etc\/penstock\/[a-z-]+\.pem/g, authority)}`, {
      sinkTypes,
      env: filled,
    });

    expect(config.sinks.length).toBe(1);
    expect(config.warnings).toEqual([]);
  });

  it('covers every receiver that has a recipe', () => {
    expect(new Set(blocksOf('sinks/recipes.md').map(({ heading }) => heading))).toEqual(
      new Set(['Sumo Logic', 'New Relic', 'Loki', 'OpenTelemetry Collector', 'Axiom', 'Cribl Stream', 'Panther']),
    );
  });
});

it('names the place, the fault and the fix of what a schema cannot say', async () => {
  const yaml = `${source}sinks:
  splunk: { type: splunk_hec, endpoints: ["https://hec.example.com:8088/services/collector"], token: t0ken }
  es: { type: http, preset: elasticsearch, url: "https://es.example.com:9200" }
  hooks: { type: http, url: "https://h.example.com", signature: { standard_webhooks: [whsec_x] } }
  plain: { type: http, url: "http://h.example.com" }
`;

  const faults = await faultsOf(yaml, { sinkTypes });

  expect(faults.join('\n')).toContain('(sinks.splunk.endpoints[0]): an endpoint has no path, this one has "/services/collector"');
  expect(faults.join('\n')).toContain('preset: elasticsearch needs "index"');
  expect(faults.join('\n')).toContain('(sinks.hooks.signature.standard_webhooks[0]): a secret of signature.standard_webhooks');
  expect(faults.join('\n')).toContain('allow_plaintext');
});
