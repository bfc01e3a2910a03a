import fs from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findDaemon } from '../../src/admin/client.ts';
import { type AdminOperations, type AdminSettings, startAdmin } from '../../src/admin/server.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { makeSelfSigned } from '../http/certificates.ts';

interface Running {
  readonly url: string;
  readonly dataDir: string;
  readonly token: string;
}

async function temporaryFolder(): Promise<string> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-admin-'));
  onTestFinished(() => fs.rm(folder, { recursive: true, force: true }));
  return folder;
}

async function run(change: Partial<AdminSettings> = {}, notReady: readonly string[] = []): Promise<Running> {
  const dataDir = change.dataDir ?? (await temporaryFolder());
  const operations: AdminOperations = {
    notReady: () => notReady,
    status: () => Promise.resolve({ running: true }),
    metrics: () => Promise.resolve('penstock_up 1\n'),
  };
  const server = await startAdmin({
    listen: { host: '127.0.0.1', port: 0 },
    dataDir,
    operations,
    seams: systemSeams(),
    log: silentLog(),
    ...change,
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { url: server.url, dataDir, token: (await fs.readFile(join(dataDir, 'admin.token'), 'utf8')).trim() };
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

function ask(url: string, path: string, { method = 'GET', headers = {}, body = '' } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, rejectUnauthorized: false };
    const onResponse = (response: http.IncomingMessage): void => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    };
    const request = url.startsWith('https')
      ? https.request(url + path, options, onResponse)
      : http.request(url + path, options, onResponse);
    request.on('error', reject);
    request.end(body);
  });
}

it.each([
  { path: '/healthz', reasons: [], status: 200, body: { ok: true } },
  { path: '/healthz', reasons: ['the journal is not open'], status: 200, body: { ok: true } },
  { path: '/readyz', reasons: [], status: 200, body: { ready: true, reasons: [] } },
  {
    path: '/readyz',
    reasons: ['the journal is not open'],
    status: 503,
    body: { ready: false, reasons: ['the journal is not open'] },
  },
])('answers $path with $status when it lacks $reasons', async ({ path, reasons, status, body }) => {
  const { url } = await run({}, reasons);

  const answer = await ask(url, path);

  expect([answer.status, JSON.parse(answer.body)]).toEqual([status, body]);
});

it('shows the status to who has the token', async () => {
  const { url, token } = await run();

  const answer = await ask(url, '/status', { headers: { authorization: `Bearer ${token}` } });

  expect([answer.status, answer.body, answer.headers['cache-control']]).toEqual([200, '{"running":true}', 'no-store']);
});

it.each([
  { name: 'no token', headers: {} },
  { name: 'another token', headers: { authorization: `Bearer ${'0'.repeat(64)}` } },
  { name: 'half of a token', headers: { authorization: 'Bearer 00' } },
  { name: 'another scheme', headers: { authorization: 'Basic eDp5' } },
])('refuses $name', async ({ headers }) => {
  const { url } = await run();

  const answer = await ask(url, '/status', { headers });

  expect(answer.status).toBe(401);
});

it('takes no token from a query', async () => {
  const { url, token } = await run();

  const answer = await ask(url, `/status?token=${token}&access_token=${token}`);

  expect(answer.status).toBe(401);
});

it.each([
  { name: 'an Origin', headers: { origin: 'https://evil.example' } },
  { name: "the page's own Origin", headers: { origin: 'http://127.0.0.1' } },
  { name: 'a foreign Host', headers: { host: 'evil.example:8690' } },
  { name: 'a Host that only begins like ours', headers: { host: '127.0.0.1.evil.example' } },
])('refuses $name even with the token', async ({ headers }) => {
  const { url, token } = await run();

  const answers = await Promise.all(
    ['/status', '/healthz', '/'].map((path) => ask(url, path, { headers: { authorization: `Bearer ${token}`, ...headers } })),
  );

  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
});

it('gives its numbers to whoever asks, as Prometheus text', async () => {
  const { url } = await run();

  const answer = await ask(url, '/metrics');

  expect([answer.status, answer.body, answer.headers['content-type']]).toEqual([
    200,
    'penstock_up 1\n',
    'text/plain; version=0.0.4',
  ]);
});

it.each([
  { name: 'no token', headers: {}, status: 200 },
  { name: 'its token', headers: undefined, status: 200 },
  { name: 'the token of another daemon', headers: { authorization: `Bearer ${'0'.repeat(64)}` }, status: 401 },
])('answers the health path with $status to $name', async ({ headers, status }) => {
  const { url, token } = await run();

  const answer = await ask(url, '/healthz', { headers: headers ?? { authorization: `Bearer ${token}` } });

  expect(answer.status).toBe(status);
});

it('keeps the token to its owner, makes a new one at each start and takes it away at the end', async () => {
  const dataDir = await temporaryFolder();
  await fs.writeFile(join(dataDir, 'admin.token'), 'old', { mode: 0o644 });

  const { token } = await run({ dataDir });
  const { mode } = await fs.stat(join(dataDir, 'admin.token'));
  const second = await run();

  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(mode & 0o777).toBe(0o600);
  expect(second.token).not.toBe(token);
});

it('says which address is taken', async () => {
  const { url } = await run();
  const port = Number(new URL(url).port);

  const second = run({ listen: { host: '127.0.0.1', port } });

  await expect(second).rejects.toMatchObject({
    code: 'PEN_OPERATION_FAILED',
    message: 'the address is already in use',
    where: `admin 127.0.0.1:${port}`,
  });
});

it('answers commands on this machine in full when it listens to all addresses', async () => {
  const { url, token } = await run({ listen: { host: '0.0.0.0', port: 0 } });

  const answer = await ask(url, '/status', { headers: { authorization: `Bearer ${token}` } });

  expect([new URL(url).hostname, answer.status]).toEqual(['127.0.0.1', 200]);
});

it('serves HTTPS, and the client believes only the configured certificate', async () => {
  const folder = await temporaryFolder();
  const { cert_file, key_file } = makeSelfSigned(folder, 'own');
  const other = makeSelfSigned(folder, 'other');
  const { url, dataDir } = await run({ tls: { cert_file, key_file } });

  const daemon = await findDaemon({ dataDir, files: fs, tls: { cert_file } });

  expect(url).toMatch(/^https:/);
  expect(await daemon?.status()).toEqual({ running: true });
  await expect(findDaemon({ dataDir, files: fs, tls: other })).rejects.toMatchObject({
    message: 'no answer (it serves a different certificate than admin.tls.cert_file)',
  });
});

it('lets the commands reach a running daemon', async () => {
  const { dataDir, url } = await run();

  const daemon = await findDaemon({ dataDir, files: fs });

  expect([daemon?.url, await daemon?.status()]).toEqual([url, { running: true }]);
});

it('finds no daemon where none left a token, where it was killed, or where another took its port', async () => {
  const empty = await temporaryFolder();
  const killed = await temporaryFolder();
  await fs.writeFile(join(killed, 'admin.token'), 'x');
  const taken = await temporaryFolder();
  await fs.writeFile(join(taken, 'admin.token'), 'x');
  const { url } = await run();
  await fs.writeFile(join(taken, 'admin.url'), url);
  const free = http.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  await fs.writeFile(join(killed, 'admin.url'), `http://127.0.0.1:${port}`);

  const found = await Promise.all([empty, killed, taken].map((dataDir) => findDaemon({ dataDir, files: fs })));

  expect(found).toEqual([undefined, undefined, undefined]);
});

it('gives up on a daemon that does not answer', async () => {
  const dataDir = await temporaryFolder();
  const silent = http.createServer(() => undefined).listen(0, '127.0.0.1');
  onTestFinished(() => void silent.close());
  await new Promise((resolve) => silent.once('listening', resolve));
  await fs.writeFile(join(dataDir, 'admin.token'), 'x');
  await fs.writeFile(join(dataDir, 'admin.url'), `http://127.0.0.1:${(silent.address() as { port: number }).port}`);

  await expect(findDaemon({ dataDir, files: fs, timeoutMs: 100 })).rejects.toMatchObject({ message: 'no answer within 100 ms' });
});
