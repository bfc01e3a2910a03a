import type { Clock } from '../base/clock.ts';
import { type Random, uuid } from '../base/random.ts';
import { type Faults, strikes } from './faults.ts';
import type { RecordMaker, Row, VendorLog } from './vendor-log.ts';
import type { Answer, Call } from './vendor-server.ts';

/** Credentials and names that the simulated organization knows. */
export const anacondaTenant = {
  orgId: '7d0c2b1e-5e0f-4c53-8a57-2b6f2f9b1c90',
  clientId: 'penstock-simulated',
  clientSecret: 'simulated-client-secret',
} as const;

const pythonTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

/** A record in the documented shape of the Audit Logs API. */
export const makeAnacondaRecord: RecordMaker = (template, { id, occurredAt, createdAt }) => ({
  ...template,
  id,
  org_id: anacondaTenant.orgId,
  occurred_at: occurredAt === null ? null : pythonTime(occurredAt),
  created_at: pythonTime(createdAt),
});

const refused = (status: number, detail: unknown): Answer => ({ status, body: { detail } });
const bad = (field: string, message: string): Answer =>
  refused(422, [{ loc: ['query', field], msg: message, type: 'value_error' }]);

interface Api {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly log: VendorLog;
  /** Life of an access token, milliseconds. */
  readonly tokenLifeMs: number;
}

function inWindow(rows: readonly Row[], from: string | null, to: string | null): Row[] {
  const low = from === null ? undefined : Date.parse(from);
  const high = to === null ? undefined : Date.parse(to);
  return rows.filter((row) => {
    if (low === undefined && high === undefined) return true;
    if (row.occurredAt === null) return false;
    return row.occurredAt >= (low ?? Number.NEGATIVE_INFINITY) && row.occurredAt <= (high ?? Number.POSITIVE_INFINITY);
  });
}

function sorted(rows: Row[], sort: string): Row[] {
  const descending = sort.startsWith('-');
  const time = (row: Row): number => (sort.includes('created_at') ? row.visibleAt : (row.occurredAt ?? Number.POSITIVE_INFINITY));
  rows.sort((a, b) => time(a) - time(b) || (a.id < b.id ? -1 : 1));
  return descending ? rows.reverse() : rows;
}

/** `GET /api/audit-logs`: inclusive bounds on occurred_at, offset paging, total_count (the published OpenAPI of the vendor). */
function list({ log, random, faults }: Api, { url, headers }: Call): Answer {
  if (headers['x-org-name'] === undefined)
    return refused(422, [{ loc: ['header', 'X-Org-Name'], msg: 'Field required', type: 'missing' }]);
  if (headers['x-org-name'] !== anacondaTenant.orgId) return refused(403, 'Not a member of this organization');
  const limit = Number(url.searchParams.get('limit') ?? 100);
  const offset = Number(url.searchParams.get('offset') ?? 0);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) return bad('limit', 'Input should be between 1 and 1000');
  if (!Number.isInteger(offset) || offset < 0) return bad('offset', 'Input should be greater than or equal to 0');
  const from = url.searchParams.get('from_date');
  if (offset > 0 && from !== null && strikes(faults, 'insert_between_pages', random)) log.insertBefore(Date.parse(from) + 60_000);
  const rows = inWindow(log.rows(), from, url.searchParams.get('to_date'));
  const page = sorted(rows, url.searchParams.get('sort') ?? '').slice(offset, offset + limit);
  const items = page.map((row) => (strikes(faults, 'unreadable', random) ? 'row could not be rendered' : row.record));
  return { status: 200, body: { items, total_count: rows.length } };
}

/** The simulated vendor: token endpoint and list call. */
export function anacondaApi(api: Api): (call: Call) => Answer {
  const tokens = new Map<string, number>();

  function mint({ body }: Call): Answer {
    const form = new URLSearchParams(body);
    if (form.get('grant_type') !== 'client_credentials') return { status: 400, body: { error: 'unsupported_grant_type' } };
    if (form.get('client_id') !== anacondaTenant.clientId || form.get('client_secret') !== anacondaTenant.clientSecret) {
      return { status: 401, body: { error: 'invalid_client', error_description: 'unknown client or wrong secret' } };
    }
    const token = uuid(api.random);
    tokens.set(token, api.clock.now() + api.tokenLifeMs);
    return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: Math.floor(api.tokenLifeMs / 1000) } };
  }

  return (call) => {
    if (call.url.pathname === '/api/iam/token' && call.method === 'POST') return mint(call);
    if (call.url.pathname !== '/api/audit-logs' || call.method !== 'GET') return refused(404, 'Not Found');
    const token = (call.headers.authorization ?? '').replace(/^Bearer /, '');
    const expires = tokens.get(token);
    if (expires === undefined || expires <= api.clock.now()) return refused(401, 'Token expired or unknown');
    if (strikes(api.faults, 'expired_token', api.random)) {
      tokens.delete(token);
      return refused(401, 'Token expired or unknown');
    }
    return list(api, call);
  };
}
