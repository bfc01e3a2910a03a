import type { Socket } from 'node:net';
import { sleep } from '../../base/clock.ts';
import type { Files, Seams } from '../../base/seams.ts';
import type { Batch, Pending, Sink, Verdict, Verdicts } from '../sink.ts';
import { type Connection, type Ending, stallMs, watchConnection } from './connection.ts';
import { dial, probeStream, verdictOfFailure } from './dial.ts';
import { nextSequence, withSequence } from './message.ts';
import type { SyslogAddress } from './options.ts';
import { openReplayWindow, type ReplayWindow } from './replay-window.ts';
import { isTooLarge, recycleMs, sharedOf, type Transport, tooLarge } from './transport.ts';

// Syslog over TCP and TLS: one connection at a time, each with its own replay window. Nothing acknowledges here, so a batch is pending
// until its window calls it sent; when the connection breaks, all that is still in the window is uncertain and comes again.

interface Line {
  readonly connection: Connection;
  readonly window: ReplayWindow;
  sequence: number;
}

/** Opens the sink for `tcp://` and `tls://`; connects with the first batch. */
export function openStreamSink(transport: Transport): Sink {
  const { address, options, context, trust, maxBytes } = transport;
  const framing: Framing = options.framing ?? (address.scheme === 'tls' ? 'octet_counting' : 'lf');
  const { clock } = context.seams;
  let line: Line | undefined;
  const open = new Set<Connection>();

  const connect = async (signal: AbortSignal): Promise<Line> => {
    if (line?.connection.isOpen === true && clock.monotonic() - line.connection.openedAt < recycleMs) return line;
    await line?.connection.close(signal);
    line = await openLine(transport, signal);
    const { connection } = line;
    open.add(connection);
    void connection.ended.then(() => open.delete(connection));
    return line;
  };
  const flush = async (signal?: AbortSignal): Promise<void> => {
    await line?.connection.close(signal);
    line = undefined;
  };

  return {
    ...sharedOf(transport),
    async send(batch, signal) {
      let current: Line;
      try {
        current = await connect(signal);
      } catch (error) {
        // Whatever it was, nothing of the batch has left.
        return { all: verdictOfFailure(error, address) };
      }
      return await transmit(current, batch, { framing, maxBytes, numbered: options.rfc === 5424 }, signal);
    },
    flush,
    reaches: (_, signal) => reaches(transport, signal),
    probe: (signal) => probeStream(address, trust, clock, signal),
    async [Symbol.asyncDispose]() {
      await flush();
      for (const connection of open) connection.abandon('the receiver did not close its side before the sink was closed');
    },
  };
}

// A receiver or balancer without anything behind it ends a connection as soon as it has it.
const keptMs = 1000;

/** True when a connection is taken, kept for a moment, and its end taken in peace, whether or not the receiver ends its own side then. */
async function reaches({ address, trust, context: { seams } }: Transport, signal: AbortSignal): Promise<boolean> {
  const { clock, files } = seams;
  const socket = await dial(address, trust, clock, signal);
  const connection = watchConnection(
    socket,
    clock,
    () => undefined,
    () => outstandingBytes(socket, files),
  );
  await Promise.race([sleep(clock, keptMs, signal).catch(() => undefined), connection.ended]);
  const ending = await connection.close(signal);
  connection.abandon('nothing more is asked');
  return ending?.clean ?? true;
}

async function openLine({ address, options, context, trust }: Transport, signal: AbortSignal): Promise<Line> {
  const { clock } = context.seams;
  const socket = await dial(address, trust, clock, signal);
  const outstanding = (): Promise<number | undefined> => outstandingBytes(socket, context.seams.files);
  let heard = false;
  const connection = watchConnection(
    socket,
    clock,
    (chunk) => {
      if (!heard)
        context.log.warn({ bytes: chunk.length }, 'the syslog receiver sent data, which plain syslog does not expect; ignored');
      heard = true;
    },
    outstanding,
  );
  const window = openReplayWindow(clock, options.resend_window, outstanding);
  watchProgress(connection, context.seams, () => window.unconfirmed > 0);
  void connection.ended.then((ending) => window.end(verdictOfEnding(ending, address)));
  return { connection, window, sequence: 0 };
}

function verdictOfEnding(ending: Ending, address: SyslogAddress): Verdict {
  if (ending.clean) return { kind: 'sent' };
  const verdict = verdictOfFailure(ending.error ?? new Error(ending.reason), address);
  return verdict.kind === 'retry' ? { ...verdict, kind: 'uncertain' } : verdict;
}

interface Form {
  readonly framing: Framing;
  readonly maxBytes: number;
  readonly numbered: boolean;
}

async function transmit(
  line: Line,
  batch: Batch,
  { framing, maxBytes, numbered }: Form,
  signal: AbortSignal,
): Promise<Verdicts | Pending> {
  const encoded = batch.encoded.texts();
  const fits = encoded.map((message) => !isTooLarge(message, maxBytes));
  let text = '';
  let messages = 0;
  for (const [index, message] of encoded.entries()) {
    if (fits[index] !== true) continue;
    messages += 1;
    line.sequence = nextSequence(line.sequence);
    text += frame(numbered ? withSequence(message, line.sequence) : message, framing);
  }
  const settled = line.window.add(messages, Buffer.byteLength(text));
  const verdicts = messages === encoded.length ? settled : settled.then((common) => each(common, batch, fits, maxBytes));
  const isWritten = await line.connection.write(text, signal);
  if (!isWritten) return await verdicts;
  await line.window.review();
  return { pending: verdicts };
}

function each(common: Verdicts, batch: Batch, fits: readonly boolean[], maxBytes: number): Verdicts {
  if (!('all' in common)) return common;
  return { each: fits.map((fit, index) => (fit ? common.all : tooLarge(batch.encoded.textAt(index), maxBytes))) };
}

type Framing = 'octet_counting' | 'lf';

/** One message in its frame (RFC 6587): octets and a space before it, or a line feed after it. */
export function frame(message: string, framing: Framing): string {
  return framing === 'lf' ? `${message}\n` : `${Buffer.byteLength(message)} ${message}`;
}

const lookEveryMs = 10_000;

/**
 * Gives a connection up when the peer acknowledges no octet for {@link stallMs} although some are outstanding.
 *
 * Node sets no TCP_USER_TIMEOUT (https://github.com/nodejs/node/issues/52048), and keepalive rests while data is outstanding: without
 * this a peer that vanished would go unnoticed for about 15 minutes of retransmissions. Linux only; elsewhere the stalled write is the
 * one sign.
 */
function watchProgress(connection: Connection, { clock, files }: Pick<Seams, 'clock' | 'files'>, isWaiting: () => boolean): void {
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
async function outstandingBytes(socket: Socket, files: Pick<Files, 'readFile'>): Promise<number | undefined> {
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
