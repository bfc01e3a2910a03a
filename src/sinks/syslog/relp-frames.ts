/** One frame of RELP: `TXNR SP COMMAND SP DATALEN [SP DATA] LF` (https://www.rsyslog.com/doc/relp.html). */
export interface RelpFrame {
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
