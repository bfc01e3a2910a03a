// Durations, sizes and times as people write them: `30s`, `500KB`, `2026-11-21T10:00:00Z`.

export const minuteMs = 60_000;
export const hourMs = 3_600_000;
export const dayMs = 86_400_000;

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: minuteMs, h: hourMs, d: dayMs, w: 7 * dayMs };
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Pattern of a duration such as `30s`, `5m`, `1.5h`, `30d`. */
export const durationPattern = '^\\d+(\\.\\d+)?(ms|s|m|h|d|w)$';
/** Pattern of a size such as `500KB`, `2GiB`. */
export const sizePattern = '^\\d+(\\.\\d+)?([KMGT]i?)?B$';

/** Milliseconds of a duration such as `30s`; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text);
  return match === null ? undefined : Math.round(Number(match[1]) * (durationUnits[match[2] ?? ''] ?? 1));
}

/** Bytes of a size such as `500KB` (1000) or `2GiB` (1024); undefined when it is not one. */
function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)((?:[KMGT]i?)?B)$/.exec(text);
  return match === null ? undefined : Math.round(Number(match[1]) * (sizeUnits[(match[2] ?? '').toUpperCase()] ?? 1));
}

/** Milliseconds of a duration that a schema has checked already; throws a RangeError otherwise. */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new RangeError(`"${text}" is not a duration`);
  return ms;
}

/** Bytes of a size that a schema has checked already; throws a RangeError otherwise. */
export function sizeBytes(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new RangeError(`"${text}" is not a size`);
  return bytes;
}

/** A duration for people: `45s`, `12m`, `3h 20m`, `9d 4h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const steps: [number, string, number, string][] = [
    [86_400, 'd', 3600, 'h'],
    [3600, 'h', 60, 'm'],
    [60, 'm', 1, 's'],
  ];
  const [big, bigUnit, small, smallUnit] = steps.find(([size]) => seconds >= size) ?? [60, 'm', 1, 's'];
  const rest = Math.floor((seconds % big) / small);
  return rest === 0 ? `${Math.floor(seconds / big)}${bigUnit}` : `${Math.floor(seconds / big)}${bigUnit} ${rest}${smallUnit}`;
}

/** A size for people: `512 B`, `1.4 GiB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? 'B'}`;
}

/** A count with what is counted: `1 sink`, `3 sinks`; `many` where an s at the end is not enough: `1 event waits`, `3 events wait`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** The first of many names, and how many more there are: `a, b and 3 more`. */
export function listed(names: readonly string[], most: number): string {
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return `${names.slice(0, most).join(', ')}${more}`;
}

/** A time as logs and reports have it: `2026-11-21T10:00:00.000Z`. */
export const iso = (ms: number): string => new Date(ms).toISOString();

const timestampShape = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|z|[+-]\d\d:\d\d))?$/;

/**
 * Milliseconds since the epoch of an RFC 3339 time such as `2026-11-21T10:00:00Z`; a date alone means its midnight in UTC, seconds may
 * be left out. Undefined when it is not one, when it has no zone, or when the calendar does not know it (31 February).
 */
export function parseTimestamp(text: string): number | undefined {
  const [, date, minutes, seconds, zone] = timestampShape.exec(text) ?? [];
  if (date === undefined) return undefined;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== date) return undefined;
  if (minutes === undefined) return midnight;
  const ms = Date.parse(`${date}T${minutes}${seconds ?? ':00'}${(zone ?? 'Z').toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : ms;
}
