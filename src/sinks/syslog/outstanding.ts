import type { Socket } from 'node:net';
import type { Files } from '../../base/seams.ts';

/**
 * Octets that this machine's kernel keeps until the peer's acknowledges them, from `/proc/net/tcp`; undefined where that cannot be read.
 *
 * Node tells no TCP_INFO (https://github.com/nodejs/node/issues/52048), and what it calls written is only copied to the kernel.
 */
export async function outstandingBytes(socket: Socket, files: Pick<Files, 'readFile'>): Promise<number | undefined> {
  const { localPort, remotePort, remoteFamily } = socket;
  if (process.platform !== 'linux' || localPort === undefined || remotePort === undefined) return undefined;
  const row = new RegExp(`^\\s*\\d+: \\w+:${hex(localPort)} \\w+:${hex(remotePort)} \\w+ (\\w+):`, 'm');
  // Where there is no such table there is nothing to learn from it.
  const table = await files.readFile(remoteFamily === 'IPv6' ? '/proc/net/tcp6' : '/proc/net/tcp', 'utf8').catch(() => '');
  const queue = row.exec(table)?.[1];
  return queue === undefined ? undefined : Number.parseInt(queue, 16);
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
