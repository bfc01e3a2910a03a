// A journal that breaks while no daemon runs, and all that an operator then does.
import { channel } from 'node:diagnostics_channel';
import { open, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { missingArrivals, untilStatus } from '../conditions.ts';
import { command, configFile, penstock, run } from '../penstock.ts';
import { startReceiver } from '../receiver.ts';
import { startVendors } from '../vendors.ts';

/** Counts the requests that any server of this process receives. */
function countRequests(): () => number {
  const began = channel('http.server.request.start');
  let requests = 0;
  const onRequest = (message: unknown): void => {
    requests += (message as { request: IncomingMessage }).request.url === undefined ? 0 : 1;
  };
  began.subscribe(onRequest);
  onTestFinished(() => {
    began.unsubscribe(onRequest);
  });
  return () => requests;
}

/** A journal with pending records, as a killed daemon leaves it, beside vendors and a receiver that takes events again. */
async function killedDaemon(seed: number) {
  const vendors = await startVendors(seed);
  const receiver = await startReceiver(seededRandom(seed), { busy: 1 });
  const { 'astra-acme': _files, ...sources } = vendors.sources;
  const file = await configFile({
    sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 100, wait: '100ms' }, backoff_max: '500ms' } },
  });
  const daemon = penstock(['run', '-c', file]);
  await untilStatus(file, 'pending records of every source', ({ sources }) => sources.every(({ records }) => records.new > 20));
  daemon.child.kill('SIGKILL');
  await daemon.exited;
  receiver.faults = {};
  return {
    vendors,
    receiver,
    file,
    journal: join(dirname(file), 'data', 'journal.db'),
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await vendors.simulator[Symbol.asyncDispose]();
    },
  };
}

/** Overwrites bytes of a file. */
export async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

/** As after a quiet while: then it is the file that breaks, not what the WAL holds anyway. */
function moveWalIntoFile(path: string): void {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}

interface Repair {
  readonly damaged: string;
  readonly records: number;
  readonly lost: readonly { readonly source: string; readonly sink: string; readonly records: number }[];
  readonly notes: readonly string[];
}

/** Damages the journal of a killed daemon; expects that it is refused before anything is polled, and that nothing is lost once it is repaired. */
export async function expectRepair(seed: number, damage: (path: string) => Promise<void>): Promise<void> {
  await using scene = await killedDaemon(seed);
  const { vendors, receiver, file, journal } = scene;
  moveWalIntoFile(journal);
  await damage(journal);
  const requests = countRequests();

  const refused = await run(['run', '--once', '--timeout', '5m', '-c', file]);
  const polled = requests();
  const check = await command(['journal', 'check', '--json', '-c', file]);
  const repair = await command(['journal', 'repair', '-c', file]);
  const clean = await command(['journal', 'check', '-c', file]);
  const again = await run(['run', '--once', '--timeout', '5m', '-c', file]);
  const { lost } = JSON.parse(repair.stdout) as Repair;
  for (const source of new Set(lost.map((range) => range.source)))
    await command(['verify', source, '--repair', '--from', '20m', '--to', '0s', '-c', file]);
  const daemon = penstock(['run', '-c', file]);
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const ledger = await command(['ledger', '--json', '-c', file]);

  const report = JSON.parse(repair.stdout) as Repair;
  expect({
    refused: refused.code,
    polled,
    check: check.code,
    repair: repair.code,
    clean: clean.code,
    again: again.code,
    missing,
  }).toEqual({
    refused: 1,
    polled: 0,
    check: 1,
    repair: 0,
    clean: 0,
    again: 0,
    missing: [],
  });
  expect(refused.stderr).toContain('penstock journal repair');
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
  expect(report.lost.length + report.notes.length).toBeGreaterThan(0);
  expect((await stat(report.damaged)).size).toBeGreaterThan(0);
}
