// Real servers for tests: loopback only, free ports only.
import http from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';

export interface Listening extends AsyncDisposable {
  readonly port: number;
}

/** Listens on a free loopback port; disposing cuts every connection. */
export async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** A plain HTTP server. */
export const serve = (handler: Handler): Promise<Listening> => listen(http.createServer(handler));

export interface ConnectProxy extends Listening {
  /** Request lines that it saw, each with the Proxy-Authorization header. */
  readonly seen: string[];
}

/** A small forward proxy: CONNECT for TLS, absolute URLs for the rest; wants `user:pass` when `credentials` is set. */
export async function openProxy(credentials?: string): Promise<ConnectProxy> {
  const seen: string[] = [];
  const expected = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
  const isAllowed = (request: http.IncomingMessage): boolean =>
    expected === undefined || request.headers['proxy-authorization'] === expected;
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (!isAllowed(request)) {
      response.writeHead(407).end();
      return;
    }
    const target = new URL(request.url ?? '');
    http.get(
      { host: '127.0.0.1', port: target.port, path: target.pathname, headers: { host: request.headers.host } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502);
        answer.pipe(response);
      },
    );
  });
  server.on('connect', (request, client: Socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (!isAllowed(request)) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const upstream = net.connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy()).on('error', () => upstream.destroy());
  });
  return Object.assign(await listen(server), { seen });
}
