// A RELP session on one connection. States: opening (open sent) -> ready (200 to open) -> closing (close sent) -> ended. Every frame
// waits for the `rsp` with its number; at most `relpWindow` syslog frames wait at once.
import type { Connection } from './connection.ts';
import { createRelpParser, nextTxnr, type RelpFrame, relpFrame } from './relp-frames.ts';

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
  return match === null
    ? { code: 0, text: text.slice(0, 200) }
    : { code: Number(match[1]), text: (match[2] ?? '').slice(0, 200) };
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
