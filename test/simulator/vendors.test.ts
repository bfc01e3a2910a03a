import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type Faults, noFaults, type Simulator, startSimulator } from '../../src/simulator/index.ts';

const samples = {
  anaconda: [{ action_key: 'policy_updated', message: 'changed' }],
  'analyst-studio': [{ action: 'group_created', description: 'created', context: {}, actor: { username: 'sam' } }],
  'astra-csv': [
    { typename: 'AuditEvent', actionResult: 'SUCCESS', userID: 'u1', event: '{"a":"x, \\"y\\""}', eventType: 'CREATE_ROLE' },
  ],
};

async function start(faults: Partial<Faults> = {}, downloads?: string): Promise<Simulator> {
  const seams = { ...systemSeams(), random: seededRandom(7) };
  const settings = { seams, faults: { ...noFaults, ...faults }, ratePerMinute: 60, historyMs: 600_000, port: 0, samples };
  return startSimulator(downloads === undefined ? settings : { ...settings, downloads });
}

interface SimulatedSource {
  options: Record<string, string>;
}

function optionsOf(simulator: Simulator, name: string): Record<string, string> {
  return (simulator.sources[name] as SimulatedSource).options;
}

async function call(url: string, headers: Record<string, string>, body?: string) {
  const answer = await request(url, { method: body === undefined ? 'GET' : 'POST', headers, body: body ?? null });
  const text = await answer.body.text();
  const json: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
  return {
    status: answer.statusCode,
    text,
    json: json as Record<string, unknown[]> & Record<string, string>,
    headers: answer.headers,
  };
}

async function anacondaToken(options: Record<string, string>): Promise<string> {
  const body = `grant_type=client_credentials&client_id=${options['client_id']}&client_secret=${options['client_secret']}`;
  const answer = await call(options['token_url'] ?? '', { 'content-type': 'application/x-www-form-urlencoded' }, body);
  return answer.json['access_token'] ?? '';
}

it('returns what was inserted between two instants, both included, after a token was minted', async () => {
  await using simulator = await start();
  const options = optionsOf(simulator, 'anaconda-acme');
  const row = simulator.issued('anaconda')[10];
  const at = new Date(row?.occurredAt ?? 0).toISOString();

  const token = await anacondaToken(options);
  const query = `from_date=${at}&to_date=${at}&sort=occurred_at,id&limit=1000&offset=0`;
  const answer = await call(`${options['api_url']}/api/audit-logs?${query}`, {
    authorization: `Bearer ${token}`,
    'x-org-name': options['org_id'] ?? '',
    'x-api-version': 'v1',
  });

  expect(answer.status).toBe(200);
  expect(answer.json['items']).toContainEqual(row?.record);
});

it('refuses a page size of 1001 with the documented body', async () => {
  await using simulator = await start();
  const options = optionsOf(simulator, 'anaconda-acme');

  const headers = { authorization: `Bearer ${await anacondaToken(options)}`, 'x-org-name': options['org_id'] ?? '' };
  const answer = await call(`${options['api_url']}/api/audit-logs?limit=1001`, headers);

  expect(answer.status).toBe(422);
  expect(answer.json['detail']).toEqual([
    { loc: ['query', 'limit'], msg: 'Input should be between 1 and 1000', type: 'value_error' },
  ]);
});

it('answers 406 before it looks at credentials, and 401 without JSON', async () => {
  await using simulator = await start();
  const url = `${optionsOf(simulator, 'studio-acme')['base_url']}/api/acme/audit_logs`;

  const wrongAccept = await call(url, { accept: 'application/hal+json' });
  const wrongToken = await call(url, { accept: 'application/json', authorization: 'Basic eDp5' });

  expect([wrongAccept.status, wrongToken.status, wrongToken.json]).toEqual([406, 401, undefined]);
});

it('logs every read of the audit log itself', async () => {
  await using simulator = await start();
  const options = optionsOf(simulator, 'studio-acme');
  const authorization = `Basic ${Buffer.from(`${options['token']}:${options['secret']}`).toString('base64')}`;
  const query = `start_timestamp=${new Date(0).toISOString()}&end_timestamp=${new Date().toISOString()}`;

  await call(`${options['base_url']}/api/acme/audit_logs?${query}`, {
    accept: 'application/json',
    authorization,
    'user-agent': 'reader/1',
  });

  const accesses = simulator
    .issued('analyst-studio')
    .filter(({ record }) => (record as { action: string }).action === 'audit_log_accessed');
  expect(accesses.map(({ record }) => (record as { actor: { user_agent: string } }).actor.user_agent)).toEqual(['reader/1']);
});

it('sends 429 with a date when that fault is on', async () => {
  await using simulator = await start({ rate_limited_date: 1 });

  const answer = await call(`${optionsOf(simulator, 'studio-acme')['base_url']}/api/acme/audit_logs`, {
    accept: 'application/json',
  });

  expect(answer.status).toBe(429);
  expect(Date.parse(String(answer.headers['retry-after']))).toBeGreaterThan(0);
});

it('writes downloads with quoted cells and nothing half-written in sight', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-downloads-'));

  await using simulator = await start({}, directory);
  const names = await readdir(directory);
  const text = await readFile(join(directory, names[0] ?? ''), 'utf8');

  expect(names).toHaveLength(1);
  expect(text.split('\r\n')[1]).toContain('AuditEvent,SUCCESS,u1,"{""a"":""x, \\""y\\""""}",');
  expect(simulator.issued('astra-csv').length).toBe(text.trimEnd().split('\r\n').length - 1);
});

it('has all of its history, however long', async () => {
  const random = seededRandom(7);
  const seams = { ...systemSeams(), random };
  const historyMs = 200 * 3_600_000;
  await using simulator = await startSimulator({ seams, faults: noFaults, ratePerMinute: 15, historyMs, port: 0, samples });

  const rows = simulator.issued('anaconda');

  expect(rows.length).toBeGreaterThan(150_000);
  expect(Date.now() - (rows[0]?.occurredAt ?? 0)).toBeGreaterThan(historyMs - 3_600_000);
});
