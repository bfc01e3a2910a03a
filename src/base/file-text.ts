// Text files that people edit are UTF-8. What is not is refused in words that say how to mend it: what it looks like, and where.
import { isUtf8 } from 'node:buffer';
import { type ErrorCode, PenstockError } from './errors.ts';
import type { Files } from './seams.ts';

/** Why bytes are no UTF-8. Says nothing of what stands there, which may be a secret. */
export class NotUtf8 extends Error {
  override readonly name = 'NotUtf8';
  /** Of the first byte that cannot be read, 1-based; none where no line can be told. */
  readonly place: { readonly line: number; readonly column: number } | undefined;
  readonly fix: string;

  constructor(message: string, fix: string, place?: NotUtf8['place']) {
    super(message);
    [this.fix, this.place] = [fix, place];
  }

  /** `FILE:LINE:COLUMN`, or the file alone. */
  placeIn(file: string): string {
    return this.place === undefined ? file : `${file}:${this.place.line}:${this.place.column}`;
  }
}

/** Reads a file that is UTF-8, without a byte order mark. Rejects with the code and the place in it, and as the file system does. */
export async function readUtf8(
  files: Pick<Files, 'readFile'>,
  path: string,
  code: ErrorCode = 'PEN_CONFIG_INVALID',
): Promise<string> {
  const bytes = await files.readFile(path);
  try {
    return utf8Text(bytes);
  } catch (error) {
    if (!(error instanceof NotUtf8)) throw error;
    throw new PenstockError(code, error.message, { where: error.placeIn(path), fix: error.fix, cause: error });
  }
}

/** The text of bytes. Throws {@link NotUtf8}. */
export function utf8Text(bytes: Buffer): string {
  const wide = wideName(bytes);
  if (wide !== undefined) throw new NotUtf8(`the file is ${wide} text, not UTF-8`, saveAs(wide));
  if (isUtf8(bytes)) return new TextDecoder('utf-8').decode(bytes);
  const at = firstOddByte(bytes);
  const line = bytes.subarray(0, at).filter((byte) => byte === lineFeed).length + 1;
  const start = bytes.lastIndexOf(lineFeed, at) + 1;
  const place = { line, column: bytes.toString('utf8', start, at).length + 1 };
  const isText = bytes.every((byte) => byte >= 32 || byte === lineFeed || byte === 9 || byte === 13 || byte === 12);
  const where = `byte ${at + 1}, in line ${line}`;
  if (!isText) throw new NotUtf8(`the file is no text: ${where}, is none of UTF-8`, 'name a text file in UTF-8', place);
  throw new NotUtf8(
    `the file is not UTF-8 text: ${where}, is none; it looks like Windows-1252 or Latin-1`,
    saveAs('WINDOWS-1252'),
    place,
  );
}

const lineFeed = 10;

/** How a file is converted that is written in another charset. */
export const saveAs = (charset: string): string =>
  `save it as UTF-8 in the editor ("Encoding: UTF-8"), or convert it: iconv -f ${charset} -t UTF-8 FILE > NEW`;

/** By a byte order mark, or because most of what people write there is ASCII: every other byte is 0. */
function wideName(bytes: Buffer): string | undefined {
  const [first, second, third, fourth] = bytes;
  if (first === 0xff && second === 0xfe) return third === 0 && fourth === 0 ? 'UTF-32' : 'UTF-16';
  if (first === 0xfe && second === 0xff) return 'UTF-16';
  const head = bytes.subarray(0, 1024);
  const zeros = [0, 1].map((odd) => head.filter((byte, index) => byte === 0 && index % 2 === odd).length);
  return zeros.some((count) => count * 4 > head.length) && zeros.some((count) => count * 20 < head.length) ? 'UTF-16' : undefined;
}

/** Where the first byte stands that belongs to no character. */
export function firstOddByte(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    if (length > 1 && !isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return bytes.length;
}
