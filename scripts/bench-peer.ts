// The other side of the benchmark, in a process of its own: a vendor's audit API that serves `events` records in pages, and an HTTP Event
// Collector that reads bodies and forgets them. Prints its port on the first line of standard output.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const templates = readFileSync(new URL('../connectors/anaconda/samples.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, unknown>);

const firstTime = Date.parse('2026-11-20T10:00:00.000Z');
const spacingMs = 5;
let events = 0;
let received = 0;
let bytes = 0;

/** The n-th record: a sample with its own id and time; one in eight carries wide characters. */
function recordAt(index: number): string {
  const template = templates[index % templates.length] ?? {};
  const time = new Date(firstTime + index * spacingMs).toISOString().replace('Z', '000Z');
  const id = `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
  const message = `${String(template['message'])}${index % 8 === 0 ? ' 監査ログ' : ' Müller'}`;
  return JSON.stringify({ ...template, id, message, occurred_at: time, created_at: time });
}

function servePage(url: URL, response: ServerResponse): void {
  const offset = Number(url.searchParams.get('offset') ?? 0);
  const limit = Number(url.searchParams.get('limit') ?? 1000);
  const items = Array.from({ length: Math.max(0, Math.min(limit, events - offset)) }, (_, index) => recordAt(offset + index));
  response.setHeader('content-type', 'application/json').end(`{"items":[${items.join(',')}],"total_count":${events}}`);
}

async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  received += 1;
  response.setHeader('content-type', 'application/json').end('{"text":"Success","code":0}');
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname === '/api/audit-logs') servePage(url, response);
  else if (url.pathname === '/api/iam/token')
    response
      .setHeader('content-type', 'application/json')
      .end('{"access_token":"bench-token","expires_in":86400,"token_type":"bearer"}');
  else if (url.pathname === '/events') {
    events = Number(url.searchParams.get('count'));
    response.end();
  } else if (url.pathname === '/received') response.end(JSON.stringify({ received, bytes }));
  else void collect(request, response);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.once('disconnect', () => process.exit(0));
