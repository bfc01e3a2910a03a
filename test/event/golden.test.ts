import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { encodeBody } from '../../src/event/index.ts';
import { faultsOf } from '../ocsf/faults.ts';
import { type ConnectorName, envelopeOf, loadConnector } from './load-connector.ts';

interface Example {
  readonly connector: ConnectorName;
  readonly tenant?: string;
  readonly raw: Record<string, unknown>;
  readonly ocsf: { readonly metadata: Record<string, unknown>; readonly raw_data: string; readonly raw_data_size: number };
  readonly ecs?: { readonly event: object; readonly penstock: object };
  readonly cim?: Record<string, unknown>;
  readonly cef: string;
  readonly leef?: string;
}

const folder = resolve(import.meta.dirname, 'golden');
const examples = readdirSync(folder).map((file) => ({
  file,
  ...(JSON.parse(readFileSync(resolve(folder, file), 'utf8')) as Example),
}));
const labels = ['source:acme'];

function mapExample({ connector, tenant, raw }: Example) {
  const loaded = loadConnector(connector);
  const page = { source: 'acme', tenant, labels: [], processedTime: 1_762_161_400_000 };
  return loaded.mapper.map(envelopeOf(loaded, raw, tenant), page);
}

it.each(examples)('maps $file to its canonical event, raw text included', (example) => {
  const mapped = mapExample(example);

  const line = encodeBody('ocsf', mapped, { includeRaw: true });

  expect(JSON.parse(line)).toEqual({ ...example.ocsf, metadata: { ...example.ocsf.metadata, labels } });
  expect(faultsOf(example.ocsf)).toEqual([]);
});

it.each(examples)('leaves the raw text of $file out when it is not asked for', (example) => {
  const mapped = mapExample(example);

  const line = encodeBody('ocsf', mapped, { includeRaw: false });

  const { raw_data: _text, raw_data_size: _size, ...event } = example.ocsf;
  expect(JSON.parse(line)).toEqual({ ...event, metadata: { ...event.metadata, labels } });
});

it.each(examples)('gives the record of $file back in format raw', (example) => {
  expect(encodeBody('raw', mapExample(example), { includeRaw: false })).toBe(example.ocsf.raw_data);
});

it.each(examples)('writes $file as CEF byte for byte', (example) => {
  expect(encodeBody('cef', mapExample(example), { includeRaw: true })).toBe(example.cef);
});

it.each(examples.filter(({ leef }) => leef !== undefined))('writes $file as LEEF byte for byte', (example) => {
  expect(encodeBody('leef', mapExample(example), { includeRaw: true })).toBe(example.leef);
});

it.each(examples.filter(({ ecs }) => ecs !== undefined))('writes $file as ECS', (example) => {
  const { ecs, ocsf } = example;

  const document: unknown = JSON.parse(encodeBody('ecs', mapExample(example), { includeRaw: true }));

  const { unmapped } = ocsf as { unmapped?: unknown };
  expect(document).toEqual({
    ...ecs,
    event: { ...ecs?.event, original: ocsf.raw_data },
    penstock: { ...ecs?.penstock, unmapped },
    tags: labels,
  });
});

it.each(examples.filter(({ cim }) => cim !== undefined))('writes $file as CIM, the canonical event under ocsf', (example) => {
  const { cim, ocsf } = example;
  const required = { command: 'unknown', dvc: cim?.['dest'], object: 'unknown', object_attrs: 'unknown', src: 'unknown' };

  const body: unknown = JSON.parse(encodeBody('cim', mapExample(example), { includeRaw: true }));

  expect(body).toEqual({ ...required, ...cim, ocsf: { ...ocsf, metadata: { ...ocsf.metadata, labels } } });
});
