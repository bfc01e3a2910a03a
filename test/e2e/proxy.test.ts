// What the shipped bundle leaves out of libraries must not be what a tunnel needs.
import https from 'node:https';
import { afterAll, expect, it } from 'vitest';
import { makeCertificates } from '../http/certificates.ts';
import { listen, openProxy } from '../http/servers.ts';
import { configFile, run } from './penstock.ts';

const certificates = makeCertificates();
afterAll(() => certificates[Symbol.dispose]());

it('reaches a receiver by TLS through a proxy, as the package is shipped', async () => {
  const tls = { cert: certificates.read('localhost.pem'), key: certificates.read('localhost.key') };
  await using receiver = await listen(https.createServer(tls, (_request, response) => response.end('{}')));
  await using proxy = await openProxy();
  const file = await configFile({
    proxy: `http://127.0.0.1:${proxy.port}`,
    tls: { ca_file: certificates.path('ca.pem') },
    sources: {},
    sinks: { lake: { type: 'http', url: `https://localhost:${receiver.port}/` } },
  });

  const { code, stdout, stderr } = await run(['check', '-c', file]);

  expect({ code, stderr, said: stdout.includes('lake') }).toEqual({ code: 0, stderr: '', said: true });
  expect(new Set(proxy.seen)).toEqual(new Set([`CONNECT localhost:${receiver.port}`]));
});
