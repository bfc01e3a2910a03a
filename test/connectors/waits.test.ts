import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { Waits } from '../../src/base/waits.ts';
import { openHttpClient } from '../../src/http/index.ts';
import { type Handler, serve } from '../http/servers.ts';
import { openSource, userAgent } from './open-source.ts';

const headers = { 'content-type': 'application/json' };
const token = JSON.stringify({ access_token: 'access-token-1', token_type: 'Bearer', expires_in: 900 });

function trickle(response: ServerResponse): void {
  response.writeHead(200, headers);
  response.write('{"items":[');
}

/** What a source is said to wait for once that is `expected`; fails by the time limit of the test otherwise. */
async function waitsFor(expected: RegExp, onToken: Handler, onPage: Handler, more = {}): Promise<string> {
  await using server = await serve((request, response) => {
    request.resume();
    (request.method === 'POST' ? onToken : onPage)(request, response);
  });
  const origin = `http://127.0.0.1:${server.port}`;
  const waits = new Waits(systemSeams().clock, String);
  const options = {
    org_id: 'o',
    client_id: 'c',
    client_secret: 'client-secret-1',
    api_url: origin,
    token_url: `${origin}/token`,
  };
  await using source = await openSource('anaconda', options, {
    waits,
    http: await openHttpClient({ userAgent }, systemSeams(), {}),
    ...more,
  });
  const end = new AbortController();
  if (source.reader.kind !== 'http_window') throw new Error('a window reader is due');
  const page = source.reader.page({ from: 0, to: 1000, state: null }, end.signal).catch(() => undefined);
  await expect.poll(() => waits.longest()?.what ?? '').toMatch(expected);
  const said = (waits.longest()?.what ?? '').replace(origin, 'ORIGIN');
  end.abort();
  await page;
  // A login that others may wait for goes on until its connection ends.
  await server[Symbol.asyncDispose]();
  expect(waits.longest()).toBeUndefined();
  return said;
}

const mint: Handler = (_request, response) => response.writeHead(200, headers).end(token);
const silent: Handler = () => undefined;

it.each([
  { name: 'no answer at all', onToken: mint, onPage: silent, said: 'an answer from ORIGIN' },
  {
    name: 'headers alone',
    onToken: mint,
    onPage: (_request: unknown, response: ServerResponse) => response.writeHead(200, headers).flushHeaders(),
    said: 'the rest of an answer from ORIGIN, of which 0 B came',
  },
  {
    name: 'a body that trickles',
    onToken: mint,
    onPage: (_request: unknown, response: ServerResponse) => trickle(response),
    said: 'the rest of an answer from ORIGIN, of which 10 B came',
  },
  { name: 'a login without an answer', onToken: silent, onPage: silent, said: 'the login to give a token' },
])('tells of $name', async ({ onToken, onPage, said }) => {
  expect(await waitsFor(new RegExp(`^${said.replace('ORIGIN', '.*')}$`), onToken, onPage)).toBe(said);
});

it('tells of the rate limit', async () => {
  const limit = (_key: string, signal: AbortSignal): Promise<void> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

  expect(await waitsFor(/./, mint, silent, { limit })).toBe('its turn under the rate limit');
});
