// Opens a reader of a shipped connector as the daemon would, with what it says of budgets and waits recorded.
import { resolve } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import type { BudgetNews, Connector, Page, Reader, ReaderDeps } from '../../src/connectors/connector.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import type { HttpClient } from '../../src/http/client.ts';
import { openHttpClient } from '../../src/http/index.ts';

/** A clock whose timers fire at once and move it on, so that waiting costs no time but is seen. */
export function skippingClock(start = Date.UTC(2026, 10, 21, 10)): Clock & { readonly waits: number[] } {
  let now = start;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    monotonic: () => now - start,
    timer(ms, callback) {
      // Deadlines of requests are long; only waits between tries are skipped.
      if (ms >= 30_000) return { [Symbol.dispose]: () => undefined };
      const handle = setImmediate(() => {
        now += ms;
        waits.push(ms);
        callback();
      });
      return { [Symbol.dispose]: () => clearImmediate(handle) };
    },
  };
}

export interface Opened extends AsyncDisposable {
  readonly connector: Connector;
  readonly reader: Reader;
  readonly news: [string, BudgetNews][];
  readonly limits: string[];
  readonly waits: number[];
}

export const userAgent = 'penstock/0.1.0 (0f3c)';
export const shippedConnectors = resolve(import.meta.dirname, '../../connectors');

/** Opens a connector of the shipped folder, or the one given. */
export async function openSource(
  connector: Connector | string,
  options: Record<string, unknown>,
  more: Partial<ReaderDeps> = {},
): Promise<Opened> {
  const clock = skippingClock();
  const seams: Seams = { ...systemSeams(), clock, random: seededRandom(1) };
  const loaded =
    typeof connector === 'string' ? await loadConnector(connector, { dirs: [shippedConnectors], files: seams.files }) : connector;
  const http: HttpClient = more.http ?? (await openHttpClient({ userAgent }, seams, {}));
  const news: [string, BudgetNews][] = [];
  const limits: string[] = [];
  const reader = loaded.open(options, {
    seams,
    log: silentLog(),
    userAgent,
    limit: (key) => Promise.resolve(void limits.push(key)),
    budget: (key, state) => news.push([key, state]),
    ...more,
    http,
  });
  return {
    connector: loaded,
    reader,
    news,
    limits,
    waits: clock.waits,
    async [Symbol.asyncDispose]() {
      await reader[Symbol.asyncDispose]();
      await http[Symbol.asyncDispose]();
    },
  };
}

/** A page with its records as plain values. */
export const plainPage = <T extends Pick<Page, 'records'>>(page: T): T => ({
  ...page,
  records: Array.from(page.records, (raw) => ({ ...raw, value: raw.value })),
});
