// The other side of the benchmark, in a process of its own: a vendor's audit API that serves records by time window and page, and an HTTP
// Event Collector that reads bodies and forgets them. Prints its port on the first line of standard output.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const templates = readFileSync(new URL('../connectors/anaconda/samples.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, unknown>);

/** What there is to collect: `count` records from `first` on, one every `spacingMs`. */
interface Feed {
  readonly first: number;
  readonly spacingMs: number;
  readonly count: number;
}

let feed: Feed = { first: 0, spacingMs: 5, count: 0 };
/** Other records, below `/warm`: what a phase does first. */
const warmFeed: Feed = { first: Date.parse('2026-11-20T10:00:00.000Z'), spacingMs: 7, count: 20_000 };
let pages = new Map<string, Buffer>();
let received = 0;
let bytes = 0;
let firstPollAt = 0;

/** The n-th record: a sample with its own id and time; one in eight carries wide characters. */
function recordAt(feed: Feed, index: number): string {
  const template = templates[index % templates.length] ?? {};
  const time = new Date(feed.first + index * feed.spacingMs).toISOString().replace('Z', '000Z');
  const id = `00000000-0000-4000-${feed === warmFeed ? '9' : '8'}000-${index.toString(16).padStart(12, '0')}`;
  const message = `${String(template['message'])}${index % 8 === 0 ? ' 監査ログ' : ' Müller'}`;
  return JSON.stringify({ ...template, id, message, occurred_at: time, created_at: time });
}

/** The records of a page, made once: what the vendor costs is none of our business. */
function pageOf(feed: Feed, from: number, to: number, total: number): Buffer {
  const key = `${feed === warmFeed} ${from} ${to} ${total}`;
  const known = pages.get(key);
  if (known !== undefined) return known;
  const items = Array.from({ length: Math.max(0, to - from) }, (_, index) => recordAt(feed, from + index));
  const page = Buffer.from(`{"items":[${items.join(',')}],"total_count":${total}}`);
  pages.set(key, page);
  return page;
}

function servePage(feed: Feed, url: URL, response: ServerResponse): void {
  firstPollAt ||= Date.now();
  const bound = (name: string, otherwise: number): number =>
    url.searchParams.has(name) ? Date.parse(url.searchParams.get(name) ?? '') : otherwise;
  const { first, spacingMs, count } = feed;
  const begin = Math.max(0, Math.ceil((bound('from_date', first) - first) / spacingMs));
  const end = Math.max(begin, Math.min(count, Math.floor((bound('to_date', Date.now()) - first) / spacingMs) + 1));
  const from = begin + Number(url.searchParams.get('offset') ?? 0);
  const to = Math.min(end, from + Number(url.searchParams.get('limit') ?? 1000));
  response.setHeader('content-type', 'application/json').end(pageOf(feed, from, to, end - begin));
}

/** `/feed?first=&spacing=&count=` says what there is from now on, and makes the pages of a bounded one. */
function setFeed(url: URL, response: ServerResponse): void {
  const number = (name: string): number => Number(url.searchParams.get(name));
  feed = { first: number('first'), spacingMs: number('spacing'), count: number('count') };
  pages = new Map();
  received = 0;
  bytes = 0;
  firstPollAt = 0;
  if (url.searchParams.has('prepare'))
    for (let from = 0; from < feed.count; from += 1000) pageOf(feed, from, Math.min(feed.count, from + 1000), feed.count);
  response.end();
}

async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  received += 1;
  response.setHeader('content-type', 'application/json').end('{"text":"Success","code":0}');
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname === '/api/audit-logs') servePage(feed, url, response);
  else if (url.pathname === '/warm/api/audit-logs') servePage(warmFeed, url, response);
  else if (url.pathname === '/api/iam/token')
    response
      .setHeader('content-type', 'application/json')
      .end('{"access_token":"bench-token","expires_in":86400,"token_type":"bearer"}');
  else if (url.pathname === '/feed') setFeed(url, response);
  else if (url.pathname === '/seen') response.end(JSON.stringify({ received, bytes, firstPollAt }));
  else void collect(request, response);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.once('disconnect', () => process.exit(0));
