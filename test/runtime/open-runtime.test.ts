import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { openSink } from '../../src/runtime/open-runtime.ts';
import { sinkTypes } from '../../src/sinks/index.ts';
import { load, temporaryFolder } from '../config/load.ts';
import { makeCertificates } from '../http/certificates.ts';

const yaml = `proxy: \${file:proxy}
tls: { ca_file: ca.pem, cert_file: client.pem, key_file: client.key }
sinks: { soc: { type: splunk_hec, endpoints: ["https://hec.example.com:8088"], token: "\${file:token}" } }`;

/** Files of the given names, each with another content than before. */
function renewed(...names: readonly string[]): Record<string, string> {
  using certificates = makeCertificates();
  const texts: Readonly<Record<string, string>> = {
    'ca.pem': certificates.read('ca.pem'),
    'client.pem': certificates.read('client.pem'),
    'client.key': certificates.read('client.key'),
    token: 'token-0002',
    proxy: 'http://me:second@proxy.example.com:3128',
  };
  return Object.fromEntries(names.map((name) => [name, texts[name] ?? '']));
}

it.each([
  { what: 'nothing', change: {}, expected: false },
  { what: 'a secret', change: renewed('token'), expected: true },
  { what: 'the password of a proxy', change: renewed('proxy'), expected: true },
  { what: 'an authority', change: renewed('ca.pem'), expected: true },
  { what: 'a client certificate', change: renewed('client.pem', 'client.key'), expected: true },
  { what: 'a certificate whose key is still to come', change: renewed('client.pem'), expected: false },
  { what: 'an authority that is half written', change: { 'ca.pem': '-----BEGIN CERTIFICATE-----\nMII' }, expected: false },
  { what: 'a secret that is emptied', change: { token: '' }, expected: false },
  { what: 'an authority that is gone', change: { 'ca.pem': undefined }, expected: false },
])('is outdated once $what has been replaced: $expected', async ({ change, expected }) => {
  const first = renewed('ca.pem', 'client.pem', 'client.key');
  const folder = await temporaryFolder({ ...first, token: 'token-0001', proxy: 'http://me:first@proxy.example.com:3128' });
  const [config] = (await load(yaml, { folder, sinkTypes })).sinks;
  const seams = systemSeams();
  await using sink = await openSink(config ?? expect.fail('no sink'), {
    seams,
    log: silentLog(),
    userAgent: 'x',
    secrets: createSecrets(),
  });
  const before = await sink.isOutdated?.();

  for (const [name, text] of Object.entries(change))
    await (text === undefined ? rm(join(folder, name)) : writeFile(join(folder, name), text));

  expect([before, await sink.isOutdated?.()]).toEqual([false, expected]);
});
