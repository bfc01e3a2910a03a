import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { itInLongTests } from '../thorough.ts';
import { type AuditRecord, startAuditApi } from './audit-api.ts';
import { patienceMs } from './patience.ts';
import { command, configFile, penstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { startVendors } from './vendors.ts';

const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const record = (id: string, minutes: number): AuditRecord => ({
  id,
  occurred_at: minutesAgo(minutes),
  event_type: 'user.login',
  actor: { id: 'u-1', login: 'dana' },
});
const day = (offset: number): string => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

async function withConnector(config: Readonly<Record<string, unknown>>): Promise<string> {
  const file = await configFile({ connectors_dir: './connectors', ...config });
  await newConnector('acme', join(dirname(file), 'connectors'), systemSeams());
  return file;
}

interface Status {
  readonly sources: { readonly name: string; readonly state: string; readonly details?: Record<string, unknown> }[];
  readonly problems: { readonly level: string; readonly where: string; readonly what: string; readonly fix?: string }[];
}

it('tells of silence, expiring credentials and a cursor that nears the retention; status --check fails on what loses data', async () => {
  const soon = day(5);
  await using vendor = await startAuditApi([record('e-1', 9)], {
    instead(org, _request, response) {
      if (org !== 'stuck') return false;
      response.writeHead(500).end();
      return true;
    },
  });
  const source = (org: string, more: object): object => ({
    connector: 'acme',
    options: { api_url: vendor.origin, org, token: 'made-up' },
    schedule: '1s',
    start: '1h',
    ...more,
  });
  const file = await withConnector({
    sources: {
      silent: source('silent', { expect_events_within: '1s' }),
      soon: source('soon', { credential_expires: soon }),
      late: source('late', { credential_expires: day(40) }),
      // Its cursor stays an hour old, and grows older by what this test takes.
      stuck: source('stuck', { retention: '75m' }),
      well: source('well', { expect_events_within: '1d', retention: '90d' }),
    },
    sinks: { out: { type: 'file', path: './out.ndjson' } },
  });
  const daemon = penstock(['run', '-c', file]);
  await daemon.said(/"source":"soon".*"warning":"credential_expires".*source needs attention/);
  await daemon.said(/"source":"stuck".*poll failed/);

  const status = async (): Promise<string[][]> =>
    (JSON.parse((await command(['status', '--json', '-c', file])).stdout) as Status).problems.map(({ level, where, what }) => [
      level,
      where,
      what.replace(/\d+[smhd]( \d+[smh])?/g, 'T'),
    ]);
  // Silence counts from the one event that came, which may be less than a second ago.
  await expect
    .poll(status, { timeout: patienceMs })
    .toContainEqual(['error', 'source silent', expect.stringContaining('no new event for T, expected within T')]);
  const problems = await status();
  const check = await command(['status', '--check', '-c', file]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(problems).toContainEqual(['warning', 'source soon', expect.stringContaining(`the credential expires on ${soon}`)]);
  expect(problems).toContainEqual([
    'error',
    'source stuck',
    expect.stringContaining('and the vendor keeps T: events are lost unless'),
  ]);
  expect(problems.filter(([, where]) => where === 'source late' || where === 'source well')).toEqual([]);
  expect(check.code).toBe(1);
  expect(check.stdout).toMatch(/error +source silent: no new event/);
});

itInLongTests('finds late records and records without a time by the sweep, and suggests an overlap in status', async () => {
  const vendors = await startVendors(41, { null_time: 0.1 });
  await using simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(1));
  const source = vendors.sources['anaconda-acme'];
  const file = await configFile({
    sources: { acme: { ...source, window: { overlap: '1s', settle: '1s' }, sweep: { every: '2s', back: '20m' } } },
    sinks: { lake: { type: 'http', url: receiver.url } },
  });
  const got = (id: string): boolean =>
    receiver.received.some(({ event }) => (event['metadata'] as { original_event_uid?: string }).original_event_uid === id);
  const daemon = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length > 100);
  const late = simulator.insert('anaconda', Date.now() - 8 * 60_000);

  await receiver.until(() => got(late));
  const untimed = simulator.issued('anaconda').filter(({ occurredAt }) => occurredAt === null);
  await receiver.until(() => untimed.every(({ id }) => got(id)));
  const json = JSON.parse((await command(['status', '--json', '-c', file])).stdout) as Status;
  const text = await command(['status', '-c', file]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(untimed.length).toBeGreaterThan(10);
  const { lateness, suggested_overlap } = json.sources[0]?.details ?? {};
  expect((lateness as { late: Record<string, number> }).late['15m']).toBeGreaterThanOrEqual(1);
  expect(suggested_overlap).toBe('15m');
  expect(text.stdout).toContain('fix: set window: { overlap: 15m } on the source');
});

/** An issuer of tokens in front of the API: counts what it mints, and can forget its tokens or take another secret. */
function startIssuer() {
  const state = { secret: 'first-secret', minted: 0, refused: 0, valid: new Set<string>() };
  const instead = (_org: string, request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.url !== '/token') {
      const isValid = state.valid.has((request.headers.authorization ?? '').replace('Bearer ', ''));
      if (!isValid) response.writeHead(401, { 'content-type': 'application/json' }).end('{"detail":"token unknown"}');
      return !isValid;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const isRight = new URLSearchParams(body).get('client_secret') === state.secret;
      if (!isRight) {
        state.refused += 1;
        response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_client"}');
        return;
      }
      state.minted += 1;
      state.valid.add(`token-${state.minted}`);
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ access_token: `token-${state.minted}`, token_type: 'Bearer', expires_in: 3600 }));
    });
    return true;
  };
  return { state, instead };
}

itInLongTests('keeps a token across polls, mints once on 401, and takes a rotated secret file without restart', async () => {
  const { state, instead } = startIssuer();
  await using vendor = await startAuditApi([record('e-1', 9)], { instead });
  await using receiver = await startReceiver(seededRandom(1));
  const file = await withConnector({
    sources: {
      acme: {
        connector: 'acme',
        options: { api_url: vendor.origin, org: 'o-1', token: '${file:./secret}' },
        schedule: '1s',
        start: '1h',
        window: { settle: '1s' },
      },
    },
    sinks: { lake: { type: 'http', url: receiver.url } },
  });
  const yaml = join(dirname(file), 'connectors/acme/connector.yaml');
  const oauth =
    "oauth2_client_credentials: { token_url: '{{ options.api_url }}/token', client_id: c, client_secret: '{{ options.token }}' }";
  await writeFile(yaml, (await readFile(yaml, 'utf8')).replace("bearer: '{{ options.token }}'", oauth));
  await writeFile(join(dirname(file), 'secret'), 'first-secret\n');
  const arrives = async (id: string): Promise<void> => {
    vendor.records.push({ ...record(id, 0), occurred_at: new Date(Date.now() - 1500).toISOString() });
    await receiver.until(() =>
      receiver.received.some(({ event }) => (event['metadata'] as { original_event_uid?: string }).original_event_uid === id),
    );
  };

  const daemon = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length === 1);
  await arrives('e-2');
  await arrives('e-3');
  const [polls, minted] = [vendor.asked.get('o-1') ?? 0, state.minted];
  state.valid.clear();
  await arrives('e-4');
  const mintedAfter401 = state.minted;
  await writeFile(join(dirname(file), 'secret'), 'second-secret\n');
  Object.assign(state, { secret: 'second-secret' });
  state.valid.clear();
  await arrives('e-5');
  const mintedAfterRotation = state.minted;
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;

  expect([code, minted, mintedAfter401, mintedAfterRotation]).toEqual([0, 1, 2, 3]);
  expect(polls).toBeGreaterThanOrEqual(3);
  expect(daemon.stderr()).not.toMatch(/first-secret|second-secret|token-[123]/);
});

it('shows beside the running daemon what is not enabled, and what waits for it', async () => {
  await using vendor = await startAuditApi([record('e-1', 9), record('e-2', 8)]);
  const source = {
    connector: 'acme',
    options: { api_url: vendor.origin, org: 'one', token: 'made-up' },
    schedule: '1s',
    start: '1h',
  };
  const file = await withConnector({
    sources: { on: source, off: { ...source, options: { ...source.options, org: 'two' }, enabled: false } },
    sinks: { out: { type: 'file', path: './out.ndjson' }, later: { type: 'file', path: './later.ndjson', enabled: false } },
  });
  const daemon = penstock(['run', '-c', file]);
  interface Shown extends Status {
    readonly sinks: { readonly name: string; readonly state: string; readonly pending: number }[];
  }
  const asked = async (): Promise<Shown> => {
    const { stdout } = await command(['status', '--json', '-c', file]);
    return JSON.parse(stdout) as Shown;
  };

  await expect
    .poll(async () => (await asked()).problems.map(({ where, what }) => `${where}: ${what}`), { timeout: patienceMs })
    .toEqual(['sink later: is not enabled: 2 events wait for it in the journal, which keeps them for as long as that lasts']);
  const { sources, sinks } = await asked();
  const told = await command(['ledger', '-c', file]);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(sources.map(({ name, state }) => [name, state === 'disabled'])).toEqual([
    ['on', false],
    ['off', true],
  ]);
  expect(sinks.filter(({ name }) => name === 'later')).toMatchObject([{ state: 'disabled', pending: 2 }]);
  expect(told.code).toBe(0);
});
