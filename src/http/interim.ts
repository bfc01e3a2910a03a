// A server may send "100 Continue" though nobody asked for it (RFC 9110, 15.2), and some do as soon as they read a body. undici takes it for a
// broken answer and closes the connection, so it gets to see none.
import type { Socket } from 'node:net';

const statusStart = 'HTTP/1.1 1';
const statusEnd = statusStart.length + 2;
const switching = '01';
const headEnd = '\r\n\r\n';
/** Longest head that is waited for; undici refuses one of this length. */
const longestHead = 16_384;

/** Leaves out what comes before an answer: 100, 102, 103 and their like. The connection carries one request at a time, whose head is written as text. */
export function passOverInterim(socket: Socket): void {
  let isAnswerDue = false;
  let held: Buffer = Buffer.alloc(0);
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  socket.write = (...args: unknown[]) => {
    isAnswerDue ||= typeof args[0] === 'string';
    return write(...args);
  };
  socket.read = (size?: number) => {
    const chunk = read(size);
    if (chunk === null || !isAnswerDue) return chunk;
    held = behindInterim(held.length === 0 ? chunk : Buffer.concat([held, chunk]));
    if (mayBeInterim(held)) return null;
    const answer = held;
    [held, isAnswerDue] = [Buffer.alloc(0), false];
    return answer;
  };
}

/** What is left behind all whole heads. */
function behindInterim(bytes: Buffer): Buffer {
  let left = bytes;
  while (mayBeInterim(left)) {
    const end = left.indexOf(headEnd);
    if (end === -1) break;
    left = left.subarray(end + headEnd.length);
  }
  return left;
}

/** True also for the beginning of one. */
function mayBeInterim(bytes: Buffer): boolean {
  const status = bytes.toString('latin1', 0, statusEnd).replace('/1.0', '/1.1');
  const digits = status.slice(statusStart.length);
  const begins = statusStart.startsWith(status.slice(0, statusStart.length)) && /^\d*$/.test(digits) && digits !== switching;
  return begins && bytes.length <= longestHead;
}
