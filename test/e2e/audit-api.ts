import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AuditRecord {
  readonly id: string;
  readonly occurred_at: string;
  readonly event_type: string;
  readonly [field: string]: unknown;
}

/** A small audit log API in the shape that the connector template reads: `GET /v1/orgs/ORG/audit-log?since&until`. */
export interface AuditApi extends AsyncDisposable {
  readonly origin: string;
  /** What it has; may be added to. */
  readonly records: AuditRecord[];
  /** Requests so far, by organization. */
  readonly asked: Map<string, number>;
}

export interface AuditApiSettings {
  /** Answers a request in another way; true when it did. */
  readonly instead?: (org: string, request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Starts the API on a free port; every organization sees the same records. */
export async function startAuditApi(records: readonly AuditRecord[], settings: AuditApiSettings = {}): Promise<AuditApi> {
  const all = [...records];
  const asked = new Map<string, number>();
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const org = url.pathname.split('/')[3] ?? '';
    asked.set(org, (asked.get(org) ?? 0) + 1);
    if (settings.instead?.(org, request, response) === true) return;
    const [since, until] = [url.searchParams.get('since'), url.searchParams.get('until')].map((text) => Date.parse(text ?? ''));
    const data = all.filter(({ occurred_at }) => {
      const time = Date.parse(occurred_at);
      return time >= (since ?? 0) && time <= (until ?? 0);
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data, next_cursor: null }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    records: all,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
