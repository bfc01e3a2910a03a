// Real servers and certificates for tests: loopback only, free ports only.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

export interface Certificates extends Disposable {
  readonly folder: string;
  /** Path of a file: `ca.pem`, `localhost.pem`, `localhost.key`, `other.pem`, `client.pem`. */
  path(name: string): string;
  read(name: string): string;
}

/** A CA with certificates for `localhost`, `other.example` and a client; undefined when openssl is missing. */
export function makeCertificates(): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-certs-'));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  try {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test ca',
      '-days',
      '2',
    );
    for (const [name, subject, alt] of [
      ['localhost', 'localhost', 'DNS:localhost,IP:127.0.0.1'],
      ['other', 'other.example', 'DNS:other.example'],
      ['client', 'client', 'DNS:client'],
    ] as const) {
      openssl(
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${subject}`,
        '-addext',
        `subjectAltName=${alt}`,
      );
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
        '-days',
        '2',
        '-copy_extensions',
        'copy',
      );
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    read: (name) => readFileSync(path(name), 'utf8'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

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
