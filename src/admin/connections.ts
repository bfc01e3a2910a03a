import type { Server } from 'node:http';
import type { Socket } from 'node:net';

// Of an encrypted connection, requests carry another object than the one that was accepted; both know the same port.
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/**
 * Keeps a TCP server from being filled up: beyond `most` connections, the one that has been idle for the longest is closed, and where all are
 * at work the oldest. Whoever opens hundreds and says nothing takes no place from those who ask.
 */
export function boundConnections(server: Server, most: number): void {
  // In the order in which they last did something.
  const open = new Map<string, Socket>();
  const working = new Set<string>();
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    open.set(name, socket);
    socket.once('close', () => {
      open.delete(name);
      working.delete(name);
    });
    if (open.size <= most) return;
    const names = [...open.keys()];
    open.get(names.find((one) => !working.has(one)) ?? names[0] ?? '')?.destroy();
  });
  server.on('request', ({ socket }, response) => {
    const name = nameOf(socket);
    working.add(name);
    response.once('close', () => {
      working.delete(name);
      const accepted = open.get(name);
      if (accepted === undefined) return;
      open.delete(name);
      open.set(name, accepted);
    });
  });
}
