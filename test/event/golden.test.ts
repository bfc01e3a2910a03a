import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { type ConnectorName, envelopeOf, loadConnector } from './load-connector.ts';

const folder = resolve(import.meta.dirname, 'golden');
const examples = readdirSync(folder).map((file) => ({
  file,
  ...(JSON.parse(readFileSync(resolve(folder, file), 'utf8')) as Example),
}));

interface Example {
  readonly connector: ConnectorName;
  readonly tenant?: string;
  readonly raw: Record<string, unknown>;
  readonly ocsf: { readonly metadata: Record<string, unknown>; readonly raw_data: string; readonly raw_data_size: number };
}

it.each(examples)('maps $file to its canonical event', ({ connector, tenant, raw, ocsf }) => {
  const loaded = loadConnector(connector);
  const page = { source: 'acme', tenant, labels: [], processedTime: 1_762_161_400_000 };

  const mapped = loaded.mapper.map(envelopeOf(loaded, raw, tenant), page);

  const { raw_data, raw_data_size, ...event } = ocsf;
  expect(mapped.event).toEqual({ ...event, metadata: { ...event.metadata, labels: ['source:acme'] } });
  expect(mapped.raw()).toBe(raw_data);
  expect(Buffer.byteLength(mapped.raw())).toBe(raw_data_size);
});
