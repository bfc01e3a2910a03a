// What the vendors have: every record of a history, when it shows up, and what Penstock is to make of it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Connector, RawRecord, RecordFacts } from '../../src/connectors/connector.ts';
import type { EventPlan, SourceKind } from './scenario.ts';

export const connectorOf: Readonly<Record<SourceKind, string>> = {
  offset: 'anaconda',
  page: 'mongodb-atlas',
  token: 'analyst-studio',
  link: 'okta',
  stream: 'astra-stream',
  files: 'astra-csv',
};

type Row = Readonly<Record<string, unknown>>;

/** A record of a vendor with everything that is known of it from outside. */
export interface Entry {
  readonly plan: EventPlan;
  readonly raw: RawRecord;
  readonly facts: RecordFacts;
  /** True times, milliseconds since the epoch. */
  readonly time: number;
  readonly visibleAt: number;
  /** When it is deleted; Infinity: never. */
  readonly goneAt: number;
  /** Made by our own request: may be left out. */
  readonly self: boolean;
}

const root = resolve(import.meta.dirname, '../..');
const samplesOf = new Map<string, readonly Row[]>();

function samples(kind: SourceKind): readonly Row[] {
  const name = kind === 'stream' ? 'astra-csv' : connectorOf[kind];
  const known = samplesOf.get(name);
  if (known !== undefined) return known;
  const read = readFileSync(join(root, 'connectors', name, 'samples.ndjson'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
  samplesOf.set(name, read);
  return read;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const idOf = (source: string, n: number): string => {
  const hex = digest(`${source} ${n}`);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

/** Text that no compression makes smaller. */
function ballast(n: number, bytes: number): string {
  let text = '';
  for (let i = 0; text.length < bytes; i += 1) text += createHash('sha256').update(`${n} ${i}`).digest('base64');
  return text.slice(0, bytes);
}

function rowOf(kind: SourceKind, plan: EventPlan, time: number): Row {
  const all = samples(kind);
  const sample = all[(plan.copyOf ?? plan.n) % all.length] ?? {};
  const id = idOf(plan.source, plan.copyOf ?? plan.n);
  const iso = new Date(time).toISOString();
  const extra = { n: plan.n, emoji: 'é 漢 😀', ...(plan.fat === undefined ? {} : { pad: ballast(plan.n, plan.fat) }) };
  const inside = (key: string): Row => ({ ...(sample[key] as Row | undefined), ...extra });
  switch (kind) {
    case 'offset':
      return {
        ...sample,
        id,
        occurred_at: `${iso.slice(0, 23)}000Z`,
        created_at: `${iso.slice(0, 23)}000Z`,
        meta: inside('meta'),
      };
    case 'page':
      return { ...sample, id: digest(id).slice(0, 24), created: `${iso.slice(0, 19)}Z`, raw: extra };
    case 'token':
      return { ...sample, id, timestamp: `${iso.slice(0, 19)}.000000Z`, context: inside('context') };
    case 'link':
      return { ...sample, uuid: id, published: iso, debugContext: { debugData: inside('debugData') } };
    default:
      return { ...sample, eventTime: iso, userID: id, event: JSON.stringify({ name: `n${plan.n}`, ...extra }) };
  }
}

const precisionOf = (kind: SourceKind): number => (kind === 'token' || kind === 'page' ? 1000 : 1);

/** Makes the entry of a planned record. */
export function entryOf(
  kind: SourceKind,
  connector: Connector,
  tenant: string | undefined,
  plan: EventPlan,
  startMs: number,
): Entry {
  const time = Math.floor((startMs + plan.at) / precisionOf(kind)) * precisionOf(kind);
  const value = rowOf(kind, plan, time);
  // A message that is sent again with another content has an id of its own: a broker repeats bytes.
  const raw: RawRecord = kind === 'stream' ? { value, id: `1:${plan.n}` } : { value };
  return {
    plan,
    raw,
    facts: connector.records.examine(raw, tenant),
    time,
    visibleAt: startMs + plan.at + plan.late,
    goneAt: startMs + (plan.gone ?? Infinity),
    self: false,
  };
}

/** A record that the vendor makes of one of our requests. */
export function selfEntry(
  connector: Connector,
  tenant: string | undefined,
  source: string,
  n: number,
  now: number,
  userAgent: string,
): Entry {
  const time = Math.floor(now / 1000) * 1000;
  const value = {
    id: idOf(`${source} self`, n),
    action: 'audit_log_accessed',
    description: 'audit log read',
    context: {},
    actor: { ip: '192.0.2.1', user_agent: userAgent, user_id: 'token', username: 'token' },
    entity: {},
    timestamp: new Date(time).toISOString(),
    workspace_username: 'acme',
  };
  const raw = { value };
  const plan = { source, n: -1 - n, at: 0, late: 0 };
  return { plan, raw, facts: connector.records.examine(raw, tenant), time, visibleAt: now, goneAt: Infinity, self: true };
}
