import zlib from 'node:zlib';

/** The columns of an offset that its checksum covers. */
export interface OffsetRow {
  readonly sink: number;
  readonly source: number;
  readonly kind: number;
  readonly position: number;
  readonly passed: number;
}

/**
 * CRC-32 of an offset. With it a damaged offset, which puts records at risk, is known from a counter beside it that disagrees, which does not.
 */
export function offsetChecksum({ sink, source, kind, position, passed }: OffsetRow): number {
  return zlib.crc32(JSON.stringify([sink, source, kind, position, passed]));
}
