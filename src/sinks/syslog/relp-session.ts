// A RELP session on one connection. States: opening (open sent) -> ready (200 to open) -> closing (close sent) -> ended. Every frame
// waits for the `rsp` with its number; at most `relpWindow` syslog frames wait at once.
import type { Connection } from './connection.ts';

/** One frame of RELP: `TXNR SP COMMAND SP DATALEN [SP DATA] LF` (https://www.rsyslog.com/doc/relp.html). */
interface RelpFrame {
  readonly txnr: number;
  readonly command: string;
  readonly data: Buffer;
}

/** The number after `txnr`: 999999999 is followed by 1. */
export function nextTxnr(txnr: number): number {
  return txnr >= 999_999_999 ? 1 : txnr + 1;
}

/** Writes a frame; DATALEN counts octets. */
export function relpFrame(txnr: number, command: string, data = ''): string {
  return data === '' ? `${txnr} ${command} 0\n` : `${txnr} ${command} ${Buffer.byteLength(data)} ${data}\n`;
}

// A receiver's answers are short; anything longer is not RELP.
const firstBytes = 4096;
const maxHeaderBytes = 64;
const maxDataBytes = 128 * 1024;
const header = /^(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})([ \n])/;

/** Cuts what arrives into frames, however it was split on the way. */
interface RelpParser {
  /** Frames completed by this chunk. Throws an Error when the bytes are not RELP. */
  push(chunk: Buffer): RelpFrame[];
}

/** A parser for one connection. */
export function createRelpParser(): RelpParser {
  // One buffer that grows, so that an answer in chunks of one byte costs no more than its bytes.
  let buffer: Buffer = Buffer.alloc(firstBytes);
  let length = 0;
  const add = (chunk: Buffer): void => {
    if (length + chunk.length > buffer.length) {
      const larger = Buffer.alloc(Math.max(buffer.length * 2, length + chunk.length));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    length += chunk.copy(buffer, length);
  };
  return {
    push(chunk) {
      add(chunk);
      const frames: RelpFrame[] = [];
      let start = 0;
      for (let next = cutFrame(buffer.subarray(0, length)); next !== undefined; next = cutFrame(buffer.subarray(start, length))) {
        frames.push(next.frame);
        start += next.length;
      }
      buffer.copyWithin(0, start, length);
      length -= start;
      return frames;
    },
  };
}

function cutFrame(bytes: Buffer): { readonly frame: RelpFrame; readonly length: number } | undefined {
  const head = bytes.toString('latin1', 0, maxHeaderBytes);
  const match = header.exec(head);
  if (match === null) {
    if (bytes.length >= maxHeaderBytes || !/^\d*( [A-Za-z]*( \d*)?)?$/.test(head))
      throw new Error('the receiver does not answer in RELP');
    return undefined;
  }
  const length = Number(match[3]);
  if (length > maxDataBytes) throw new Error(`the receiver sent a RELP frame of ${length} bytes`);
  // Without data LF may follow DATALEN at once.
  const start = match[4] === '\n' ? match[0].length - 1 : match[0].length;
  if (match[4] === '\n' && length > 0) throw new Error('the receiver sent a RELP frame without its data');
  if (bytes.length < start + length + 1) return undefined;
  if (bytes[start + length] !== 0x0a) throw new Error('the receiver sent a RELP frame without its line feed');
  const frame = { txnr: Number(match[1]), command: match[2] ?? '', data: Buffer.from(bytes.subarray(start, start + length)) };
  return { frame, length: start + length + 1 };
}

/** Most unanswered `syslog` frames; librelp's default. */
export const relpWindow = 128;

/** What the receiver said to a frame: `200 OK`, `500 ...`. */
export interface RelpAnswer {
  readonly code: number;
  readonly text: string;
}

export interface RelpSession {
  readonly connection: Connection;
  /** Frames written and not answered. */
  readonly unanswered: number;
  /** Writes a frame; the answer goes to the callback. */
  command(name: string, data: string, onAnswer: (answer: RelpAnswer) => void): void;
  /** `syslog` for many messages in one write. */
  messages(batch: readonly { readonly text: string; readonly onAnswer: (answer: RelpAnswer) => void }[]): void;
}

/** A session over the connection that `watch` makes, which hands over what it hears. */
export function startRelpSession(watch: (onData: (chunk: Buffer) => void) => Connection): RelpSession {
  const parser = createRelpParser();
  const waiting = new Map<number, (answer: RelpAnswer) => void>();
  let txnr = 0;

  const take = (frame: RelpFrame): void => {
    if (frame.command === 'serverclose') return connection.abandon('the receiver closed the RELP session');
    const onAnswer = waiting.get(frame.txnr);
    if (frame.command !== 'rsp' || onAnswer === undefined) return connection.abandon(`unexpected RELP frame "${frame.command}"`);
    waiting.delete(frame.txnr);
    onAnswer(parseAnswer(frame.data));
  };
  const receive = (chunk: Buffer): void => {
    try {
      for (const frame of parser.push(chunk)) take(frame);
    } catch (error) {
      connection.abandon(error instanceof Error ? error.message : String(error));
    }
  };
  const connection = watch(receive);
  const number = (onAnswer: (answer: RelpAnswer) => void): number => {
    txnr = nextTxnr(txnr);
    waiting.set(txnr, onAnswer);
    return txnr;
  };
  // At most a window of frames waits to be written, so the return value of write() needs no attention.
  const write = (text: string): void => void connection.socket.write(text);
  return {
    connection,
    get unanswered() {
      return waiting.size;
    },
    command: (name, data, onAnswer) => write(relpFrame(number(onAnswer), name, data)),
    messages: (batch) => write(batch.map(({ text, onAnswer }) => relpFrame(number(onAnswer), 'syslog', text)).join('')),
  };
}

function parseAnswer(data: Buffer): RelpAnswer {
  const text = data.toString('utf8');
  const match = /^(\d{3})(?: ([^\n]*))?/.exec(text);
  return match === null ? { code: 0, text } : { code: Number(match[1]), text: match[2] ?? '' };
}

/** Sends a command and waits for its answer; undefined when the connection ended or the signal aborted first. */
export async function ask(
  session: RelpSession,
  name: string,
  data: string,
  signal: AbortSignal,
): Promise<RelpAnswer | undefined> {
  const { promise, resolve } = Promise.withResolvers<RelpAnswer | undefined>();
  const giveUp = (): void => resolve(undefined);
  signal.addEventListener('abort', giveUp, { once: true });
  void session.connection.ended.then(giveUp);
  session.command(name, data, resolve);
  if (signal.aborted) giveUp();
  const answer = await promise;
  signal.removeEventListener('abort', giveUp);
  return answer;
}
