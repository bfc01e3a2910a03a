import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { allFaults } from '../../src/simulator/index.ts';
import { configFile, penstock, run } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { calm, startVendors, visibleIds } from './vendors.ts';

const seed = Number(process.env['PENSTOCK_SEED'] ?? Math.floor(Math.random() * 1e6));
const kills = 8;

const nativeId = (event: Record<string, unknown>): string =>
  String((event['metadata'] as Record<string, unknown>)['original_event_uid']);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it(`delivers every event although it is killed at random moments (PENSTOCK_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const vendors = await startVendors(seed, { ...allFaults, unreadable: 0 });
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(random, { busy: 0.1, lostAnswer: 0.1, reset: 0.05 });
  const file = await configFile({
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 100, wait: '100ms' }, backoff_max: '1s' } },
  });

  for (let kill = 0; kill < kills; kill += 1) {
    const daemon = penstock(['run', '-c', file]);
    // The length of a life is the experiment: anywhere from before the first page to well into delivery.
    await pause(300 + random.float() * 2500);
    daemon.child.kill('SIGKILL');
    await daemon.exited;
    await vendors.simulator.download();
  }
  calm(vendors);
  receiver.faults = {};
  const expected = [...visibleIds(vendors, 'anaconda'), ...visibleIds(vendors, 'analyst-studio')];
  const rows = vendors.simulator.issued('astra-csv').length;
  await vendors.simulator.download();
  const daemon = penstock(['run', '-c', file]);
  const arrived = (): Set<string> => new Set(receiver.received.map(({ event }) => nativeId(event)));
  const fromFiles = (): number =>
    new Set(
      receiver.received
        .filter(({ event }) => (event['metadata'] as { log_name: string }).log_name === 'astra.audit')
        .map(({ uid }) => uid),
    ).size;
  await receiver.until(() => fromFiles() >= rows && expected.every((id) => arrived().has(id)), 60_000).catch(() => undefined);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await run(['ledger', '--json', '-c', file]);

  const missing = expected.filter((id) => !arrived().has(id));
  expect({ missing, rowsMissing: rows - Math.min(rows, fromFiles()), code }).toEqual({ missing: [], rowsMissing: 0, code: 0 });
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
  expect(ledger.code).toBe(0);
}, 180_000);

it('explains every duplicate: an answer was lost or the process died before the checkpoint', async () => {
  const vendors = await startVendors(11);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(11), { lostAnswer: 0.3 });
  const file = await configFile({
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 50, wait: '100ms' }, backoff_max: '200ms' } },
  });

  const { code } = await run(['run', '--once', '--timeout', '60s', '-c', file]);

  const copies = new Map<string, number>();
  for (const { uid } of receiver.received) copies.set(uid, (copies.get(uid) ?? 0) + 1);
  const unexplained = [...copies].filter(([uid, count]) => count > 1 && !receiver.unanswered.has(uid));
  expect({ code, unexplained }).toEqual({ code: 0, unexplained: [] });
  expect([...copies.values()].some((count) => count > 1)).toBe(true);
}, 90_000);
