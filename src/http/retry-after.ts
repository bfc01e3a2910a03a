import type { Clock } from '../base/clock.ts';

const longestMs = 600_000;

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
 * How long an answer asks to wait, from `Retry-After`: whole seconds or an HTTP date, clamped to 0 to 600 s; undefined without a
 * usable one. A date counts from the answer's own Date, so that a wrong clock on either side makes the wait no longer.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(headers: Readonly<Record<string, string>>, clock: Clock): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined || text === '') return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : httpDate(text) - (answeredAt(headers) ?? clock.now());
  return Number.isNaN(ms) ? undefined : Math.min(longestMs, Math.max(0, ms));
}

// Date.parse reads "-5" and "1.5" as dates of some year; an HTTP date always begins with the name of a day.
function httpDate(text: string): number {
  return /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
}
