import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { checkJournal } from '../../../src/journal/index.ts';
import { missingArrivals, splitIdentities, untilStatus } from '../conditions.ts';
import { configFile, penstock, run } from '../penstock.ts';
import { startReceiver } from '../receiver.ts';
import { startVendors } from '../vendors.ts';

const hour = 3_600_000;
const day = 24 * hour;
const skews = [2 * 365 * day, -2 * 365 * day, 30 * day, -30 * day, 2 * day, -2 * day, day, -day, hour, -hour, 0] as const;
const lives = 12;

it.each([51, 52])('starts again and loses nothing whatever the clock does and however it is stopped (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.float() * from.length)] as T;
  const vendors = await startVendors(seed);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(random);
  const { 'astra-acme': _files, ...sources } = vendors.sources;
  const file = await configFile({
    journal: { keep: '1h' },
    sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 50, wait: '100ms' } } },
  });
  const dataDir = join(dirname(file), 'data');
  const problems: string[] = [];

  for (let life = 0; life < lives; life += 1) {
    const daemon = penstock(['run', '-c', file], { haste: 1 });
    await daemon.said('penstock started');
    // Where collection begins is settled by a clock that is right.
    await receiver.until(() => receiver.received.length > 500);
    const steps = [pick(skews), pick(skews)];
    for (const skewMs of steps) {
      daemon.child.stdin?.write(`${skewMs}\n`);
      const isNow = (at: number): boolean => Math.abs(at - skewMs - Date.now()) < 60_000;
      await untilStatus(file, `a poll of every source at ${skewMs}`, ({ sources: all }) =>
        all.every(({ last_success: at = 0 }) => isNow(at)),
      );
    }
    const isKilled = random.float() < 0.5;
    daemon.child.kill(isKilled ? 'SIGKILL' : 'SIGTERM');
    const code = await daemon.exited;
    if (!isKilled && code !== 0) problems.push(`life ${life} ended with ${code}: ${daemon.stderr().slice(-500)}`);
    problems.push(...(await checkJournal(dataDir)).problems.map((text) => `life ${life}, clock ${steps.join(', ')}: ${text}`));
  }
  const daemon = penstock(['run', '-c', file]);
  const { journal } = await untilStatus(file, 'a poll of every source', ({ sources: all }) =>
    all.every(({ last_success }) => last_success !== undefined),
  );
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await run(['ledger', '--json', '-c', file]);

  expect({ code, missing, problems, corrections: journal.corrections }).toEqual({
    code: 0,
    missing: [],
    problems: [],
    corrections: [],
  });
  expect(splitIdentities(receiver)).toEqual([]);
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
});
