// Arrays as the protocol takes them in binary: of thousands of ids that is half as much to send, and the server need not parse them.
// Source: array_recv in https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/adt/arrayfuncs.c
import { PenstockError } from '../../base/errors.ts';

const arrayHeaderBytes = 20;

/** An array of one dimension, without nulls; `type` is the OID of what it holds. */
function arrayOf<Value>(
  type: number,
  bytesEach: number,
  values: readonly Value[],
  write: (bytes: Buffer, value: Value, at: number) => void,
): Buffer {
  const bytes = Buffer.alloc(arrayHeaderBytes + values.length * (4 + bytesEach));
  for (const [index, header] of [1, 0, type, values.length, 1].entries()) bytes.writeInt32BE(header, 4 * index);
  let at = arrayHeaderBytes;
  for (const value of values) {
    write(bytes, value, bytes.writeInt32BE(bytesEach, at));
    at += 4 + bytesEach;
  }
  return bytes;
}

function writeHex(bytes: Buffer, hex: string, at: number, count: number): void {
  if (bytes.write(hex, at, 'hex') !== count)
    throw new PenstockError(
      'PEN_INTERNAL',
      `the journal was handed an id or a fingerprint that is none: ${hex.length} characters`,
    );
}

/** As `int[]`. */
export const intsOf = (values: readonly number[]): Buffer =>
  arrayOf(23, 4, values, (bytes, value, at) => void bytes.writeInt32BE(value, at));

/** Ids, 32 hex digits each, as `uuid[]`. */
export const uuidsOf = (ids: readonly string[]): Buffer => arrayOf(2950, 16, ids, (bytes, id, at) => writeHex(bytes, id, at, 16));

/** Numbers of 16 hex digits each, as `bigint[]`, where the first bit is the sign. */
export const numbersOf = (hex: readonly string[]): Buffer =>
  arrayOf(20, 8, hex, (bytes, digits, at) => writeHex(bytes, digits, at, 8));
