import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { listActions } from '../../src/workbench/catalog.ts';
import { command, configFile, run } from './penstock.ts';
import { startReceiver } from './receiver.ts';

const connector = resolve(import.meta.dirname, '../../connectors/okta');
const perPage = 15;

interface Entry {
  readonly uuid: string;
  readonly eventType: string;
  readonly published: string;
}

/** One record of every event type that the connector knows, a second apart, the last of them ten minutes ago. */
async function recentSamples(): Promise<Entry[]> {
  const lines = (await readFile(join(connector, 'samples.ndjson'), 'utf8')).trimEnd().split('\n');
  const from = Date.now() - 600_000 - lines.length * 1000;
  return lines.map((line, index) => ({ ...(JSON.parse(line) as Entry), published: new Date(from + index * 1000).toISOString() }));
}

/**
 * The System Log API as documented: SSWS token, `since` and `until`, rel="next" on every page of a walk, the last included, and the
 * headers of its rate limit. Source: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/
 */
async function startSystemLog(entries: readonly Entry[], token: string) {
  const asked: URL[] = [];
  const refused: string[] = [];
  let limitNext = true;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    asked.push(url);
    const limits = {
      'x-rate-limit-limit': '120',
      'x-rate-limit-remaining': '119',
      'x-rate-limit-reset': String(Math.floor(Date.now() / 1000) + 60),
    };
    const answer = (status: number, body: unknown, headers: Record<string, string | string[]> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...limits, ...headers }).end(JSON.stringify(body));
    };
    if (request.headers.authorization !== `SSWS ${token}`) {
      refused.push(request.headers.authorization ?? '');
      answer(401, { errorCode: 'E0000011', errorSummary: 'Invalid token provided', errorCauses: [] });
      return;
    }
    const after = url.searchParams.get('after');
    if (after !== null && limitNext) {
      limitNext = false;
      answer(
        429,
        { errorCode: 'E0000047', errorSummary: 'API call exceeded rate limit due to too many requests.' },
        {
          'x-rate-limit-remaining': '0',
          'x-rate-limit-reset': String(Math.floor(Date.now() / 1000) + 1),
        },
      );
      return;
    }
    const [since, until] = [url.searchParams.get('since'), url.searchParams.get('until')].map((text) => Date.parse(text ?? ''));
    const to = Number.isNaN(until) ? Number.POSITIVE_INFINITY : (until ?? 0);
    const matching = entries.filter(({ published }) => Date.parse(published) >= (since ?? 0) && Date.parse(published) < to);
    const start = after === null ? 0 : Number(after.split('-')[1]);
    const page = matching.slice(start, start + perPage);
    const next = new URL(url);
    next.searchParams.set('after', `cursor-${start + page.length}`);
    answer(200, page, { link: [`<${url.href}>; rel="self"`, `<${next.href}>; rel="next"`] });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

it('collects every event type through the real daemon, page by page, and gives each its class', async () => {
  const entries = await recentSamples();
  await using log = await startSystemLog(entries, 'made-up-token');
  await using receiver = await startReceiver(seededRandom(3));
  const file = await configFile({
    sources: { org: { connector: 'okta', options: { org_url: log.origin, token: '${env:OKTA_TOKEN}' }, start: '1h' } },
    sinks: { lake: { type: 'http', url: receiver.url } },
  });

  const { code, stderr } = await run(['run', '--once', '-c', file], { env: { OKTA_TOKEN: 'made-up-token' } });

  const { actions } = await listActions('okta', systemSeams().files);
  const classes = new Map(actions.map(({ action, classUid }) => [action, classUid]));
  const delivered = receiver.received.map(({ event }) => {
    const { event_code, original_event_uid } = event['metadata'] as { event_code: string; original_event_uid: string };
    return [original_event_uid, event_code, event['class_uid'], event['time']];
  });
  expect([code, stderr.includes('made-up-token'), log.refused]).toEqual([0, false, []]);
  expect(entries.length).toBeGreaterThanOrEqual(30);
  expect(delivered).toEqual(
    entries.map(({ uuid, eventType, published }) => [uuid, eventType, classes.get(eventType), Date.parse(published)]),
  );
  const [first] = log.asked;
  expect(Object.fromEntries(first?.searchParams ?? [])).toEqual({
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    sortOrder: 'ASCENDING',
    limit: '1000',
  });
  // The last cursor leads to an empty page, which ends the poll.
  expect(log.asked.at(-1)?.searchParams.get('after')).toBe(`cursor-${entries.length}`);
});

it('holds when the token is refused, and says what to do', async () => {
  await using log = await startSystemLog(await recentSamples(), 'another-token');
  const file = await configFile({
    sources: { org: { connector: 'okta', options: { org_url: log.origin, token: 'made-up-token' }, start: '1h' } },
    sinks: { out: { type: 'file', path: './out.ndjson' } },
  });

  const once = await run(['run', '--once', '-c', file]);
  const status = await command(['status', '-c', file]);

  expect([once.code, status.code]).toEqual([1, 0]);
  expect(once.stdout + once.stderr).toContain('Invalid token provided');
  expect(status.stdout).toMatch(/error +source org: on hold for .*answered 401 "Invalid token provided"/);
  expect(status.stdout).toContain('fix: the API token was revoked, or has not been used for 30 days and expired');
  expect(once.stdout + once.stderr + status.stdout).not.toContain('made-up-token');
});
