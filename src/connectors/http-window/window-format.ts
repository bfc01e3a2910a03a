import type { WindowSpec } from '../read-section.ts';

/**
 * Writes a window bound (milliseconds) as the vendor reads it. Of finer digits than it takes, RFC 3339 and epochs cut off; a date or a
 * pattern ends the window at the next that can be written, so that no record falls behind it.
 */
export type BoundFormat = (ms: number, edge: 'from' | 'to') => string;

const dayMs = 86_400_000;

/** Granularity of window bounds in milliseconds. */
export function precisionMs({ precision = 'ms', format = 'rfc3339' }: WindowSpec): number {
  return precision === 's' || format === 'epoch_s' ? 1000 : 1;
}

/** Compiles the format once for a connector. Always UTC with `Z`: a plus sign would need care in a query. */
export function compileBound({ precision = 'ms', format = 'rfc3339' }: WindowSpec): BoundFormat {
  if (format === 'epoch_s') return (ms) => String(Math.floor(ms / 1000));
  if (format === 'epoch_ms') return (ms) => String(Math.floor(ms));
  if (format === 'epoch_us') return (ms) => `${Math.floor(ms)}000`;
  if (format === 'epoch_ns') return (ms) => `${Math.floor(ms)}000000`;
  if (format === 'date') return compilePattern('yyyy-MM-dd');
  if (format !== 'rfc3339') return compilePattern(format);
  if (precision === 's') return (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  if (precision === 'us') return (ms) => `${new Date(ms).toISOString().slice(0, 23)}000Z`;
  return (ms) => new Date(ms).toISOString();
}

/** Where each part of a pattern stands in `2026-11-20T10:15:30.123Z`. */
const parts: Readonly<Record<string, readonly [start: number, end: number]>> = {
  yyyy: [0, 4],
  MM: [5, 7],
  dd: [8, 10],
  HH: [11, 13],
  mm: [14, 16],
  ss: [17, 19],
  SSS: [20, 23],
};
const steps = [
  ['SSS', 1],
  ['ss', 1000],
  ['mm', 60_000],
  ['HH', 3_600_000],
] as const;

function compilePattern(pattern: string): BoundFormat {
  const pieces: readonly string[] = pattern.match(/'[^']*'|yyyy|MM|dd|HH|mm|ss|SSS|[\s\S]/g) ?? [];
  const step = steps.find(([part]) => pieces.includes(part))?.[1] ?? dayMs;
  return (ms, edge) => {
    const bound = (edge === 'from' ? Math.floor(ms / step) : Math.ceil(ms / step)) * step;
    const text = new Date(bound).toISOString();
    return pieces
      .map((piece) => {
        const place = parts[piece];
        if (place !== undefined) return text.slice(...place);
        return piece.length > 1 && piece.startsWith("'") ? piece.slice(1, -1) : piece;
      })
      .join('');
  };
}
