// As bundled: the parts of the AWS SDK are chunks that are read when they are needed.
import { expect, it } from 'vitest';
import { openStore } from '../sinks/s3-store.ts';
import { configFile, penstock, type RunningPenstock, run } from './penstock.ts';
import { startVendors } from './vendors.ts';

const keys = { access_key_id: 'AKIATEST', secret_access_key: 'secret-of-the-lake' };
const environment = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'secret-of-the-lake' };

it.each([
  ['the configuration', keys, {}],
  ['the environment', {}, environment],
])('delivers everything into a bucket with the keys of %s', async (_, options, env) => {
  const vendors = await startVendors(31);
  await using _simulator = vendors.simulator;
  await using store = await openStore();
  const file = await configFile({
    sources: { acme: vendors.sources['anaconda-acme'] },
    sinks: { lake: { type: 's3', bucket: 'lake', endpoint: store.url, ...options } },
  });

  const checked = await run(['check', '-c', file], { env });
  const { code, stderr } = await run(['run', '--once', '-c', file], { env });

  expect(checked.stdout).toContain('ok     sink lake\n         an object of 1.0 MiB was written to bucket "lake"\n');
  expect({ code, hasSecret: stderr.includes('secret-of-the-lake') }).toEqual({ code: 0, hasSecret: false });
  const uids = [...store.objects.keys()].flatMap((key) => store.uids(key));
  expect(uids.length).toBeGreaterThan(0);
  expect(new Set(uids).size).toBe(uids.length);
});

it('has every event in one object after it was killed again and again while objects were stored', async () => {
  const vendors = await startVendors(37);
  await using _simulator = vendors.simulator;
  let process: RunningPenstock | undefined;
  let last = 0;
  // What it stores last it never hears of.
  await using store = await openStore(
    (_, count) => (count === last ? () => void process?.child.kill('SIGKILL') : undefined),
    true,
  );
  const sink = { type: 's3', bucket: 'lake', endpoint: store.url, ...keys, batch: { events: 50, wait: '0s' }, partition: 'day' };
  const file = await configFile({ sources: { acme: vendors.sources['anaconda-acme'] }, sinks: { lake: sink } });
  const ends: (number | string)[] = [];

  for (const more of [1, 3, 2]) {
    last = store.seen.length + more;
    process = penstock(['run', '-c', file]);
    ends.push(await process.exited);
  }
  const { code } = await run(['run', '--once', '-c', file]);

  const uids = [...store.objects.keys()].flatMap((key) => store.uids(key));
  expect({ ends, code }).toEqual({ ends: ['SIGKILL', 'SIGKILL', 'SIGKILL'], code: 0 });
  expect(new Set(uids).size).toBe(uids.length);
  const ledger = JSON.parse((await run(['ledger', '--json', '-c', file])).stdout) as unknown;
  expect(ledger).toMatchObject({ sinks: { lake: { acknowledged: uids.length, pending: 0 } }, imbalances: [] });
});
