import type { Socket } from 'node:net';
import type { Files, Seams } from '../../base/seams.ts';
import { type Connection, stallMs } from './connection.ts';

const lookEveryMs = 10_000;

/**
 * Gives a connection up when the peer acknowledges no octet for {@link stallMs} although some are outstanding.
 *
 * Node tells no TCP_INFO and sets no TCP_USER_TIMEOUT (https://github.com/nodejs/node/issues/52048), and keepalive rests while data is
 * outstanding: without this a peer that vanished would go unnoticed for about 15 minutes of retransmissions. Linux only; elsewhere the
 * stalled write is the one sign.
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
    const outstanding = isWaiting() ? ((await unacknowledged(connection.socket, files)) ?? 0) : 0;
    if (!connection.isOpen) return;
    const takenNow = connection.socket.bytesWritten - outstanding;
    if (outstanding === 0 || takenNow > taken) since = clock.monotonic();
    taken = takenNow;
    if (clock.monotonic() - since >= stallMs) connection.abandon(`the receiver acknowledged nothing for ${stallMs / 1000} s`);
    else timer = clock.timer(lookEveryMs, () => void look());
  };
  void connection.ended.then(() => timer[Symbol.dispose]());
}

/** Octets that the kernel keeps until the peer acknowledges them, from `/proc/net/tcp`; undefined where that cannot be read. */
async function unacknowledged(socket: Socket, files: Pick<Files, 'readFile'>): Promise<number | undefined> {
  const { localPort, remotePort } = socket;
  if (process.platform !== 'linux' || localPort === undefined || remotePort === undefined) return undefined;
  const row = new RegExp(`^\\s*\\d+: \\w+:${hex(localPort)} \\w+:${hex(remotePort)} \\w+ (\\w+):`, 'm');
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    // Where there is no such table there is nothing to learn from it.
    const text = await files.readFile(table, 'utf8').catch(() => '');
    const queue = row.exec(text)?.[1];
    if (queue !== undefined) return Number.parseInt(queue, 16);
  }
  return undefined;
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
