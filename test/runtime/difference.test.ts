import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { differenceOf, refuseFixed } from '../../src/runtime/difference.ts';
import { fakeConnector, load, temporaryFolder } from '../config/load.ts';
import { makeCertificates } from '../http/certificates.ts';

const source = (change: object = {}) => ({
  connector: 'vendor',
  options: { org_id: 'a', client_secret: '${file:secret}' },
  ...change,
});
const sink = (change: object = {}) => ({
  type: 'splunk_hec',
  endpoint: 'https://hec.example.com:8088',
  token: '${env:TOKEN}',
  ...change,
});

/** Loads blocks as JSON, which is YAML. */
async function configOf(folder: string, blocks: object, { token = 'token-1', hash = 'version-1' } = {}): Promise<Config> {
  return load(JSON.stringify(blocks), {
    folder,
    env: { TOKEN: token },
    loadConnector: (name) => Promise.resolve(fakeConnector(name, { hash })),
  });
}

const pairOf = () => {
  using certificates = makeCertificates();
  return { 'cert.pem': certificates.read('client.pem'), 'key.pem': certificates.read('client.key') };
};
const folderWithSecret = (): Promise<string> =>
  temporaryFolder({ secret: 'secret-1', 'ca.pem': pairOf()['cert.pem'], ...pairOf() });
const nothing = { added: [], changed: [], removed: [], kept: [] };
const before = { sources: { feed: source() }, sinks: { soc: sink() } };

describe('a difference', () => {
  it('names what was added, changed, removed and kept; what is not enabled does not run', async () => {
    const folder = await folderWithSecret();
    const org = (org_id: string, change: object = {}) => ({ connector: 'vendor', options: { org_id }, ...change });
    const old = await configOf(folder, {
      sources: { kept: org('a'), changed: org('b'), gone: org('c'), off: org('d'), paused: org('e', { enabled: false }) },
      sinks: { soc: sink() },
    });
    const next = await configOf(folder, {
      sinks: { soc: sink() },
      sources: {
        added: org('f'),
        changed: org('b', { schedule: '5m' }),
        kept: org('a'),
        off: org('d', { enabled: false }),
        paused: org('e'),
      },
    });

    expect(differenceOf(old, next)).toEqual({
      sources: { added: ['added', 'paused'], changed: ['changed'], removed: ['gone', 'off'], kept: ['kept'] },
      sinks: { ...nothing, kept: ['soc'] },
    });
  });

  it.each([
    { what: 'nothing but comments and order', after: { sinks: { soc: sink() }, sources: { feed: source() } }, changed: [[], []] },
    { what: 'a schedule', after: { ...before, sources: { feed: source({ schedule: '5m' }) } }, changed: [['feed'], []] },
    { what: 'a limit', after: { ...before, sources: { feed: source({ rate_limit: '5/1m' }) } }, changed: [['feed'], []] },
    { what: 'a filter', after: { ...before, sinks: { soc: sink({ filter: { min_severity: 3 } }) } }, changed: [[], ['soc']] },
    { what: 'a batch', after: { ...before, sinks: { soc: sink({ batch: { events: 5 } }) } }, changed: [[], ['soc']] },
    {
      what: 'the proxy of all',
      after: { ...before, proxy: 'http://proxy.example.com:3128' },
      changed: [['feed'], ['soc']],
    },
    { what: 'the level of the log', after: { ...before, log: { level: 'debug' } }, changed: [[], []] },
  ])('finds what depends on $what', async ({ after, changed }) => {
    const folder = await folderWithSecret();

    const { sources, sinks } = differenceOf(await configOf(folder, before), await configOf(folder, after));

    expect([sources.changed, sinks.changed]).toEqual(changed);
  });

  it('finds what depends on a secret, on a variable, or on a connector that was repaired', async () => {
    const folder = await folderWithSecret();
    const old = await configOf(folder, before);
    const changedBy = async (facts: { token?: string; hash?: string }) => {
      const { sources, sinks } = differenceOf(old, await configOf(folder, before, facts));
      return [...sources.changed, ...sinks.changed];
    };

    expect(await changedBy({ token: 'token-2' })).toEqual(['soc']);
    expect(await changedBy({ hash: 'version-2' })).toEqual(['feed']);
    await writeFile(join(folder, 'secret'), 'secret-2');
    expect(await changedBy({})).toEqual(['feed']);
  });

  it('finds what depends on a certificate or an authority that was renewed under its name', async () => {
    const folder = await folderWithSecret();
    const own = { cert_file: 'cert.pem', key_file: 'key.pem' };
    const blocks = { tls: { ca_file: 'ca.pem' }, sources: { feed: source() }, sinks: { soc: sink({ tls: own }), lake: sink() } };
    const old = await configOf(folder, blocks);
    const changed = async () => {
      const { sources, sinks } = differenceOf(old, await configOf(folder, blocks));
      return [...sources.changed, ...sinks.changed];
    };

    expect(await changed()).toEqual([]);
    for (const [name, text] of Object.entries(pairOf())) await writeFile(join(folder, name), text);
    expect([await changed(), await old.files.changed()]).toEqual([['soc'], [join(folder, 'cert.pem'), join(folder, 'key.pem')]]);
    await writeFile(join(folder, 'ca.pem'), pairOf()['cert.pem']);
    expect(await changed()).toEqual(['feed', 'soc', 'lake']);
  });
});

it('finds no difference in a certificate of the admin server that was renewed: that is used by itself', async () => {
  const folder = await folderWithSecret();
  const config = await configOf(folder, { ...before, admin: { tls: { cert_file: 'cert.pem', key_file: 'key.pem' } } });

  for (const [name, text] of Object.entries(pairOf())) await writeFile(join(folder, name), text);

  expect(await config.files.changed()).toEqual([]);
});

it.each([
  { change: { data_dir: './elsewhere' }, keys: 'data_dir' },
  { change: { admin: { listen: '127.0.0.1:9000' } }, keys: 'admin.listen' },
  { change: { admin: { tls: { cert_file: 'cert.pem', key_file: 'key.pem' } } }, keys: 'admin.tls' },
  { change: { journal: { max_bytes: '1GiB', keep: '1d' } }, keys: 'journal.max_bytes and journal.keep' },
])('refuses to change $keys without a restart', async ({ change, keys }) => {
  const folder = await folderWithSecret();
  const [old, next] = [await configOf(folder, before), await configOf(folder, { ...before, ...change })];

  expect(() => refuseFixed(old, next)).toThrow(`${keys} cannot change while the daemon runs`);
  expect(() => refuseFixed(old, old)).not.toThrow();
});
