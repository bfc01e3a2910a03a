// Secrets of every kind, which every peer repeats in whatever it says: no command shows one, and no file holds one.

import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { until, untilStatus } from './conditions.ts';
import { answer, startOddVendor } from './odd-vendor.ts';
import { configFile, penstock, run } from './penstock.ts';
import { writtenIn } from './written.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const twofold = (text: string): string => base64(base64(text));
const writings: readonly ((text: string) => string)[] = [
  String,
  encodeURIComponent,
  (text) => JSON.stringify(text).slice(1, -1),
  (text) => text.replaceAll('/', '\\/'),
  base64,
  (text) => Buffer.from(text).toString('base64url'),
  (text) => Buffer.from(text).toString('hex'),
  twofold,
];

const marks = {
  CLIENT_SECRET: 'planted-client/Sc+"0001',
  MINTED: 'planted-minted/Tk+0002',
  HEADER: 'planted-header/Hd+0003',
  QUERY: 'planted-query/Qu+0004',
  BASIC: 'planted-basic/Ba+0005',
  HEC: 'planted-hec/To+0006',
  PROXY: 'planted-proxy-Px0007',
  HOOK: 'T0PLANTED/B0HOOK008/s3gmentOfPath0008',
  SASL: 'planted-sasl/Sa+0009',
  S3_KEY: 'planted-s3/Key+0010',
  S3_SESSION: 'planted-s3/Session+0011',
  OAUTH: 'planted-oauth/Oa+0012',
  SINK_MINTED: 'planted-sink-minted/Sm+0013',
  DATABASE: 'planted-database/Db+0014',
};
const env = Object.fromEntries(Object.entries(marks).filter(([name]) => !name.endsWith('MINTED')));
const { DATABASE: _database, SINK_MINTED: _minted, ...known } = marks;
const formsOf = (some: Readonly<Record<string, string>>): string[] =>
  Object.values(some).flatMap((mark) => writings.map((write) => write(mark)));
const forms = [...formsOf(marks), base64(`user:${marks.BASIC}`), base64(`user:${marks.PROXY}`), base64(`\0user\0${marks.SASL}`)];
const sayAll = formsOf(known).join(' , ');
/** Twofold base64 is not looked for in records: it would cost too much of each. */
const inRecord = Object.values(known).flatMap((mark) =>
  writings.filter((write) => write !== twofold).map((write) => write(mark)),
);

/** A receiver of whatever kind, token endpoint, store and proxy, which says all that it knows. */
async function startEcho() {
  const server = createHttpServer((request, response) => {
    const url = request.url ?? '';
    request.resume().on('end', () => {
      if (url.endsWith('/token')) return answer(response, { access_token: marks.SINK_MINTED, expires_in: 900 });
      if (request.headers['proxy-authorization'] !== undefined) return answer(response, sayAll, 407, 'text/plain');
      if (url.includes('moved')) {
        response.writeHead(302, {
          location: `${origin}/else?token=${encodeURIComponent(marks.HEADER)}&key=${base64(marks.QUERY)}`,
        });
        return response.end();
      }
      if (url.includes('lake'))
        return answer(
          response,
          `<Error><Code>${marks.S3_KEY}</Code><Message>${sayAll}</Message></Error>`,
          403,
          'application/xml',
        );
      if (url.includes('services/collector')) return answer(response, { code: 4, text: sayAll }, 403);
      answer(response, { error: sayAll, [marks.HEADER]: formsOf(known) }, url.includes('letters') ? 400 : 403);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/** A server that answers whatever it hears with the same bytes. */
async function startParrot(bytes: (heard: Buffer) => Buffer) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (chunk) => void socket.write(bytes(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const found = (text: string): string[] => forms.filter((form) => text.includes(form));

it('shows no secret in any command and keeps none in data_dir, though every peer repeats all of them', async () => {
  await using echo = await startEcho();
  await using relp = await startParrot(() => Buffer.from(`1 rsp ${Buffer.byteLength(`500 ${sayAll}`)} 500 ${sayAll}\n`));
  await using broker = await startParrot(() => Buffer.from(sayAll));
  let records = 0;
  await using vendor = await startOddVendor(
    ({ response, name }) => {
      if (name !== 'good') return answer(response, { message: sayAll, code: marks.HEC }, name === 'broken' ? 500 : 403);
      records += 1;
      const record = {
        id: `r${records} ${marks.HEC}`,
        action_key: `made.${marks.HEADER}`,
        occurred_at: new Date(Date.now() - 60_000).toISOString(),
        message: `made ${marks.SASL} for dana`,
        list: inRecord,
        [marks.BASIC]: base64(marks.S3_KEY),
      };
      answer(response, { items: [record], total_count: 1 });
    },
    ({ response, name }) =>
      name === 'unknowing'
        ? answer(response, { error: 'invalid_client', error_description: sayAll }, 401)
        : answer(response, { access_token: marks.MINTED, token_type: 'Bearer', expires_in: 900, scope: sayAll }),
  );
  const downloads = await mkdtemp(join(tmpdir(), 'penstock-planted-'));
  await writeFile(join(downloads, 'audit.csv'), `${marks.BASIC},${marks.HEC}\n1,2\n`);
  const source = (name: string) => vendor.source(name, { client_secret: '${env:CLIENT_SECRET}' });
  const http = (path: string, more: object) => ({ type: 'http', url: `${echo.origin}/${path}`, hold_probe: '1s', ...more });
  const header = { auth: { header: { name: 'x-api-key', value: '${env:HEADER}' } } };
  const file = await configFile({
    log: { level: 'debug' },
    sources: {
      good: source('good'),
      refusing: source('refusing'),
      broken: source('broken'),
      unknowing: source('unknowing'),
      proxied: { ...source('proxied'), proxy: `http://user:\${env:PROXY}@${echo.origin.replace('http://', '')}` },
      files: {
        connector: 'astra-csv',
        options: { directory: downloads, org_id: 'd04d1eb2-6a52-483e-ab16-faaad3d077a9' },
        schedule: '1s',
      },
    },
    sinks: {
      header: http('held', header),
      letters: http('letters', { ...header, batch: { events: 1 } }),
      moved: http('moved', header),
      query: http('held?api_key=${env:QUERY}', {}),
      basic: http('held', { auth: { basic: { username: 'user', password: '${env:BASIC}' } } }),
      proxied: http('held', { proxy: `http://user:\${env:PROXY}@${echo.origin.replace('http://', '')}` }),
      hook: http('services/${env:HOOK}', {}),
      oauth: http('held', {
        auth: { oauth2: { token_url: `${echo.origin}/token`, client_id: 'c', client_secret: '${env:OAUTH}' } },
      }),
      hec: { type: 'splunk_hec', endpoints: [echo.origin], token: '${env:HEC}', hold_probe: '1s' },
      lake: {
        type: 's3',
        bucket: 'lake',
        endpoint: echo.origin,
        access_key_id: 'AKIAPLANTED',
        secret_access_key: '${env:S3_KEY}',
        session_token: '${env:S3_SESSION}',
        batch: { wait: '1s' },
      },
      kafka: {
        type: 'kafka',
        brokers: [`tcp://127.0.0.1:${broker.port}`],
        topic: 'audit',
        auth: { plain: { username: 'user', password: '${env:SASL}' } },
      },
      relp: { type: 'syslog', address: `relp://127.0.0.1:${relp.port}` },
      kept: { type: 'file', path: './data/out', format: 'raw' },
    },
  });
  const daemon = penstock(['run', '-c', file], { env });
  const status = await untilStatus(file, 'holds and letters', ({ sinks }) => {
    const states = sinks.filter(({ state }) => state === 'hold').map(({ name }) => name);
    return (
      ['header', 'moved', 'basic', 'hook', 'hec', 'lake'].every((name) => states.includes(name)) &&
      sinks.some(({ dead_letters }) => dead_letters > 0)
    );
  });
  await daemon.said(/"source":"refusing".*on hold/);
  const commands = [
    ['status'],
    ['status', '--json'],
    ['check'],
    ['check', '--json'],
    ['doctor'],
    ['doctor', '--json'],
    ['ledger'],
    ['ledger', '--json'],
    ['dead-letters', 'list'],
    ['dead-letters', 'list', '--json'],
    ['dead-letters', 'show', '1'],
    ['tail', '--since', '1h', '--no-follow'],
    ['tail', '--since', '1h', '--no-follow', '--sink', 'letters', '--format', 'raw'],
    ['preview', 'good', '--json'],
    ['preview', 'refusing'],
    ['validate', '--json'],
    ['sources'],
    ['sinks'],
  ];
  const shown: string[] = [];
  for (const command of commands) {
    const { stdout, stderr } = await run([...command, '-c', file], { env });
    shown.push(`${stdout}${stderr}`);
  }
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  const init = await run(['init', '--vendor', 'okta', '--sink', 'splunk_hec', '--dir', downloads], { env });
  const leaks = Object.fromEntries(
    [
      ...commands.map((command, at) => [command.join(' '), found(shown[at] ?? '')] as const),
      ['init', found(`${init.stdout}${init.stderr}`)] as const,
      ['log', found(`${daemon.stdout()}${daemon.stderr()}`)] as const,
      ['data_dir', found(await writtenIn(join(dirname(file), 'data')))] as const,
    ].filter(([, forms]) => forms.length > 0),
  );
  expect(leaks).toEqual({});
  expect(status.sinks.length).toBeGreaterThan(10);
  expect(shown.filter((text) => text.length < 20)).toEqual([]);
});

it('shows no password of a journal whose server repeats it', async () => {
  const own = writings.map((write) => write(marks.DATABASE));
  const words = Buffer.from(`SFATAL\0C28P01\0M${own.join(' , ')}\0\0`);
  const refusal = Buffer.concat([Buffer.from('E'), Buffer.from(Uint32Array.of(words.length + 4).buffer).reverse(), words]);
  await using database = await startParrot(() => refusal);
  const file = await configFile({
    journal: { url: `postgres://user@127.0.0.1:${database.port}/penstock`, password: '${env:DATABASE}' },
    sinks: { kept: { type: 'file', path: './out' } },
  });
  const shown: string[] = [];
  for (const command of [
    ['run', '--once'],
    ['doctor'],
    ['doctor', '--json'],
    ['status', '--json'],
    ['journal', 'check'],
    ['ledger'],
  ]) {
    const running = penstock([...command, '-c', file], { env });
    await Promise.race([running.exited, until(`${command.join(' ')} says why`, () => running.stderr().includes('28P01'))]);
    running.child.kill('SIGKILL');
    await running.exited;
    shown.push(`${running.stdout()}${running.stderr()}`);
  }

  expect(shown.map(found)).toEqual(shown.map(() => []));
  expect(shown.join('')).toContain('[REDACTED]');
});
