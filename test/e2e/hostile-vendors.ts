// Vendors that mean harm, each in its own way, in a process of their own: `node hostile-vendors.ts`, forked, prints its port. A source asks at
// `/<kind>`, or `/<kind>-2` for another one of that kind.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants, createGzip, gzipSync } from 'node:zlib';

interface Asked {
  readonly url: URL;
  readonly response: ServerResponse;
  readonly request: IncomingMessage;
  /** Requests of this kind so far. */
  readonly turn: number;
}

type Reply = (asked: Asked) => void;

const mb = 1_000_000;
const json = { 'content-type': 'application/json' };
const at = (): string => new Date().toISOString();
const page = (items: string, more = ''): string => `{"items":[${items}]${more}}`;

function send({ response }: Asked, body: string | Buffer, headers: Readonly<Record<string, string | string[]>> = json): void {
  response.writeHead(200, headers).end(body);
}

/** Made once: the vendor's own work is not what is tested. */
function always(make: () => string | Buffer, headers?: Readonly<Record<string, string>>): Reply {
  let made: Buffer | undefined;
  return (asked) => send(asked, (made ??= Buffer.from(make())), headers);
}

/** Records with ids that never come again, up to so many bytes. */
function fresh(recordBytes: number, bytes: number, around: (items: string[]) => string = (items) => page(items.join())): Reply {
  const pad = 'x'.repeat(Math.max(0, recordBytes - 90));
  return (asked) => {
    const time = at();
    const items = Array.from(
      { length: Math.ceil(bytes / recordBytes) },
      (_, n) => `{"id":"${asked.turn}-${n}","time":"${time}","action":"a","pad":"${pad}"}`,
    );
    send(asked, around(items));
  };
}

/** One record, whose member `text` is this. */
const record = (text: string, more = ''): string =>
  page(`{"id":"r-1","time":"2026-11-29T10:00:00Z","action":"a","text":${text}${more}}`);

/** The same chunk for as long as anybody listens. */
function endless({ response }: Asked, chunk: string | Buffer, begin = ''): void {
  response.writeHead(200, json);
  response.write(begin);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

function trickle({ response }: Asked, begin: string, everyMs: number): void {
  response.writeHead(200, json);
  response.write(begin);
  const timer = setInterval(() => response.write(' '), everyMs);
  response.on('close', () => clearInterval(timer));
}

/** 16 MB of a body, a byte at a time. */
function crumbs({ response }: Asked): void {
  response.writeHead(200, json);
  let left = 16 * mb;
  const more = (): void => {
    for (let n = 0; n < 2000 && left > 0; n += 1, left -= 1) response.write(' ');
    if (left <= 0) response.end('{}');
    else if (!response.destroyed) setImmediate(more);
  };
  more();
}

const zipped = (text: string | Buffer): Buffer => gzipSync(text, { level: 9 });
const gzip = { ...json, 'content-encoding': 'gzip' };
const repeated = (text: string, bytes: number): string => text.repeat(Math.ceil(bytes / text.length)).slice(0, -1);

function zippedWithoutEnd({ response }: Asked): void {
  response.writeHead(200, gzip);
  const stream = createGzip({ flush: constants.Z_SYNC_FLUSH });
  stream.pipe(response);
  stream.write(`{"items":[${'{},'.repeat(mb)}`);
}

const longRow = (columns: number, name: string): string => Array.from({ length: columns }, (_, n) => `${name}${n}`).join();

const replies: Readonly<Record<string, Reply>> = {
  // Bytes.
  huge: fresh(1000, 16 * mb),
  'huge-split': fresh(65_400, 16 * mb),
  'huge-over-split': fresh(65_700, 16 * mb),
  'huge-records': fresh(4 * mb, 16 * mb),
  'huge-tiny': fresh(80, 9 * mb),
  'endless-body': (asked) => endless(asked, 'x'.repeat(mb), '{"items":[{"pad":"'),
  'endless-blanks': (asked) => endless(asked, ' '.repeat(mb)),
  crumbs,
  trickle: (asked) => trickle(asked, '{"items":[', 200),
  'trickle-large': (asked) => trickle(asked, `{"items":[{"pad":"${'x'.repeat(15 * mb)}`, 200),
  // Compression.
  'bomb-objects': always(() => zipped(page(repeated('{},', 66 * mb))), gzip),
  'bomb-in-limit': always(() => zipped(page(repeated('{},', 15 * mb))), gzip),
  'bomb-zeros': always(() => zipped(Buffer.alloc(200 * mb, ' ')), gzip),
  'bomb-twice': always(() => zipped(zipped(page(repeated('{"id":1},', 15 * mb)))), { ...json, 'content-encoding': 'gzip, gzip' }),
  'gzip-cut': always(() => zipped(page(repeated('{"id":1},', mb))).subarray(0, 500), gzip),
  'gzip-open': zippedWithoutEnd,
  // JSON.
  deep: always(() => record(`${'['.repeat(4 * mb)}1${']'.repeat(4 * mb)}`)),
  'deep-objects': always(() => record(`${'{"a":'.repeat(2 * mb)}1${'}'.repeat(2 * mb)}`)),
  'deep-open': always(() => `{"items":${'['.repeat(15 * mb)}`),
  numbers: always(() => record(Array.from({ length: 40 }, () => `0.1${'0'.repeat(200_000)}1`).join(',"n":'))),
  'number-one': always(() => record(`1${'0'.repeat(15 * mb)}`)),
  exponents: always(() => record(`[${repeated('1e400,', 10 * mb)}]`)),
  backslashes: always(() => record(`"password${'\\\\'.repeat(6 * mb)}"`)),
  quotes: always(() => record(`"password\\":\\"${'\\\\\\"'.repeat(3 * mb)}"`)),
  escapes: always(() => record(`"${'\\u0000'.repeat(2 * mb)}"`)),
  mended: always(() => record(`"${'\\x'.repeat(6 * mb)}"`)),
  control: always(() => record(`"${'\u0001'.repeat(10 * mb)}"`)),
  keys: always(() => record('1', `,"${'k'.repeat(15 * mb)}":1`)),
  'many-keys': always(() => record('1', Array.from({ length: mb }, (_, n) => `,"k${n}":1`).join(''))),
  'same-keys': always(() => record('1', repeated(',"k":1', 12 * mb))),
  lists: always(() => page(repeated('[[],[]],', 15 * mb))),
  'not-utf8': always(() => Buffer.concat([Buffer.from('{"items":["'), Buffer.alloc(15 * mb, 0xff), Buffer.from('"]}')])),
  html: always(() => `<!doctype html>${'<p>'.repeat(5 * mb)}`, { 'content-type': 'text/html' }),
  blanks: always(() => ' '.repeat(15 * mb)),
  // Tables and lines.
  'csv-wide': always(() => `id,time,action,${longRow(mb, 'c')}\n1,2,3\n`),
  'csv-rows': ({ turn, ...asked }) =>
    send(
      { turn, ...asked },
      `id,time,action,text\n${Array.from({ length: 90_000 }, (_, n) => `${turn}-${n},${at()},a,${'x'.repeat(100)}`).join('\n')}\n`,
    ),
  'csv-cells': always(() => `id,time,action\n${longRow(1000, 'c')}\n`.repeat(1) + `${longRow(2000, '')}\n`.repeat(1500)),
  'csv-quote': always(() => `id,time,action\n1,2,"${'a""'.repeat(5 * mb)}`),
  'csv-quotes': always(() => `id,time,action\n${'1,2,"a"b\n'.repeat(mb)}`),
  'ndjson-line': always(() => `{"id":1,"time":1,"action":"a","text":"${'x'.repeat(15 * mb)}"}\n`),
  'ndjson-rows': fresh(160, 14 * mb, (items) => items.join('\n')),
  'ndjson-bad': always(() => '{"id":1,\n'.repeat(mb)),
  'ndjson-blank': always(() => '\n'.repeat(15 * mb)),
  // Cursors and links.
  cursor: (asked) => send(asked, page('', `,"next":"${'c'.repeat(8 * mb)}"`)),
  'cursor-new': (asked) => send(asked, page('{"id":1,"time":1,"action":"a"}', `,"next":"${asked.turn}-${'c'.repeat(30_000)}"`)),
  'cursor-quick': (asked) => send(asked, page(`{"id":"${asked.turn}","time":"${at()}","action":"a"}`, `,"next":"${asked.turn}"`)),
  'link-huge': (asked) => send(asked, page('{"id":1,"time":1,"action":"a"}', `,"link":"/link-huge?${'a&'.repeat(4 * mb)}"`)),
  'link-quick': (asked) => send(asked, page('{"id":1,"time":1,"action":"a"}', `,"link":"//link-quick/..//${asked.turn}"`)),
  'link-header': (asked) => send(asked, page(''), { ...json, link: Array.from({ length: 3 }, () => '<'.repeat(4000)) }),
  headers: (asked) =>
    send(asked, page(''), {
      ...json,
      ...Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`x-h${n}`, 'a'])),
      'retry-after': '9'.repeat(300),
    }),
  'headers-endless': ({ response, request }) => {
    response.on('error', () => undefined);
    const more = (): void => {
      if (!request.socket.destroyed && request.socket.write(`x-h: ${'a'.repeat(8000)}\r\n`)) setImmediate(more);
      else request.socket.once('drain', more);
    };
    request.socket.write('HTTP/1.1 200 OK\r\n');
    more();
  },
  // Times.
  'time-long': always(() => page(repeated(`{"id":1,"time":"${'2'.repeat(60_000)}","action":"a"},`, 15 * mb))),
  'time-blanks': always(() => page(repeated(`{"id":1,"time":"Sat, 28 ${' '.repeat(60_000)}Nov","action":"a"},`, 15 * mb))),
  'time-far': (asked) => send(asked, page(`{"id":"${asked.turn}","time":1e308,"action":"a"},{"id":2,"time":-9e15,"action":"a"}`)),
  // Files that nobody says to be compressed.
  'file-bomb': always(() => zipped(page(repeated('{},', 15 * mb)))),
  'file-zeros': always(() => zipped(zipped(Buffer.alloc(100 * mb)))),
  // Tokens.
  'oauth-huge': always(() => `{"access_token":"${'t'.repeat(15 * mb)}","expires_in":1}`),
  'oauth-deep': always(() => `{"access_token":${'['.repeat(mb)}`),
  'oauth-number': always(() => `{"access_token":"t","expires_in":0.1${'0'.repeat(400_000)}1}`),
  'oauth-trickle': (asked) => trickle(asked, '{"access_token":"', 200),
  'oauth-new': (asked) => send(asked, `{"access_token":"t${asked.turn}","expires_in":0}`),
  // Details of records, of which a list has a hundred new ones each time.
  'detail-huge': always(() => `{"more":"${'d'.repeat(4 * mb - 100)}"}`),
  'detail-deep': always(() => `{"more":${'[['.repeat(mb)}1${']]'.repeat(mb)}}`),
  'detail-hung': () => undefined,
  'detail-keys': always(() => `{${repeated('"k":1,', mb)}}`),
  // Lists of groups.
  'group-many': (asked) => send(asked, page(Array.from({ length: 90_000 }, (_, n) => `{"id":"${asked.turn}-${n}"}`).join())),
  'group-huge': always(() => page(`{"id":"${'g'.repeat(15 * mb)}"}`)),
  'group-deep': always(() => page(`{"id":"1","more":${'['.repeat(5 * mb)}`)),
  // Logs that are followed by their cursor.
  'log-quick': (asked) => send(asked, page(`{"id":"${asked.turn}","time":"${at()}","action":"a"}`, `,"next":"${asked.turn}"`)),
  'log-same': (asked) => send(asked, page('{"id":"1","time":1,"action":"a"}', `,"next":"${asked.turn % 7}"`)),
  'log-huge': fresh(1000, 12 * mb, (items) => page(items.join(), `,"next":"${Math.random()}"`)),
  // Refusals, and none at all.
  'error-body': ({ response }) => void response.writeHead(400, json).end(`{"error":"${'password=\\" '.repeat(80_000)}"}`),
  'error-huge': ({ response }) => void response.writeHead(500, json).end('x'.repeat(15 * mb)),
  throttled: ({ response }) => void response.writeHead(429, { 'retry-after': '0' }).end(),
  hung: () => undefined,
  reset: ({ request }) => request.socket.resetAndDestroy(),
  'reset-later': ({ response, request }) => {
    response.writeHead(200, json).write('{"items":['.padEnd(8 * mb), () => request.socket.resetAndDestroy());
  },
};

/** What the vendors answer before, or behind, what is hostile. */
const plain: Readonly<Record<string, Reply>> = {
  list: fresh(100, 10_000),
  page: always(() => page('')),
};

/** What a source may be given as its vendor. */
export const hostileKinds: readonly string[] = Object.keys(replies);

function serve(): void {
  const turns = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = new URL(`http://localhost/${(request.url ?? '').replace(/^\/+/, '')}`);
    const [, kind = ''] = url.pathname.split('/');
    const turn = (turns.get(kind) ?? 0) + 1;
    turns.set(kind, turn);
    response.on('error', () => undefined);
    const reply = replies[kind.replace(/-\d+$/, '')] ?? plain[kind];
    if (reply === undefined) response.writeHead(404).end();
    else reply({ url, request, response, turn });
  });
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
  process.on('disconnect', () => process.exit(0));
}

if (import.meta.main) serve();
