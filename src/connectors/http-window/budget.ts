import type { Clock } from '../../base/clock.ts';
import { retryAfterMs } from '../../http/index.ts';
import type { BudgetNews } from '../connector.ts';

const prefixes = ['x-ratelimit-', 'x-rate-limit-', 'ratelimit-'];

/** What an answer says of the request budget; undefined when nothing. `resetMs` and `pauseMs` count from now. */
export function budgetNews(status: number, headers: Readonly<Record<string, string>>, clock: Clock): BudgetNews | undefined {
  const remaining = numberOf(headers, 'remaining');
  const limit = numberOf(headers, 'limit');
  const reset = numberOf(headers, 'reset');
  const pause = status === 429 || status === 503 ? retryAfterMs(headers, clock) : undefined;
  const news = {
    ...(remaining === undefined ? {} : { remaining }),
    ...(limit === undefined ? {} : { limit }),
    ...(reset === undefined ? {} : { resetMs: untilMs(reset, clock) }),
    ...(pause === undefined ? {} : { pauseMs: pause }),
  };
  return Object.keys(news).length === 0 ? undefined : news;
}

function numberOf(headers: Readonly<Record<string, string>>, name: string): number | undefined {
  for (const prefix of prefixes) {
    // Some send `100, 100;w=60`: the first number is the one in force.
    const match = /^\s*(\d{1,15}(?:\.\d+)?)/.exec(headers[`${prefix}${name}`] ?? '');
    if (match !== null) return Number(match[1]);
  }
  return undefined;
}

// Vendors write the reset as seconds from now, or as a time in seconds or milliseconds.
function untilMs(reset: number, clock: Clock): number {
  if (reset > 100_000_000_000) return Math.max(0, reset - clock.now());
  return Math.max(0, reset > 1_000_000_000 ? reset * 1000 - clock.now() : reset * 1000);
}
