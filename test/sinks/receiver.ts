// A TCP or TLS server that records what it gets, connection by connection, and does only what the test tells it.
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

export interface Received {
  readonly socket: net.Socket;
  /** Everything received so far. */
  readonly bytes: () => Buffer;
  /** True once the peer ended its side (TLS: after close_notify). */
  readonly ended: () => boolean;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly connections: readonly Received[];
}

/** Listens on a free loopback port. `onSocket` may pause, destroy or answer. */
export async function listen(
  onSocket: (socket: net.Socket) => void = () => undefined,
  secure?: tls.TlsOptions,
  port = 0,
  host = '127.0.0.1',
  allowHalfOpen = false,
): Promise<Receiver> {
  const connections: Received[] = [];
  const accept = (socket: net.Socket): void => {
    const chunks: Buffer[] = [];
    let ended = false;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      ended = true;
    });
    connections.push({ socket, bytes: () => Buffer.concat(chunks), ended: () => ended });
    onSocket(socket);
  };
  const server = secure === undefined ? net.createServer({ allowHalfOpen }, accept) : tls.createServer(secure, accept);
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Cuts octet-counted bytes into messages by RFC 6587; throws on anything else. */
export function uncount(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = bytes.toString('latin1', at, space);
    if (!/^[1-9]\d*$/.test(digits)) throw new Error(`no MSG-LEN at ${at}: ${bytes.toString('utf8', at, at + 20)}`);
    const end = space + 1 + Number(digits);
    if (end > bytes.length) throw new Error('the last message is torn');
    messages.push(bytes.toString('utf8', space + 1, end));
    at = end;
  }
  return messages;
}
