import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findDaemon } from '../../src/admin/index.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { readStatus } from '../../src/daemon/read-status.ts';
import type { StatusReport } from '../../src/operate/report/status.ts';
import { patienceMs } from './patience.ts';
import type { Receiver } from './receiver.ts';
import { type Vendors, visibleIds } from './vendors.ts';

const lookEveryMs = 100;

/** Waits until the condition holds, looking again and again; the error says what never came true, and what was seen last. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { seen = () => '' }: { seen?: () => string } = {},
): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${patienceMs} ms: ${what}\n${seen()}`);
    await pause(lookEveryMs);
  }
}

const seams = systemSeams();

/** Asks the daemon itself: reading the configuration, as the command does, would cost more than all the rest of a look. */
async function askDaemon(file: string): Promise<StatusReport | undefined> {
  const daemon = await findDaemon({ dataDir: join(dirname(file), 'data'), files: seams.files });
  return (await daemon?.status()) as StatusReport | undefined;
}

async function untilSeen(
  look: () => Promise<StatusReport | undefined>,
  what: string,
  condition: (status: StatusReport) => boolean,
): Promise<StatusReport> {
  let last: StatusReport | undefined;
  let failure: unknown;
  const isSeen = async (): Promise<boolean> => {
    // A daemon that is only starting has no journal and no admin server yet.
    last = await look().catch((error: unknown) => void (failure = error));
    return last !== undefined && condition(last);
  };
  await until(what, isSeen, { seen: () => JSON.stringify(last ?? String(failure), null, 1) });
  if (last === undefined) throw new Error(String(failure));
  return last;
}

/** Waits until the status of the running daemon is as wanted, and returns it. */
export function untilStatus(file: string, what: string, condition: (status: StatusReport) => boolean): Promise<StatusReport> {
  return untilSeen(() => askDaemon(file), what, condition);
}

/** Waits until what the journal remembers is as wanted, where no daemon runs, and returns it. */
export function untilStored(file: string, what: string, condition: (status: StatusReport) => boolean): Promise<StatusReport> {
  return untilSeen(
    () => readStatus(file, seams),
    what,
    (status) => !status.running && condition(status),
  );
}

const nativeId = ({ event }: Receiver['received'][number]): string =>
  String((event['metadata'] as Record<string, unknown>)['original_event_uid']);

const readVendors = ['anaconda', 'analyst-studio'] as const;

/** Waits until every record that the vendors show now has arrived; returns ids, a few of them, that have not come within the time. */
export async function missingArrivals(
  receiver: Receiver,
  vendors: Vendors,
  { of = readVendors, upTo }: { of?: readonly (typeof readVendors)[number][]; upTo?: number | undefined } = {},
): Promise<string[]> {
  const awaited = new Set(of.flatMap((vendor) => visibleIds(vendors, vendor, upTo)));
  let read = 0;
  const isEmpty = (): boolean => {
    for (const event of receiver.received.slice(read)) awaited.delete(nativeId(event));
    read = receiver.received.length;
    return awaited.size === 0;
  };
  await receiver.until(isEmpty).catch(() => undefined);
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
