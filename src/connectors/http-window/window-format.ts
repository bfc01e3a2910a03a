import type { WindowSpec } from '../read-section.ts';

/** Writes a window bound (milliseconds) as the vendor reads it; finer digits than it takes are cut off. */
export type BoundFormat = (ms: number) => string;

/** Granularity of window bounds in milliseconds. */
export function precisionMs({ precision = 'ms', format = 'rfc3339' }: WindowSpec): number {
  return precision === 's' || format === 'epoch_s' ? 1000 : 1;
}

/** Compiles the format once for a connector. Always UTC with `Z`: a plus sign would need care in a query. */
export function compileBound({ precision = 'ms', format = 'rfc3339' }: WindowSpec): BoundFormat {
  if (format === 'epoch_s') return (ms) => String(Math.floor(ms / 1000));
  if (format === 'epoch_ms') return (ms) => String(Math.floor(ms));
  if (precision === 's') return (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  if (precision === 'us') return (ms) => `${new Date(ms).toISOString().slice(0, 23)}000Z`;
  return (ms) => new Date(ms).toISOString();
}
