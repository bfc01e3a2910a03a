import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { type Faults, strikes } from './faults.ts';
import type { RecordMaker, Row, VendorLog } from './vendor-log.ts';
import type { Answer, Call } from './vendor-server.ts';

/** Credentials and names that the simulated workspace knows. */
export const studioTenant = {
  workspace: 'acme',
  token: 'simulated-workspace-token',
  secret: 'simulated-workspace-secret',
} as const;

// The vendor prints six fraction digits, all zero: whole seconds, so ties are common.
const wholeSecond = (ms: number): string => `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}.000000Z`;

/** A record in the documented shape of the audit_logs call. */
export const makeStudioRecord: RecordMaker = (template, { id, occurredAt, createdAt }) => ({
  ...template,
  id,
  timestamp: wholeSecond(occurredAt ?? createdAt),
  workspace_username: studioTenant.workspace,
});

interface Api {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly log: VendorLog;
  /** Records per page; the vendor decides, callers cannot. */
  readonly pageSize: number;
}

interface Walk {
  readonly rows: readonly Row[];
  readonly offset: number;
}

const secondOf = (row: Row): number => Math.floor((row.occurredAt ?? row.visibleAt) / 1000) * 1000;

function noteAccess({ log, clock }: Api, { headers }: Call): void {
  const actor = { ip: '127.0.0.1', user_agent: headers['user-agent'] ?? '', user_id: '0a1b2c3d4e5f', username: 'api-token' };
  const entity = { entity_name: studioTenant.workspace, entity_type: 'workspace', entity_id: 'f0e1d2c3b4a5' };
  log.add({ action: 'audit_log_accessed', description: 'audit log accessed', context: {}, actor, entity }, clock.now());
}

function begin({ log }: Api, url: URL): Walk | Answer {
  const start = Date.parse(url.searchParams.get('start_timestamp') ?? '');
  const end = Date.parse(url.searchParams.get('end_timestamp') ?? '');
  if (Number.isNaN(start) || Number.isNaN(end))
    return { status: 400, body: { errors: ['start_timestamp and end_timestamp are required'] } };
  const rows = log.rows().filter((row) => secondOf(row) >= start && secondOf(row) <= end);
  return { rows: rows.toSorted((a, b) => secondOf(b) - secondOf(a)), offset: 0 };
}

function pageOf({ faults, random, pageSize }: Api, { rows, offset }: Walk, keep: (walk: Walk) => string): Answer {
  const count = strikes(faults, 'empty_page', random) ? 0 : pageSize;
  const page = rows.slice(offset, offset + count);
  const records = page.map((row) => (strikes(faults, 'unreadable', random) ? 42 : row.record));
  const next = offset + count < rows.length ? keep({ rows, offset: offset + count }) : null;
  // Both envelopes were seen in the wild.
  if (faults.empty_page === 0 || random.float() < 0.5) return { status: 200, body: { audit_logs: records, next_token: next } };
  return { status: 200, body: { _embedded: { audit_logs: records }, pagination: { next_token: next } } };
}

/** The simulated vendor. Every answered read adds an `audit_log_accessed` record with the reader's User-Agent. */
export function analystStudioApi(api: Api): (call: Call) => Answer {
  const { random, faults } = api;
  const walks = new Map<string, Walk>();
  const expected = `Basic ${Buffer.from(`${studioTenant.token}:${studioTenant.secret}`).toString('base64')}`;

  return (call) => {
    const { url, headers } = call;
    if (url.pathname !== `/api/${studioTenant.workspace}/audit_logs`)
      return { status: 404, body: { id: 'not_found', message: 'no such workspace' } };
    if (headers.accept !== 'application/json') return { status: 406, body: '' };
    if (headers.authorization !== expected) return { status: 401, body: 'HTTP Basic: Access denied.' };
    const token = url.searchParams.get('next_token');
    const walk =
      token === null ? begin(api, url) : (walks.get(token) ?? { status: 400, body: { errors: ['unknown next_token'] } });
    if ('status' in walk) return walk;
    const answer = pageOf(api, walk, (next) => {
      const key = token !== null && strikes(faults, 'repeat_token', random) ? token : `cursor-${random.hex(8)}`;
      if (key !== token) walks.set(key, next);
      return key;
    });
    noteAccess(api, call);
    return answer;
  };
}
