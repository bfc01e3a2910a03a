export type Framing = 'octet_counting' | 'lf';

/** One message in its frame (RFC 6587): octets and a space before it, or a line feed behind it. */
export function frame(message: string, framing: Framing): string {
  return framing === 'lf' ? `${message}\n` : `${Buffer.byteLength(message)} ${message}`;
}
