/**
 * The longest beginning of `text` that fits `maxBytes` in UTF-8, on a character boundary and never inside an escape: no lone backslash
 * and no half `\uXXXX` is left at the end.
 */
export function cutText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = Math.max(0, maxBytes);
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  const cut = bytes.toString('utf8', 0, end);
  return cut.slice(0, cut.length - halfEscapeLength(cut));
}

// UTF-8 continuation bytes are 10xxxxxx.
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function halfEscapeLength(text: string): number {
  const match = /(\\+)(u[0-9A-Fa-f]{0,3})?$/.exec(text);
  if (match === null) return 0;
  // An even run of backslashes is complete escapes; what follows it is plain text.
  const isOpen = (match[1]?.length ?? 0) % 2 === 1;
  return isOpen ? 1 + (match[2]?.length ?? 0) : 0;
}
