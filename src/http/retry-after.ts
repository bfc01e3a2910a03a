import type { Clock } from '../base/clock.ts';

const usualLongestMs = 600_000;

/**
 * When an answer was given, by the clock of who gave it: its Date, and the time that a cache kept it since. Milliseconds since the epoch;
 * undefined without a readable Date.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc9111#section-5.1
 */
export function answeredAt(headers: Readonly<Record<string, string>>): number | undefined {
  const date = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(date)) return undefined;
  const age = /^\s*(\d{1,9})\s*(?:,|$)/.exec(headers['age'] ?? '')?.[1];
  return date + Number(age ?? 0) * 1000;
}

/**
 * How long an answer asks to wait, from `Retry-After`: seconds, an HTTP date, or what some send in their place (`1.5`, `30s`, a time since 1970,
 * an ISO date), clamped to 0 to `longestMs`; undefined without a usable one. Of several the longest counts. A date counts from the answer's own
 * Date, so that a wrong clock on either side makes the wait no longer.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string>>,
  clock: Clock,
  longestMs = usualLongestMs,
): number | undefined {
  const now = answeredAt(headers) ?? clock.now();
  // A date holds a comma, and repeated headers are joined by one.
  const texts = headers['retry-after']?.match(/\s*[A-Z][a-z]+,[^,]*|[^,]+/g) ?? [];
  const waits = texts.map((text) => waitMs(text.trim(), now)).filter((wait) => wait !== undefined);
  return waits.length === 0 ? undefined : Math.min(longestMs, Math.max(...waits));
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function waitMs(text: string, now: number): number | undefined {
  const [, digits, unit = 's'] = /^"?(\d{1,15}(?:\.\d+)?) ?(ms|s|m|h)?"?$/i.exec(text) ?? [];
  const count = Number(digits);
  if (count > 1_000_000_000) return Math.max(0, (count > 100_000_000_000 ? count : count * 1000) - now);
  if (digits !== undefined) return count * (units[unit.toLowerCase()] ?? 0);
  // Date.parse reads "-5" as a date of some year; an HTTP date always begins with the name of a day.
  const until = /^[A-Z][a-z]+,? |^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(until) ? undefined : Math.max(0, until - now);
}
