import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type AdminSettings, startAdmin } from '../../src/admin/server.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { makeSelfSigned } from '../http/certificates.ts';
import { loudLog } from '../loud-log.ts';
import { virtualClock } from '../virtual-clock.ts';
import { operationsOf } from './operations.ts';

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
  const operations = operationsOf({ notReady: () => notReady });
  const server = await startAdmin({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: 'open',
    dataDir,
    operations,
    seams: systemSeams(),
    log: silentLog(),
    ...change,
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { url: server.url ?? '', dataDir, token: (await fs.readFile(join(dataDir, 'admin.token'), 'utf8')).trim() };
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

it('answers again where what answers could not be read at first', async () => {
  vi.doMock('../../src/admin/routes.ts', () => Promise.reject(new Error('EMFILE: too many open files')));
  const { url } = await run();
  const first = await ask(url, '/healthz');
  vi.doUnmock('../../src/admin/routes.ts');

  const second = await ask(url, '/healthz');

  expect([first.status, second.status]).toEqual([500, 200]);
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
  { name: 'the Origin of another port', headers: { origin: 'http://127.0.0.1' } },
  { name: 'the Origin of a page without one', headers: { origin: 'null' } },
  { name: 'a foreign Host', headers: { host: 'evil.example:8690' } },
  { name: 'a Host that only begins like ours', headers: { host: '127.0.0.1.evil.example' } },
])('refuses $name even with the token', async ({ headers }) => {
  const { url, token } = await run();

  const answers = await Promise.all(
    ['/status', '/healthz', '/'].map((path) => ask(url, path, { headers: { authorization: `Bearer ${token}`, ...headers } })),
  );

  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
});

it.each([
  ['with two of them', (own: string) => `GET /status HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example`],
  ['with another one first', (own: string) => `GET /status HTTP/1.1\r\nHOST: evil.example\r\nHost: ${own}`],
  ['with the same twice', (own: string) => `GET /healthz HTTP/1.1\r\nHost: ${own}\r\nhost: ${own}`],
  ['in an address of its own', (own: string) => `GET http://evil.example/status HTTP/1.1\r\nHost: ${own}`],
  ['as an address', (own: string) => `OPTIONS * HTTP/1.1\r\nHost: ${own}`],
])('refuses a request that could mean another host, %s, even with the token', async (_name, begin) => {
  const { url, token } = await run();
  const { host, hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());

  socket.write(`${begin(host)}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];

  expect(answer.toString()).toMatch(/^HTTP\/1\.1 40[03] /);
});

it.each([
  { path: '/sources/acme%20prod/poll', action: { kind: 'sources', name: 'acme prod', verb: 'poll' } },
  { path: '/sources/a/release', action: { kind: 'sources', name: 'a', verb: 'release' } },
  { path: '/sinks/soc/release', action: { kind: 'sinks', name: 'soc', verb: 'release' } },
  { path: '/sinks/soc/retry', action: { kind: 'sinks', name: 'soc', verb: 'retry' } },
])('does what $path says for its own page, with the token only', async ({ path, action }) => {
  const asked: unknown[] = [];
  const act = (one: unknown): Promise<string> => {
    asked.push(one);
    return Promise.resolve('it is begun');
  };
  const { url, token } = await run({ operations: { ...operationsOf(), act } });
  const headers = { origin: url, authorization: `Bearer ${token}` };

  const answers = [
    await ask(url, path, { method: 'POST', headers }),
    await ask(url, path, { method: 'POST', headers: { origin: url } }),
    await ask(url, path, { method: 'POST', headers: { ...headers, origin: 'https://evil.example' } }),
    await ask(url, path, { headers }),
  ];

  expect(answers.map(({ status }) => status)).toEqual([200, 401, 403, 404]);
  expect(answers[0]?.body).toBe('{"begun":"it is begun"}');
  expect(asked).toEqual([action]);
});

it('says that there is nothing of a name that does not run', async () => {
  const { url, token } = await run();

  const { status, body } = await ask(url, '/sinks/gone/release', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });

  expect([status, body]).toEqual([404, '{"error":"there is nothing of that name that runs"}']);
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

it('serves HTTPS with the configured certificate', async () => {
  const { cert_file, key_file } = makeSelfSigned(await temporaryFolder(), 'own');

  const { url, token } = await run({ tls: { cert_file, key_file } });
  const answer = await ask(url, '/status', { headers: { authorization: `Bearer ${token}` } });

  expect([new URL(url).protocol, answer.body]).toEqual(['https:', '{"running":true}']);
});

it('says why a certificate cannot be used', async () => {
  const folder = await temporaryFolder();
  const [{ cert_file, key_file }, other] = [makeSelfSigned(folder, 'own'), makeSelfSigned(folder, 'other')];

  await expect(run({ tls: { cert_file: '/nowhere/cert.pem', key_file } })).rejects.toMatchObject({ where: 'admin.tls' });
  await expect(run({ tls: { cert_file, key_file: other.key_file } })).rejects.toMatchObject({
    where: 'admin.tls',
    message: expect.stringContaining('holds the key of another certificate') as string,
  });
});

/** The certificate that a server shows. */
async function shownBy(url: string): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const shown = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
  socket.destroy();
  return shown;
}

it('serves with a certificate that was renewed, once its key is there', async () => {
  const clock = virtualClock(0);
  const { log, said } = loudLog();
  const folder = await temporaryFolder();
  const own = makeSelfSigned(folder, 'own');
  const fingerprint = async (): Promise<string> => new X509Certificate(await fs.readFile(own.cert_file)).fingerprint256;
  const [first, oldKey] = [await fingerprint(), await fs.readFile(own.key_file)];
  const { url } = await run({ tls: own, log, seams: { ...systemSeams(), clock } });
  makeSelfSigned(folder, 'own');
  const newKey = await fs.readFile(own.key_file);
  const logged = (text: string): number => said.filter((line) => line.includes(text)).length;

  // A look has ended once it waits for the next one.
  const look = async (): Promise<void> => {
    await clock.advance(30_000);
    await expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
  };

  await fs.writeFile(own.key_file, oldKey);
  await look();
  const stays = logged('the certificate that was read before stays');
  const between = await shownBy(url);
  await fs.writeFile(own.key_file, newKey);
  await look();

  expect([between, await shownBy(url)]).toEqual([first, await fingerprint()]);
  expect([stays, logged('was renewed'), logged('can be used again')]).toEqual([1, 1, 1]);
});

interface Open {
  readonly socket: net.Socket;
  readonly closed: Promise<unknown>;
}

/** Connections that send the beginning of a request and nothing more. */
async function openHalf(url: string, count: number): Promise<Open[]> {
  const { hostname, port } = new URL(url);
  const opened = Array.from({ length: count }, () =>
    net
      .connect(Number(port), hostname)
      .on('error', () => undefined)
      .resume(),
  );
  onTestFinished(() => {
    for (const socket of opened) socket.destroy();
  });
  return await Promise.all(
    opened.map(async (socket) => {
      await once(socket, 'connect');
      socket.write('GET /healthz HTTP/1.1\r\nHost: 127');
      // Also where the end comes as a reset: `once` of `node:events` would reject with it.
      return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) };
    }),
  );
}

it.each(['http', 'https'])('answers over %s beside two hundred connections that ask for nothing', async (scheme) => {
  const tls = scheme === 'https' ? makeSelfSigned(await temporaryFolder(), 'own') : undefined;
  const { url } = await run({ tls });

  const half = await openHalf(url, 200);
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(url, '/healthz')));

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  // The first were closed to make room, the rest because their headers never came.
  await Promise.all(half.map(({ closed }) => closed));
});

it('closes the longest idle connection first, and none that is being answered', async () => {
  const [arrived, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const status = async (): Promise<unknown> => {
    arrived.resolve();
    await slow.promise;
    return { running: true };
  };
  const { url, token } = await run({
    operations: operationsOf({ status }),
  });

  const asked = ask(url, '/status', { headers: { authorization: `Bearer ${token}` } });
  await arrived.promise;
  const half = await openHalf(url, 100);
  await half[0]?.closed;
  const last = half[99]?.socket;
  let heard = '';
  last?.on('data', (chunk: Buffer) => (heard += chunk.toString())).write('.0.0.1\r\nConnection: close\r\n\r\n');
  await half[99]?.closed;
  slow.resolve();

  // Those that came later are still there: the first did not merely take too long.
  expect(heard).toContain('HTTP/1.1 200 OK');
  expect((await asked).body).toBe('{"running":true}');
});
