import { channel } from 'node:diagnostics_channel';
import { open, readFile, stat, truncate } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { missingArrivals, untilStatus } from '../conditions.ts';
import { configFile, penstock, run } from '../penstock.ts';
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
async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
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

/** Flips one bit in the first stored page, wherever it lies in the file. */
async function flipInPage(path: string): Promise<void> {
  const db = new DatabaseSync(path, { readOnly: true });
  const body = db.prepare('SELECT body FROM pages ORDER BY id LIMIT 1').get()?.['body'];
  db.close();
  if (!(body instanceof Uint8Array)) throw new Error('there is no page');
  const head = Buffer.from(body).subarray(0, 64);
  const bytes = await readFile(path);
  // A copy that the file no longer uses may lie before the one in use.
  for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1))
    await overwrite(path, at + 40, Buffer.from([(bytes[at + 40] ?? 0) ^ 0x10]));
}

interface Repair {
  readonly damaged: string;
  readonly records: number;
  readonly lost: readonly { readonly source: string; readonly sink: string; readonly records: number }[];
  readonly notes: readonly string[];
}

it.each([
  { what: 'a flipped bit in a stored page', seed: 71, damage: flipInPage },
  {
    what: 'a file cut to half of its length',
    seed: 72,
    damage: async (path: string) => truncate(path, Math.floor((await readFile(path)).length / 2)),
  },
  { what: 'an overwritten header', seed: 74, damage: (path: string) => overwrite(path, 0, Buffer.alloc(100, 7)) },
])(
  'refuses a journal with $what before anything is polled, and loses nothing once it is repaired',
  async ({ damage, seed }) => {
    await using scene = await killedDaemon(seed);
    const { vendors, receiver, file, journal } = scene;
    moveWalIntoFile(journal);
    await damage(journal);
    const requests = countRequests();

    const refused = await run(['run', '--once', '--timeout', '60s', '-c', file]);
    const polled = requests();
    const check = await run(['journal', 'check', '--json', '-c', file]);
    const repair = await run(['journal', 'repair', '-c', file]);
    const clean = await run(['journal', 'check', '-c', file]);
    const again = await run(['run', '--once', '--timeout', '60s', '-c', file]);
    const { lost } = JSON.parse(repair.stdout) as Repair;
    for (const source of new Set(lost.map((range) => range.source)))
      await run(['verify', source, '--repair', '--from', '20m', '--to', '0s', '-c', file]);
    const daemon = penstock(['run', '-c', file]);
    const missing = await missingArrivals(receiver, vendors);
    daemon.child.kill('SIGTERM');
    await daemon.exited;
    const ledger = await run(['ledger', '--json', '-c', file]);

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
  },
  180_000,
);
