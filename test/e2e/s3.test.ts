// As bundled: the parts of the AWS SDK are chunks that are read when they are needed.
import { expect, it } from 'vitest';
import { openStore } from '../sinks/s3-store.ts';
import { configFile, run } from './penstock.ts';
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
