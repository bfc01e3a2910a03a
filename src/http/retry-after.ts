import type { Clock } from '../base/clock.ts';

const longestMs = 600_000;

/**
 * How long an answer asks to wait, from `Retry-After`: whole seconds or an HTTP date, clamped to 0 to 600 s; undefined without a
 * usable one.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(headers: Readonly<Record<string, string>>, clock: Clock): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined || text === '') return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : httpDate(text) - clock.now();
  return Number.isNaN(ms) ? undefined : Math.min(longestMs, Math.max(0, ms));
}

// Date.parse reads "-5" and "1.5" as dates of some year; an HTTP date always begins with the name of a day.
function httpDate(text: string): number {
  return /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
}
