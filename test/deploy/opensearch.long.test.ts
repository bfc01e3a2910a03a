// The index template on a real node; PENSTOCK_TEST_OPENSEARCH is its URL, such as http://127.0.0.1:9200.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { renderSamples } from '../../src/workbench/catalog.ts';

type Tree = Readonly<Record<string, unknown>>;

const node = process.env['PENSTOCK_TEST_OPENSEARCH'];
const template = resolve(import.meta.dirname, '../../siem/opensearch/index-template.json');
const stream = `logs-penstock.audit-test${process.pid}`;

async function ask(method: string, path: string, body?: string, type = 'application/json'): Promise<Tree> {
  const response = await fetch(`${node}${path}`, {
    method,
    headers: { 'content-type': type },
    ...(body === undefined ? {} : { body }),
  });
  return (await response.json()) as Tree;
}

/** A record as nested and as wide as a vendor may send one, with the same name for values of all kinds. */
function hostileEvent(event: Tree): Tree {
  let deep: unknown = 'end';
  for (let level = 0; level < 400; level++) deep = { level: deep };
  const wide = Object.fromEntries(
    Array.from({ length: 5000 }, (_, index) => [`name.${index}`, index % 2 === 0 ? index : { is: 'text' }]),
  );
  return {
    ...event,
    penstock: { ...(event['penstock'] as Tree), unmapped: { deep, wide, long: 'x'.repeat(100_000), value: event['@timestamp'] } },
  };
}

it.skipIf(node === undefined)(
  'takes every sample and the oddest records, finds them by their fields, and grows no field',
  async () => {
    const samples = await Promise.all(
      ['anaconda', 'analyst-studio', 'astra-csv', 'okta'].map((connector) =>
        renderSamples({ connector, format: 'ecs', includeRaw: true, now: 0 }, systemSeams().files),
      ),
    );
    const events = samples.flatMap(({ lines }) => lines).map((line) => JSON.parse(line) as Tree);
    const all = [
      ...events,
      hostileEvent(events[0] as Tree),
      { ...events[1], penstock: { unmapped: { deep: 1, wide: [1, 'two', {}] } } },
    ];

    const put = await ask('PUT', '/_index_template/penstock-audit', await readFile(template, 'utf8'));
    const before = await ask('PUT', `/_data_stream/${stream}`);
    const bulk = all
      .map((event, index) => `${JSON.stringify({ create: { _id: `id-${index}` } })}\n${JSON.stringify(event)}\n`)
      .join('');
    const { errors, items } = await ask('POST', `/${stream}/_bulk?refresh=true`, bulk, 'application/x-ndjson');
    const found = await ask('GET', `/${stream}/_search?q=event.code:system.api_token.create%20AND%20source.ip:192.0.2.0\\/24`);
    const mapping = JSON.stringify(await ask('GET', `/${stream}/_mapping`));
    await ask('DELETE', `/_data_stream/${stream}`);

    expect(put).toEqual({ acknowledged: true });
    expect(before).toEqual({ acknowledged: true });
    expect((items as readonly { create: Tree }[]).flatMap(({ create }) => create['error'] ?? [])).toEqual([]);
    expect(errors).toBe(false);
    expect((found as { hits: { total: { value: number } } }).hits.total.value).toBe(1);
    expect(mapping).not.toMatch(/"level"|"name\.0"/);
  },
);
