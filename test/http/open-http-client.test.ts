import net from 'node:net';
import { setImmediate } from 'node:timers/promises';
import zlib from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import type { HttpClient, HttpRequest } from '../../src/http/client.ts';
import { openHttpClient } from '../../src/http/index.ts';
import { manualClock } from '../sinks/sink-bench.ts';
import { itInLongTests } from '../thorough.ts';
import { type Handler, listen, serve } from './servers.ts';

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function client(seams: Seams = systemSeams()): Promise<HttpClient> {
  const opened = await openHttpClient({ userAgent: 'penstock/test' }, seams, {});
  disposables.push(opened);
  return opened;
}

async function server(handler: Handler): Promise<string> {
  const listening = await serve(handler);
  disposables.push(listening);
  return `http://127.0.0.1:${listening.port}/`;
}

/** A server that answers with raw bytes, once per connection. */
async function rawServer(onSocket: (socket: net.Socket) => void): Promise<string> {
  const listening = await listen(net.createServer(onSocket));
  disposables.push(listening);
  return `http://127.0.0.1:${listening.port}/`;
}

const timeoutMs = 60_000;
const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url: new URL(url),
  timeoutMs,
  maxBytes: 1_000_000,
  ...more,
});
const faultOf = (promise: Promise<unknown>): Promise<Partial<PenstockError>> =>
  promise.then(
    () => ({ code: 'PEN_INTERNAL' as const, message: 'it resolved' }),
    (error: PenstockError) => ({ code: error.code, sent: error.sent }),
  );

describe('an exchange', () => {
  it('says of a time that is over how far the answer had come', async () => {
    const url = await server((request, response) => {
      if (request.url === '/silent') return;
      response.writeHead(200).flushHeaders();
      if (request.url === '/trickle') response.write('12345');
    });
    const http = await client();
    const said = (path: string): Promise<unknown> =>
      http
        .request(get(`${url}${path}`, { timeoutMs: 200 }))
        .catch((error: Error) => error.message.replace(url.slice(0, -1), 'ORIGIN'));

    expect(await Promise.all(['silent', 'headers', 'trickle'].map(said))).toEqual([
      'no whole answer from ORIGIN within 200 ms',
      'no whole answer from ORIGIN within 200 ms; its headers and 0 B came',
      'no whole answer from ORIGIN within 200 ms; its headers and 5 B came',
    ]);
  });

  it('sends method, headers and body, and returns status, headers and body', async () => {
    const seen: unknown[] = [];
    const url = await server((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        seen.push([request.method, request.url, request.headers['user-agent'], request.headers['x-a'], text]);
        response
          .writeHead(
            201,
            [
              ['Set-Cookie', 'a=1'],
              ['Set-Cookie', 'b=2'],
              ['X-B', '1'],
              ['X-B', '2'],
            ].flat(),
          )
          .end('hello');
      });
    });

    const answer = await (await client()).request(
      get(`${url}a?b=c%20d`, { method: 'POST', headers: { 'X-A': 'yes' }, body: 'text' }),
    );

    expect(seen).toEqual([['POST', '/a?b=c%20d', 'penstock/test', 'yes', 'text']]);
    expect({
      status: answer.status,
      cookie: answer.headers['set-cookie'],
      b: answer.headers['x-b'],
      body: answer.body.toString(),
    }).toEqual({
      status: 201,
      cookie: 'a=1\nb=2',
      b: '1, 2',
      body: 'hello',
    });
  });

  it('does not follow a redirect', async () => {
    const url = await server((_request, response) => response.writeHead(302, { location: '/elsewhere' }).end());

    const answer = await (await client()).request(get(url));

    expect([answer.status, answer.headers['location']]).toEqual([302, '/elsewhere']);
  });

  it.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['br', zlib.brotliCompressSync],
    ['zstd', zlib.zstdCompressSync],
    ['gzip, br', (text: string): Buffer => zlib.brotliCompressSync(zlib.gzipSync(text))],
    ['UTF-8', (text: string): Buffer => Buffer.from(text)],
    ['none', (text: string): Buffer => Buffer.from(text)],
    ['gzip, utf-8', zlib.gzipSync],
  ])('decompresses %s', async (encoding, compress) => {
    const url = await server((_request, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(compress('[1,2,3]')),
    );

    const answer = await (await client()).request(get(url));

    expect(answer.body.toString()).toBe('[1,2,3]');
  });

  const frames = Buffer.concat([zlib.zstdCompressSync('[1,'), zlib.zstdCompressSync('2,'), zlib.zstdCompressSync('3]')]);
  const members = Buffer.concat([zlib.gzipSync('[1,'), zlib.gzipSync('2,3]')]);

  const streams = (compress: (text: string) => Buffer): Buffer =>
    Buffer.concat(['[1,', '2,', '3]'].map((part) => compress(part)));

  it.each([
    ['zstd of several frames', 'zstd', frames],
    ['gzip of several members', 'gzip', members],
    ['br of several streams', 'br', streams(zlib.brotliCompressSync)],
    ['deflate of several streams', 'deflate', streams(zlib.deflateSync)],
    ['raw deflate of several streams', 'deflate', streams(zlib.deflateRawSync)],
    ['deflate with a line end behind it', 'deflate', Buffer.concat([zlib.deflateSync('[1,2,3]'), Buffer.from('\r\n')])],
    ['zstd that zeros fill up', 'zstd', Buffer.concat([frames, Buffer.alloc(64)])],
    ['a file of gzip', undefined, members],
    ['a file of zstd', undefined, frames],
    ['a file of gzip that travels compressed again', 'gzip', zlib.gzipSync(members)],
    ['gzip in quotes', '"gzip"', members],
    ['gzip that is said to be br', 'br', members],
    ['zstd that is said to be deflate', 'deflate', zlib.zstdCompressSync('[1,2,3]')],
    ['a file of gzip that was uploaded in chunks', 'aws-chunked', members],
    ['gzip after the name of no encoding', 'gzip, aws-chunked', members],
  ])('reads %s whole', async (_name, encoding, body) => {
    const headers = encoding === undefined ? {} : { 'content-encoding': encoding };
    const url = await server((_request, response) => response.writeHead(200, headers).end(body));

    const answer = await (await client()).request(get(url));

    expect(answer.body.toString()).toBe('[1,2,3]');
  });

  it('takes as many headers as gateways add', async () => {
    const headers = { 'set-cookie': Array.from({ length: 25 }, (_none, n) => `c${n}=${'x'.repeat(4000)}`) };
    const url = await server((_request, response) => response.writeHead(200, headers).end('ok'));

    expect((await (await client()).request(get(url))).body.toString()).toBe('ok');
  });

  it.each([
    ['gzip', '{"who":"Zo\u00eb"}'],
    ['zstd', '[1,2,3]'],
    ['deflate', 'xa,b\n1,2\n'],
    ['deflate', '{"a":1}'],
    ['br', '{"a":1}'],
    ['br, gzip', '\ufeff[]'],
    ['gzip', ' '],
    ['aws-chunked', '[]'],
    ['application/json', '[]'],
    ['compress', '[]'],
  ])('takes a text that is said to be %s for what it is: %s', async (encoding, text) => {
    const url = await server((_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(text));

    const answer = await (await client()).request(get(url));

    expect(answer.body.toString()).toBe(text);
  });

  it.each([
    ['a file of zstd that was cut off', undefined, frames.subarray(0, -4)],
    ['zstd with other bytes behind it', 'zstd', Buffer.concat([frames, Buffer.from('junk')])],
    ['br whose last stream was cut off', 'br', streams(zlib.brotliCompressSync).subarray(0, -2)],
    ['deflate whose last stream was cut off', 'deflate', streams(zlib.deflateSync).subarray(0, -2)],
    ['a file of gzip that was cut off', undefined, members.subarray(0, -4)],
    ['an unknown encoding', 'exi', Buffer.from([0x80, 0x01])],
    ['damaged gzip', 'gzip', Buffer.concat([zlib.gzipSync('[1,2,3]').subarray(0, 10), Buffer.from('not gzip at all')])],
    ['gzip without its first bytes', 'gzip', zlib.gzipSync('[1,2,3]').subarray(2)],
    ['gzip cut off', 'gzip', zlib.gzipSync('x'.repeat(1000)).subarray(0, 15)],
  ])('refuses %s', async (_name, encoding, body) => {
    const headers = encoding === undefined ? {} : { 'content-encoding': encoding };
    const url = await server((_request, response) => response.writeHead(200, headers).end(body));

    const fault = await faultOf((await client()).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_BAD_BODY', sent: true });
  });
});

describe('a body that is compressed over and over', () => {
  const wrapped = (times: number): Buffer => {
    let body: Buffer = Buffer.from('[1,2,3]');
    for (let time = 0; time < times; time += 1) body = zlib.gzipSync(body);
    return body;
  };
  const asked = async (encoding: string, body: Buffer) => {
    const url = await server((_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body));
    return (await client()).request(get(url));
  };

  it('is read up to three times over, and refused beyond', async () => {
    const answer = await asked('gzip, gzip, gzip', wrapped(3));
    const fault = await faultOf(asked('gzip, gzip, identity, gzip, gzip', wrapped(4)));

    expect(answer.body.toString()).toBe('[1,2,3]');
    expect(fault).toEqual({ code: 'PEN_HTTP_BAD_BODY', sent: true });
  });

  itInLongTests('is refused after ten thousand frames, each of which needs a decoder', async () => {
    const frames = (count: number): Buffer => Buffer.concat(Array<Buffer>(count).fill(zlib.zstdCompressSync('')));

    const answer = await asked('zstd', frames(10_000));
    const fault = await faultOf(asked('zstd', frames(10_001)));

    expect(answer.body.length).toBe(0);
    expect(fault).toEqual({ code: 'PEN_HTTP_BAD_BODY', sent: true });
  });
});

describe('caps', () => {
  it('cuts a 200 MB body off without holding it', async () => {
    let written = 0;
    const url = await server((_request, response) => {
      const chunk = Buffer.alloc(1_000_000);
      const write = (): void => {
        if (response.destroyed || written >= 200_000_000) return;
        written += chunk.length;
        response.write(chunk, write);
      };
      write();
    });

    const fault = await faultOf((await client()).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_TOO_LARGE', sent: true });
    expect(written).toBeLessThan(50_000_000);
  });

  it('refuses an announced length above the cap', async () => {
    const url = await server((_request, response) => response.writeHead(200, { 'content-length': '5000000' }).write('x'));

    const fault = await faultOf((await client()).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_TOO_LARGE', sent: true });
  });

  it.each([
    ['gzip', zlib.gzipSync],
    ['br', zlib.brotliCompressSync],
    ['zstd', zlib.zstdCompressSync],
  ])('refuses a %s bomb', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(50_000_000));
    const url = await server((_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(bomb));

    const fault = await faultOf((await client()).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_TOO_LARGE', sent: true });
  });
});

describe('time', () => {
  it('gives up on a server that sends headers and stalls', async () => {
    // Its time is over once the request is there, however long that took: it was sent then.
    const { seams, advance } = manualClock();
    const url = await server((_request, response) => response.writeHead(200).write('x', () => advance(timeoutMs)));

    const fault = await faultOf((await client(seams)).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_TIMEOUT', sent: true });
  });

  it('gives up on a server that trickles one byte at a time', async () => {
    const { seams, advance } = manualClock();
    const url = await server((_request, response) => {
      const timer = setInterval(() => response.write('x', () => advance(timeoutMs / 4)), 5);
      response.on('close', () => clearInterval(timer));
    });

    const fault = await faultOf((await client(seams)).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_TIMEOUT', sent: true });
  });

  it("rejects with the signal's own reason", async () => {
    const controller = new AbortController();
    const reason = new Error('shutting down');
    const url = await server(() => controller.abort(reason));

    const pending = (await client()).request(get(url, { signal: controller.signal }));

    await expect(pending).rejects.toBe(reason);
  });

  it('never sends a request that was given up while it queued', async () => {
    let requests = 0;
    const { promise: held, resolve: hold } = Promise.withResolvers<() => void>();
    const url = await server((_request, response) => {
      requests += 1;
      if (requests > 1) response.end('ok');
      else hold(() => response.end('ok'));
    });
    const http = await openHttpClient({ userAgent: 'x', connections: 1 }, systemSeams(), {});
    disposables.push(http);

    const first = http.request(get(url));
    const fault = await faultOf(http.request(get(url, { timeoutMs: 50 })));
    (await held)();
    await first;
    await http.request(get(url));

    expect(fault).toEqual({ code: 'PEN_HTTP_TIMEOUT', sent: false });
    expect(requests).toBe(2);
  });
});

describe('a broken connection', () => {
  it('is unreachable and unsent when nobody listens', async () => {
    const listening = await serve(() => undefined);
    await listening[Symbol.asyncDispose]();

    const fault = await faultOf((await client()).request(get(`http://127.0.0.1:${listening.port}/`)));

    expect(fault).toEqual({ code: 'PEN_HTTP_UNREACHABLE', sent: false });
  });

  it.each(['https://api.example.com/', 'http://api.example.com/'])(
    'names the proxy that nobody listens at, for %s',
    async (url) => {
      const listening = await serve(() => undefined);
      await listening[Symbol.asyncDispose]();
      const proxy = `http://127.0.0.1:${listening.port}`;
      await using http = await openHttpClient({ userAgent: 'x', proxy }, systemSeams(), {});

      const said = await http.request(get(url)).catch((error: unknown) => (error as Error).message);

      expect(said).toContain(`no connection to the proxy ${proxy}: `);
    },
  );

  it.each([
    ['before any byte of the answer', ''],
    ['in the middle of a body', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'],
    ['in the middle of a chunked body', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'],
  ])('is a reset that may have been sent %s', async (_name, bytes) => {
    const url = await rawServer((socket) => socket.once('data', () => socket.write(bytes, () => socket.resetAndDestroy())));

    const fault = await faultOf((await client()).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_RESET', sent: true });
  });

  it('is a reset that may have been sent on a stale keep-alive socket, and is not tried again', async () => {
    let connections = 0;
    const url = await rawServer((socket) => {
      connections += 1;
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok');
        socket.once('data', () => socket.resetAndDestroy());
      });
    });
    const http = await client();

    await http.request(get(url));
    // undici frees the connection after it has told us of the answer.
    await setImmediate();
    const fault = await faultOf(http.request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_RESET', sent: true });
    expect(connections).toBe(1);
  });

  it('says so when the answer is not HTTP', async () => {
    const url = await rawServer((socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n')));

    const fault = await faultOf((await client()).request(get(url)));

    expect(fault).toEqual({ code: 'PEN_HTTP_BAD_BODY', sent: true });
  });

  it('refuses a header value with a line break without quoting it', async () => {
    const url = await server((_request, response) => response.end());

    const error = await (await client())
      .request(get(url, { headers: { authorization: 'Bearer s3cret\nx' } }))
      .catch((caught: PenstockError) => caught);

    expect(error).toMatchObject({ code: 'PEN_CONFIG_INVALID', sent: false });
    expect((error as PenstockError).message).not.toContain('s3cret');
  });
});
