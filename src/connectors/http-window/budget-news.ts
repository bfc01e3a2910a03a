// What an answer says of the request budget, in the spellings that vendors use.
import type { Clock } from '../../base/clock.ts';
import { parseTime } from '../../event/index.ts';
import { answeredAt, retryAfterMs } from '../../http/index.ts';
import type { BudgetNews } from '../connector.ts';

type Headers = Readonly<Record<string, string>>;

const prefixes = ['x-ratelimit-', 'x-rate-limit-', 'ratelimit-', 'rate-limit-'];
/** Nothing but Retry-After pauses a source for longer while the vendor still grants requests. */
const longestMs = 60_000;
/** A refusal that says the budget is used up may name the end of an hour. */
const longestRefusedMs = 3_600_000;

/** How long a vendor asks to wait, milliseconds, up to an hour; undefined when it asks for nothing. */
export const askedWaitMs = (headers: Headers, clock: Clock): number | undefined => retryAfterMs(headers, clock, longestRefusedMs);

/**
 * What an answer says of the request budget; undefined when nothing. `resetMs` and `pauseMs` count from now. `granted` and `refused` say whether
 * it is that of a request that was let through, or was refused for its rate; neither is a fault. Where Retry-After stands in anything but a
 * granted answer, nothing else of it counts.
 */
export function budgetNews(
  headers: Headers,
  clock: Clock,
  { isGranted, isRefused }: { readonly isGranted: boolean; readonly isRefused: boolean },
): BudgetNews | undefined {
  const asked = isGranted ? undefined : askedWaitMs(headers, clock);
  if (asked !== undefined) return { pauseMs: asked };
  const remaining = countOf(headers, 'remaining', 'r');
  const limit = countOf(headers, 'limit', 'q');
  const told = resetOf(headers, clock);
  const isUsedUp = isRefused && remaining === 0 && told !== undefined && told <= longestRefusedMs;
  const resetMs = told === undefined ? undefined : isUsedUp ? told : Math.min(told, longestMs);
  const news: BudgetNews = { remaining, limit, resetMs, ...(isRefused && resetMs !== undefined ? { pauseMs: resetMs } : {}) };
  return Object.values(news).every((value) => value === undefined) ? undefined : news;
}

/** True when the headers say that the rate is the reason: Retry-After, or nothing remains. */
export function tellsOfRate(headers: Headers): boolean {
  return (headers['retry-after'] ?? '').trim() !== '' || countOf(headers, 'remaining', 'r') === 0;
}

function textOf(headers: Headers, name: string, short: string): string | undefined {
  for (const prefix of prefixes) {
    const text = headers[`${prefix}${name}`]?.trim();
    if (text !== undefined && text !== '') return text;
  }
  // One header for all: `limit=100, remaining=50, reset=30` and `"default";r=50;t=30`.
  const all = headers['ratelimit'] ?? headers['x-ratelimit'] ?? '';
  return new RegExp(`(?:^|[\\s,;])(?:${name}|${short})\\s*=\\s*"?([^\\s,;"]+)`, 'i').exec(all)?.[1];
}

function countOf(headers: Headers, name: string, short: string): number | undefined {
  // Some send `100, 100;w=60`: the first number is the one in force.
  const match = /^(\d{1,15}(?:\.\d+)?)/.exec(textOf(headers, name, short) ?? '');
  return match === null ? undefined : Number(match[1]);
}

function resetOf(headers: Headers, clock: Clock): number | undefined {
  const text = textOf(headers, 'reset', 't') ?? textOf(headers, 'reset-after', 't');
  if (text === undefined) return undefined;
  // A time of the vendor's clock is compared with the vendor's clock.
  return untilMs(text, answeredAt(headers) ?? clock.now());
}

const dayS = 86_400;
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds from now: `30`, `30s`, `6m0s`, `20ms`, a time since the epoch in any unit, or a date. */
function untilMs(text: string, now: number): number | undefined {
  if (/^\d+(?:\.\d+)?(?:$|[\s,;])/.test(text)) {
    const number = Number.parseFloat(text);
    if (number > 1_000_000_000) return Math.max(0, (parseTime(number)?.ms ?? now) - now);
    // So many seconds would be days: they are milliseconds.
    return number > dayS ? number : number * 1000;
  }
  if (/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/i.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/gi)];
    return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (units[unit.toLowerCase()] ?? 0), 0);
  }
  const time = parseTime(text);
  return time === undefined ? undefined : Math.max(0, time.ms - now);
}
