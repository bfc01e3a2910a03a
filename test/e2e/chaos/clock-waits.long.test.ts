// The wall clock steps two days while the real process is in each kind of wait at once; the vendor's and the receivers' go on.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { until, untilStatus } from '../conditions.ts';
import { type Asked, answer, startOddVendor } from '../odd-vendor.ts';
import { configFile, penstock } from '../penstock.ts';

const dayMs = 86_400_000;
/** Waits are this many times as short; a cron schedule keeps to the wall clock and is not. */
const haste = 20;

/** A receiver: of plain events, that answers as it is told, and of HEC with acknowledgements that come when they may. */
async function startSinks() {
  const seen = { busy: 0, held: 0, hec: 0, acks: 0 };
  const may = { take: false, acknowledge: false };
  const routes: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
    '/busy': (_request, response) => void response.writeHead((seen.busy += 1) && may.take ? 200 : 503).end(),
    '/held': (_request, response) => void response.writeHead((seen.held += 1) && may.take ? 200 : 401).end(),
    '/services/collector/event': (_request, response) => answer(response, { text: 'Success', code: 0, ackId: (seen.hec += 1) }),
    '/services/collector/ack': (_request, response) => {
      seen.acks += 1;
      answer(response, { acks: Object.fromEntries(Array.from({ length: seen.hec + 1 }, (_none, id) => [id, may.acknowledge])) });
    },
    '/services/collector/health': (_request, response) => answer(response, { text: 'HEC is healthy', code: 17 }),
  };
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const route = routes[(request.url ?? '').split('?')[0] ?? ''];
      if (route === undefined) response.writeHead(404).end();
      else route(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    may,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A vendor whose sources wait for one thing each; a record is new with each answer that holds any. */
async function startWaits() {
  const pages: Record<string, number> = {};
  const tokens: Record<string, number> = {};
  const state = { isCalm: false };
  const refusals: Readonly<Record<string, (asked: Asked) => void>> = {
    pause: ({ response }) => void response.writeHead(429, { 'retry-after': '120' }).end(),
    outage: ({ response }) => void response.writeHead(503).end(),
    hold: ({ response }) => void response.writeHead(403).end('{"message":"no"}'),
  };
  const onPage = (asked: Asked): void => {
    const { name, response } = asked;
    pages[name] = (pages[name] ?? 0) + 1;
    const refuse = refusals[name];
    if (!state.isCalm && refuse !== undefined) return refuse(asked);
    const at = new Date(Date.now() - 5_000).toISOString();
    const item = {
      id: `${name}-${pages[name]}`,
      org_id: 'o',
      action_key: 'policy_updated',
      occurred_at: at,
      created_at: at,
      message: 'm',
    };
    answer(response, { items: [item], total_count: 1 });
  };
  const onToken = ({ name, response }: Asked): void => {
    tokens[name] = (tokens[name] ?? 0) + 1;
    answer(response, {
      access_token: `token-${name}-${tokens[name]}`,
      token_type: 'Bearer',
      expires_in: name === 'token' ? 100 : 3600,
    });
  };
  return { vendor: await startOddVendor(onPage, onToken), pages, tokens, state };
}

it.each([-2 * dayMs, 2 * dayMs])('goes on from every wait when the clock steps by %i ms', async (stepMs) => {
  const { vendor, pages, tokens, state } = await startWaits();
  await using _vendor = vendor;
  await using sinks = await startSinks();
  const sources = Object.fromEntries(
    ['interval', 'pause', 'outage', 'hold', 'token', 'limit', 'cron'].map((name) => {
      const source = { ...vendor.source(name), schedule: '20s' };
      const more = { cron: { schedule: '* * * * *' }, limit: { rate_limit: '2/1m' }, token: { schedule: '5s' } }[name] ?? {};
      return [name, { ...source, ...more }];
    }),
  );
  const batch = { events: 20, wait: '200ms' };
  const file = await configFile({
    sources,
    sinks: {
      busy: { type: 'http', url: `${sinks.origin}/busy`, batch },
      held: { type: 'http', url: `${sinks.origin}/held`, batch },
      hec: { type: 'splunk_hec', endpoints: [sinks.origin], token: 'hec-token-of-the-test', acknowledge: 'require', batch },
    },
  });
  const daemon = penstock(['run', '-c', file], { haste });
  const isWaiting = (): boolean =>
    ['interval', 'pause', 'outage', 'hold', 'token', 'limit'].every((name) => (pages[name] ?? 0) > 0) &&
    Object.values(sinks.seen).every((count) => count > 0);
  await until('every wait has begun', isWaiting, {
    seen: () => `${JSON.stringify([pages, tokens, sinks.seen])} ${daemon.stderr().slice(-3000)}`,
  });

  daemon.child.stdin?.write(`${stepMs}\n`);
  Object.assign(state, { isCalm: true });
  Object.assign(sinks.may, { take: true, acknowledge: true });
  const before = { pages: { ...pages }, tokens: { ...tokens }, seen: { ...sinks.seen } };
  // One poll may have been under way; of cron there is one a minute, so that one has to do.
  const haveGoneOn = (): boolean =>
    Object.keys(sources).every((name) => (pages[name] ?? 0) > (before.pages[name] ?? 0) + (name === 'cron' ? 0 : 1)) &&
    (tokens['token'] ?? 0) > (before.tokens['token'] ?? 0) + 1 &&
    Object.entries(before.seen).every(([name, count]) => sinks.seen[name as keyof typeof before.seen] > count);
  await until('every wait is over', haveGoneOn, { seen: () => JSON.stringify([before, pages, tokens, sinks.seen]) });
  await untilStatus(file, 'new records of every source, and no hold', ({ sources: all, sinks: to }) => {
    const areRead = all.every(({ state: at, records }) => at !== 'hold' && at !== 'failing' && records.new > 1);
    return areRead && to.every((sink) => !('hold' in sink && sink.hold !== undefined));
  });
  daemon.child.kill('SIGTERM');

  expect(await daemon.exited).toBe(0);
});
