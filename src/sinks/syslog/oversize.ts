import type { Verdict } from '../sink.ts';

/** True for a message longer than its room. */
export function isTooLarge(message: string, maxBytes: number): boolean {
  // A UTF-16 unit is at most three octets: most messages need no counting.
  return message.length * 3 > maxBytes && Buffer.byteLength(message) > maxBytes;
}

/** The verdict on a message that may be neither cut nor sent. */
export function tooLarge(message: string, maxBytes: number): Verdict {
  return {
    kind: 'event',
    code: 'too_large',
    reason: `the message has ${Buffer.byteLength(message)} bytes, the sink allows ${maxBytes}: raise max_message, or set oversize: truncate`,
  };
}
