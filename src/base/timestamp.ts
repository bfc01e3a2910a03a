const shape = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|z|[+-]\d\d:\d\d))?$/;

/**
 * Milliseconds since the epoch of an RFC 3339 time such as `2026-11-21T10:00:00Z`; a date alone means its midnight in UTC, seconds may
 * be left out. Undefined when it is not one, when it has no zone, or when the calendar does not know it (31 February).
 */
export function parseTimestamp(text: string): number | undefined {
  const [, date, minutes, seconds, zone] = shape.exec(text) ?? [];
  if (date === undefined) return undefined;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== date) return undefined;
  if (minutes === undefined) return midnight;
  const ms = Date.parse(`${date}T${minutes}${seconds ?? ':00'}${(zone ?? 'Z').toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : ms;
}
