// What the shipped bundle leaves out of libraries must not be what a tunnel needs.
import http from 'node:http';
import https from 'node:https';
import { afterAll, expect, it } from 'vitest';
import { makeCertificates } from '../http/certificates.ts';
import { listen, openProxy } from '../http/servers.ts';
import { configFile, run } from './penstock.ts';

const certificates = makeCertificates();
afterAll(() => certificates[Symbol.dispose]());

const upstream = { cert: certificates.read('localhost.pem'), key: certificates.read('localhost.key') };
const answering = (_request: unknown, response: { end(text: string): void }): void => response.end('{}');

it.each([
  { what: 'by TLS', scheme: 'https', user: undefined, asked: (port: number) => `CONNECT localhost:${port}` },
  { what: 'by TLS, with credentials', scheme: 'https', user: 'us er:p@ss', asked: (port: number) => `CONNECT localhost:${port}` },
  { what: 'in the clear', scheme: 'http', user: 'u:p', asked: (port: number) => `GET http://localhost:${port}/` },
])('reaches a receiver $what through a proxy, as the package is shipped', async ({ scheme, user, asked }) => {
  await using receiver = await listen(
    scheme === 'https' ? https.createServer(upstream, answering) : http.createServer(answering),
  );
  await using proxy = await openProxy(user);
  const credentials = user === undefined ? '' : `${user.split(':').map(encodeURIComponent).join(':')}@`;
  const file = await configFile({
    proxy: `http://${credentials}127.0.0.1:${proxy.port}`,
    tls: { ca_file: certificates.path('ca.pem') },
    sources: {},
    sinks: { lake: { type: 'http', url: `${scheme}://localhost:${receiver.port}/` } },
  });

  const { code, stdout, stderr } = await run(['check', '-c', file]);

  expect({ code, stderr, said: stdout.includes('lake') }).toEqual({ code: 0, stderr: '', said: true });
  expect(new Set(proxy.seen)).toEqual(new Set([asked(receiver.port)]));
});
