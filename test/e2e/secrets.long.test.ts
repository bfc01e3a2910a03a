import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { formats } from '../../src/event/event.ts';
import { untilStatus } from './conditions.ts';
import { answer, mint, startOddVendor } from './odd-vendor.ts';
import { configFile, penstock, run } from './penstock.ts';
import { startVendors } from './vendors.ts';
import { writtenIn } from './written.ts';

const marks = { HEC: 'marked-hec-token-7f3a91', BEARER: 'marked-bearer-55e0cc', HEADER: 'marked-header-2b8d40' };

/** A secret as it may stand in a text. */
function formsOf(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
    createHash('sha256').update(secret).digest('hex'),
  ];
}

it('writes no secret anywhere: not in logs, status, dead letters, journal or errors', async () => {
  const vendors = await startVendors(5);
  await using _simulator = vendors.simulator;
  // A receiver that echoes what it was sent, credentials included, and refuses.
  const echo = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(request.url === '/once' ? 400 : 403, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ text: `refused ${request.headers.authorization} ${String(request.headers['x-api-key'])}`, code: 4 }),
      );
    });
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;
  const file = await configFile({
    log: { level: 'debug' },
    sources: vendors.sources,
    sinks: {
      splunk: { type: 'splunk_hec', endpoints: [origin], token: '${env:MARK_HEC}', hold_probe: '1s' },
      bearer: { type: 'http', url: `${origin}/held`, auth: { bearer: '${env:MARK_BEARER}' }, hold_probe: '1s' },
      letters: {
        type: 'http',
        url: `${origin}/once`,
        auth: { header: { name: 'x-api-key', value: '${env:MARK_HEADER}' } },
        batch: { events: 2 },
      },
    },
  });
  const env = { MARK_HEC: marks.HEC, MARK_BEARER: marks.BEARER, MARK_HEADER: marks.HEADER };

  const daemon = penstock(['run', '-c', file], { env });
  await daemon.said(/hold/i);
  const status = await run(['status', '--json', '-c', file], { env });
  const letters = await run(['dead-letters', 'list', '--json', '-c', file], { env });
  const check = await run(['check', '-c', file], { env });
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const written = await writtenIn(join(dirname(file), 'data'));

  echo.close();
  const simulated = ['simulated-client-secret', 'simulated-workspace-secret', 'simulated-workspace-token'];
  const secrets = [...Object.values(marks), ...simulated];
  const forms = [
    ...secrets.flatMap(formsOf),
    Buffer.from('simulated-workspace-token:simulated-workspace-secret').toString('base64'),
  ];
  const said = [
    daemon.stdout(),
    daemon.stderr(),
    ...[status, letters, check].flatMap(({ stdout, stderr }) => [stdout, stderr]),
    written,
  ].join('\n');
  expect(forms.filter((form) => said.includes(form))).toEqual([]);
  expect(letters.stdout.length + status.stdout.length).toBeGreaterThan(100);
});

it("takes the secrets out of a vendor's record, in every output and in the journal", async () => {
  const secrets = [
    'rec-plain-1',
    'rec-cased-2',
    'rec-nested-3',
    'rec-twice-nested-4',
    'rec-prefixed-5',
    'rec-in-text-6',
    'rec-list-7',
    'rec-cut-8',
  ];
  const wrapped = JSON.stringify({ body: JSON.stringify({ client_secret: 'rec-twice-nested-4' }), Access_Token: 'rec-nested-3' });
  const record = {
    id: 'r1',
    action_key: 'token_created',
    occurred_at: new Date(Date.now() - 60_000).toISOString(),
    message: 'made AstraCS:abc:rec-prefixed-5 for dana',
    meta: {
      name: 'ci',
      secret: 'rec-plain-1',
      'API-Key': 'rec-cased-2',
      response: wrapped,
      note: 'answer: {"password": "rec-in-text-6"}',
      private_key: ['rec-list-7'],
      cut: '{"id":1,"refreshToken":"rec-cut-8',
    },
  };
  await using vendor = await startOddVendor(({ response }) =>
    answer(response, { items: [record, JSON.stringify(record)], total_count: 2 }),
  );
  const refusing = await startOddVendor(
    ({ response }) => answer(response, {}, 500),
    (asked) => answer(asked.response, { text: asked.body, code: 6 }, 400),
  );
  await using _refusing = refusing;
  const files = Object.fromEntries(
    formats.map((format) => [
      format,
      { type: 'file', path: `./data/out/${format}`, format, ...(format === 'raw' ? {} : { include_raw: true }) },
    ]),
  );
  const letters = { type: 'http', url: `${refusing.origin}/`, batch: { events: 1 } };
  const file = await configFile({
    log: { level: 'debug' },
    sources: { odd: vendor.source('odd') },
    sinks: { ...files, letters },
  });

  const daemon = penstock(['run', '-c', file]);
  await untilStatus(file, 'dead letters of both records', ({ sinks }) =>
    sinks.some(({ name, dead_letters }) => name === 'letters' && dead_letters >= 2),
  );
  const preview = await run(['preview', 'odd', '--json', '-c', file]);
  const shown = await run(['dead-letters', 'list', '--json', '-c', file]);
  const unknown = await run(['actions', 'anaconda', '--unknown', '-c', file]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  const written = await writtenIn(join(dirname(file), 'data'));
  const said = [daemon.stdout(), daemon.stderr(), ...[preview, shown, unknown].flatMap(({ stdout, stderr }) => [stdout, stderr])];
  const all = [written, ...said].join('\n');
  expect(secrets.flatMap(formsOf).filter((form) => all.includes(form))).toEqual([]);
  expect(shown.stdout).toContain('token_created');
  expect(written.split('[REDACTED]').length).toBeGreaterThan(40);
});

it('writes no secret when credentials are echoed, a proxy refuses, or TLS fails', async () => {
  await using vendor = await startOddVendor(
    ({ name, request, response }) => {
      const echo = `Authorization ${request.headers.authorization} is not good`;
      answer(
        response,
        name === 'html' ? `<html>${echo}</html>` : { detail: echo, authorization: request.headers.authorization },
        401,
      );
    },
    (asked) => {
      if (asked.name !== 'refused') return mint(asked);
      answer(asked.response, { error: 'invalid_client', error_description: `no client with ${asked.body}` }, 400);
    },
  );
  const origin = vendor.origin.replace('http://', '');
  const file = await configFile({
    log: { level: 'debug' },
    sources: {
      echoed: vendor.source('echoed', { client_secret: '${env:MARK}' }),
      html: vendor.source('html', { client_secret: '${env:MARK}' }),
      refused: vendor.source('refused', { client_secret: '${env:MARK}' }),
      proxied: {
        ...vendor.source('proxied', { client_secret: '${env:MARK}', api_url: 'https://api.example.com' }),
        proxy: `http://user:\${env:MARK_PROXY}@${origin}`,
      },
      handshake: vendor.source('handshake', {
        client_secret: '${env:MARK}',
        api_url: `https://${origin}/x`,
        token_url: `https://${origin}/x?client_secret=\${env:MARK}`,
      }),
    },
    sinks: {
      wrong_tls: { type: 'splunk_hec', endpoints: [`https://${origin}`], token: '${env:MARK_HEC}' },
      out: { type: 'file', path: './data/out' },
    },
  });
  const env = { MARK: 'marked+client/secret&=1', MARK_PROXY: 'marked-proxy-password', MARK_HEC: 'marked-hec-token-7f3a91' };

  const daemon = penstock(['run', '-c', file], { env });
  for (const name of ['echoed', 'html', 'refused', 'proxied', 'handshake']) {
    await daemon.said(new RegExp(`"source":"${name}".*(on hold|poll failed)`));
  }
  const results = await Promise.all(
    [['status'], ['status', '--json'], ['check'], ['check', '--json'], ['ledger'], ['validate', '--json']].map((args) =>
      run([...args, '-c', file], { env }),
    ),
  );
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  const written = await writtenIn(join(dirname(file), 'data'));
  const all = [written, daemon.stdout(), daemon.stderr(), ...results.flatMap(({ stdout, stderr }) => [stdout, stderr])].join(
    '\n',
  );
  const forms = [...Object.values(env), 'odd-vendor-access-token', 'user:marked-proxy-password'].flatMap(formsOf);
  expect(forms.filter((form) => all.includes(form))).toEqual([]);
});
