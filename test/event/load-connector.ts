// Test support: the shipped connectors as this room sees them.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { compileSchema } from '../../src/base/schema.ts';
import type { Mapper } from '../../src/event/event.ts';
import {
  ActionTableSpec,
  compileActions,
  compileHashId,
  compileMapper,
  compilePath,
  type HashField,
  MapSpec,
  redact,
  uidOf,
} from '../../src/event/index.ts';

export const connectorNames = ['anaconda', 'analyst-studio', 'astra-csv'] as const;
export type ConnectorName = (typeof connectorNames)[number];

const folder = resolve(import.meta.dirname, '../../connectors');

export function readYaml(path: string): unknown {
  return parse(readFileSync(resolve(folder, path), 'utf8'));
}

const isTable = compileSchema<ActionTableSpec>(ActionTableSpec);
const isMap = compileSchema<MapSpec>(MapSpec);

export function checked<T>(check: { (value: unknown): value is T; errors?: unknown }, value: unknown): T {
  if (!check(value)) throw new Error(JSON.stringify(check.errors));
  return value;
}

interface RecordSection {
  readonly id?: string;
  readonly hash?: readonly HashField[];
  readonly time: string | string[];
  readonly action: string | string[];
  readonly tenant?: string;
  readonly volatile?: readonly string[];
}

export interface Loaded {
  readonly table: ReturnType<typeof compileActions>;
  readonly mapper: Mapper;
  readonly record: RecordSection;
  readonly samples: readonly Record<string, unknown>[];
  /** The uid as `examine` makes it. */
  uid(record: unknown, tenant: string | undefined): string;
}

export function loadTable(name: ConnectorName): ActionTableSpec {
  return checked(isTable, readYaml(`${name}/actions.yaml`));
}

export function loadConnector(name: ConnectorName): Loaded {
  const text = readYaml(`${name}/connector.yaml`) as { map: unknown; record: RecordSection };
  const table = compileActions(loadTable(name));
  const { id, hash, time, action, tenant } = text.record;
  const record = { ...(id === undefined ? {} : { id }), time, action, ...(tenant === undefined ? {} : { tenant }) };
  const mapper = compileMapper({ table, map: checked(isMap, text.map), record });
  const nativeId = hash === undefined ? compilePath(id ?? '') : compileHashId(hash);
  const tenantOf = tenant === undefined ? () => undefined : compilePath(tenant);
  return {
    table,
    mapper,
    record: text.record,
    samples: readSamples(name),
    uid: (raw, configured) => uidOf(table.spec.source, asText(tenantOf(raw)) ?? configured, asText(nativeId(raw)) ?? ''),
  };
}

const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function readSamples(name: ConnectorName): Record<string, unknown>[] {
  const path = resolve(folder, name, 'samples.ndjson');
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The received record as it reaches the mapper: redacted, with its uid. */
export function envelopeOf(loaded: Loaded, raw: unknown, tenant?: string, received = 1_762_161_400_000) {
  return { uid: loaded.uid(raw, tenant), received, record: redact(raw) };
}
