import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

/** One request as a receiver saw it; `text` is the body after decompression. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly text: string;
}

/** What a receiver answers: a reply, or full control over the response. */
export type Reply =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string | string[]>> }
  | ((response: ServerResponse, request: IncomingMessage) => void);

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly seen: Seen[];
}

/** A real HTTP(S) server on a free loopback port that answers as told. */
export async function openReceiver(answer: (request: Seen, count: number) => Reply, tls?: ServerOptions): Promise<Receiver> {
  const seen: Seen[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = unpack(bytes, request.headers['content-encoding']);
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, bytes, text };
      seen.push(one);
      const reply = answer(one, seen.length);
      if (typeof reply === 'function') return reply(response, request);
      response.writeHead(reply.status, reply.headers);
      response.end(reply.body === undefined || typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
    });
  };
  const server: Server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function unpack(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === 'gzip') return gunzipSync(bytes).toString('utf8');
  if (encoding === 'zstd') return zstdDecompressSync(bytes).toString('utf8');
  return bytes.toString('utf8');
}
