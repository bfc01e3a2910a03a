// Vendors, receivers and proxies that repeat what proves who we are, in whichever encoding: none of it is written down or shown.

import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { answer, mint, startOddVendor } from './odd-vendor.ts';
import { configFile, penstock, run } from './penstock.ts';
import { writtenIn } from './written.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const encodings: readonly ((text: string) => string)[] = [
  String,
  encodeURIComponent,
  (text) => encodeURIComponent(text).toLowerCase(),
  (text) => text.replaceAll('/', '\\/'),
  (text) => text.replaceAll('/', '&#x2F;').replaceAll('+', '&#43;'),
  base64,
  (text) => base64(text).replace(/=+$/, ''),
  (text) => Buffer.from(text).toString('base64url'),
  (text) => Buffer.from(text).toString('hex'),
  (text) => text.slice(0, -4),
  (text) => encodeURIComponent(encodeURIComponent(text)),
  (text) => text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  (text) => Buffer.from(text).toString('hex').toUpperCase().replace(/../g, '=$&'),
  (text) => Buffer.from(text, 'utf16le').toString('base64'),
  (text) => base64(base64(text)),
  (text) => text.replace(/.{7}/g, '$&\r\n '),
];

const marks = {
  basic: 'marked-basic/Pw+0001',
  minted: 'marked-minted/Tk+0002',
  webhook: 'T0MARKED/B0HOOK003/s3gmentOfPath0003',
  clientSecret: 'marked-client/Sc+0004',
  live: 'odd-vendor-access-token',
};

const told = ({ headers, url = '' }: IncomingMessage): string => {
  const proof = String(headers.authorization).replace(/^(?:Bearer|Basic) /, '');
  const plain = String(headers.authorization).startsWith('Basic ')
    ? Buffer.from(proof, 'base64').toString().replace('user:', '')
    : proof;
  return [proof, ...[plain, url].flatMap((text) => encodings.map((encode) => encode(text)))].join(' , ');
};

/** A receiver that refuses, and repeats in its page who asked; it mints tokens, too. */
async function startEcho() {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url === '/token') return answer(response, { access_token: marks.minted, expires_in: 900 });
      return answer(response, `refused: ${told(request)}`, request.url?.includes('letters') === true ? 400 : 403, 'text/plain');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

it('shows and stores no credential that a peer repeats, whatever its encoding', async () => {
  await using echo = await startEcho();
  let polls = 0;
  const record = (request: IncomingMessage): object => ({
    id: `r${++polls}`,
    action_key: 'token_created',
    occurred_at: new Date(Date.now() - 60_000).toISOString(),
    message: `made ${String(request.headers.authorization).replace('Bearer ', '')} for dana`,
    note: base64(String(request.headers.authorization).replace('Bearer ', '')),
  });
  await using vendor = await startOddVendor(({ request, response, name }) =>
    name === 'refusing'
      ? answer(response, { message: told(request) }, 403)
      : answer(response, { items: [record(request)], total_count: 1 }),
  );
  await using unknowing = await startOddVendor(
    ({ response }) => answer(response, { items: [] }),
    (asked) => (asked.name === 'unknowing' ? answer(asked.response, { error: asked.body }, 401) : mint(asked)),
  );
  const sink = (path: string, more: object) => ({ type: 'http', url: `${echo.origin}/${path}`, hold_probe: '1s', ...more });
  const basic = { auth: { basic: { username: 'user', password: '${env:BASIC}' } } };
  const oauth2 = { token_url: `${echo.origin}/token`, client_id: 'c', client_secret: '${env:SECRET}' };
  const file = await configFile({
    log: { level: 'debug' },
    sources: {
      good: vendor.source('good'),
      refusing: vendor.source('refusing'),
      unknowing: unknowing.source('unknowing', { client_secret: '${env:SECRET}' }),
    },
    sinks: {
      basic: sink('basic', basic),
      letters: sink('letters', { ...basic, batch: { events: 1 } }),
      minted: sink('minted', { auth: { oauth2 } }),
      webhook: { type: 'http', url: '${env:WEBHOOK}', hold_probe: '1s' },
      kept: { type: 'file', path: './data/out', format: 'raw' },
    },
  });
  const env = { BASIC: marks.basic, SECRET: marks.clientSecret, WEBHOOK: `${echo.origin}/services/${marks.webhook}` };

  const daemon = penstock(['run', '-c', file], { env });
  const ask = (...command: string[]) => run([...command, '-c', file], { env });
  await expect.poll(async () => (await ask('dead-letters', 'list', '--json')).stdout, { interval: 500 }).toContain('refused');
  await expect
    .poll(async () => (await ask('status', '--json')).stdout.split('"hold"').length, { interval: 500 })
    .toBeGreaterThan(5);
  const shown = [
    await ask('status', '--json'),
    await ask('status'),
    await ask('dead-letters', 'list', '--json'),
    await ask('check', '--json'),
    await ask('preview', 'good', '--json'),
  ].flatMap(({ stdout, stderr }) => [stdout, stderr]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  const all = [daemon.stdout(), daemon.stderr(), ...shown, await writtenIn(join(dirname(file), 'data'))].join('\n');
  const secrets = [...Object.values(marks), 's3gmentOfPath0003', base64(`user:${marks.basic}`)];
  const forms = secrets.flatMap((secret) => encodings.map((encode) => encode(secret)));
  expect(forms.filter((form) => all.includes(form))).toEqual([]);
  expect(all).toContain('made [REDACTED] for dana');
});

it("takes a token out of its own source's records alone: who mints one chooses its words", async () => {
  const said = 'login of mallory7@example.com';
  const occurred_at = new Date(Date.now() - 60_000).toISOString();
  let isMinted = false;
  await using vendor = await startOddVendor(
    ({ response, name }) => {
      isMinted ||= name === 'evil';
      const record = { id: name, action_key: 'login', occurred_at, message: said };
      answer(response, isMinted ? { items: [record], total_count: 1 } : { items: [], total_count: 0 });
    },
    (asked) => answer(asked.response, { access_token: asked.name === 'evil' ? 'mallory7@example.com' : `of-${asked.name}-0001` }),
  );
  const file = await configFile({
    sources: { evil: vendor.source('evil'), good: vendor.source('good') },
    sinks: { kept: { type: 'file', path: './data/out', format: 'raw' } },
  });

  const daemon = penstock(['run', '-c', file]);
  const kept = async (): Promise<string[]> =>
    (await readFile(join(dirname(file), 'data', 'out'), 'utf8').catch(() => '')).trim().split('\n');
  await expect.poll(async () => (await kept()).length, { timeout: 30_000 }).toBe(2);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  const records = await kept();
  expect(records.find((line) => line.includes('"good"'))).toContain(said);
  expect(records.find((line) => line.includes('"evil"'))).toContain('login of [REDACTED]');
});
