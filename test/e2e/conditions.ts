import { setTimeout as pause } from 'node:timers/promises';
import { systemSeams } from '../../src/base/seams.ts';
import { readStatus } from '../../src/daemon/read-status.ts';
import type { StatusReport } from '../../src/operate/report/status.ts';
import type { Receiver } from './receiver.ts';
import { type Vendors, visibleIds } from './vendors.ts';

const lookEveryMs = 100;

/** Waits until the condition holds, looking again and again; the error says what never came true, and what was seen last. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000, seen = () => '' }: { timeoutMs?: number; seen?: () => string } = {},
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}\n${seen()}`);
    await pause(lookEveryMs);
  }
}

/** Waits until the status is as wanted, and returns it: that of the running daemon, or where none runs, what the journal remembers. */
export async function untilStatus(
  file: string,
  what: string,
  condition: (status: StatusReport) => boolean,
  timeoutMs = 60_000,
  running = true,
): Promise<StatusReport> {
  let last: StatusReport | undefined;
  let failure: unknown;
  const look = async (): Promise<boolean> => {
    // A daemon that is only starting has no journal yet.
    last = await readStatus(file, systemSeams()).catch((error: unknown) => void (failure = error));
    return last?.running === running && condition(last);
  };
  await until(what, look, { timeoutMs, seen: () => JSON.stringify(last ?? String(failure), null, 1) });
  if (last === undefined) throw new Error(String(failure));
  return last;
}

const nativeId = ({ event }: Receiver['received'][number]): string =>
  String((event['metadata'] as Record<string, unknown>)['original_event_uid']);

const readVendors = ['anaconda', 'analyst-studio'] as const;

/** Waits until every record that the vendors show now has arrived; returns ids, a few of them, that have not come within the time. */
export async function missingArrivals(
  receiver: Receiver,
  vendors: Vendors,
  {
    timeoutMs = 60_000,
    of = readVendors,
    upTo,
  }: { timeoutMs?: number; of?: readonly (typeof readVendors)[number][]; upTo?: number | undefined } = {},
): Promise<string[]> {
  const awaited = new Set(of.flatMap((vendor) => visibleIds(vendors, vendor, upTo)));
  let read = 0;
  const isEmpty = (): boolean => {
    for (const event of receiver.received.slice(read)) awaited.delete(nativeId(event));
    read = receiver.received.length;
    return awaited.size === 0;
  };
  await receiver.until(isEmpty, timeoutMs).catch(() => undefined);
  return [...awaited].slice(0, 5);
}

/** Vendors' ids that arrived in more than one event with different uids: the same record would have two identities. */
export function splitIdentities(receiver: Receiver): string[] {
  const uids = new Map<string, Set<string>>();
  for (const event of receiver.received) {
    const id = nativeId(event);
    uids.set(id, (uids.get(id) ?? new Set()).add(event.uid));
  }
  return [...uids].filter(([id, known]) => id !== 'undefined' && known.size > 1).map(([id]) => id);
}
