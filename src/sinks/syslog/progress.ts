import type { Socket } from 'node:net';
import type { Files, Seams } from '../../base/seams.ts';
import { type Connection, stallMs } from './connection.ts';

const lookEveryMs = 10_000;

/**
 * Gives a connection up when the peer acknowledges no octet for {@link stallMs} although some are outstanding.
 *
 * Node sets no TCP_USER_TIMEOUT (https://github.com/nodejs/node/issues/52048), and keepalive rests while data is outstanding: without
 * this a peer that vanished would go unnoticed for about 15 minutes of retransmissions. Linux only; elsewhere the stalled write is the
 * one sign.
 */
export function watchProgress(
  connection: Connection,
  { clock, files }: Pick<Seams, 'clock' | 'files'>,
  isWaiting: () => boolean,
): void {
  let taken = -1;
  let since = clock.monotonic();
  let timer = clock.timer(lookEveryMs, () => void look());
  const look = async (): Promise<void> => {
    const outstanding = isWaiting() ? ((await outstandingBytes(connection.socket, files)) ?? 0) : 0;
    if (!connection.isOpen) return;
    const takenNow = connection.socket.bytesWritten - outstanding;
    if (outstanding === 0 || takenNow > taken) since = clock.monotonic();
    taken = takenNow;
    if (clock.monotonic() - since >= stallMs) connection.abandon(`the receiver acknowledged nothing for ${stallMs / 1000} s`);
    else timer = clock.timer(lookEveryMs, () => void look());
  };
  void connection.ended.then(() => timer[Symbol.dispose]());
}

/**
 * Octets that this machine's kernel keeps until the peer's acknowledges them, from `/proc/net/tcp`; undefined where that cannot be read.
 *
 * Node does not expose TCP_INFO (https://github.com/nodejs/node/issues/52048), and what it calls written is only copied to the kernel.
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
