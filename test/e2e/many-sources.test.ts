import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { type AuditRecord, startAuditApi } from './audit-api.ts';
import { configFile, penstock, run } from './penstock.ts';
import { startReceiver } from './receiver.ts';

const count = 500;
const names = Array.from({ length: count }, (_, index) => `acme-${String(index).padStart(3, '0')}`);
const slow = 'o-007';
const broken = 'o-013';

const record = (id: string, minutesAgo: number): AuditRecord => ({
  id,
  occurred_at: new Date(Date.now() - minutesAgo * 60_000).toISOString(),
  event_type: 'user.login',
  actor: { id: 'u-1', login: 'dana' },
});

const rssMb = (pid: number | undefined): number => {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024);
};

/** The slowest of the answers of an address that only the event loop has to give, while `during` runs. */
async function slowestAnswerMs(url: string, during: Promise<unknown>): Promise<number> {
  const state = { done: false };
  const finished = during.finally(() => {
    state.done = true;
  });
  let slowest = 0;
  while (!state.done) {
    const from = performance.now();
    await (await fetch(url)).text();
    slowest = Math.max(slowest, performance.now() - from);
    await pause(50);
  }
  await finished;
  return slowest;
}

it('polls 500 sources fairly in one process; a slow and a broken vendor delay no other', {
  timeout: 180_000,
  retry: 2,
}, async () => {
  await using vendor = await startAuditApi([record('e-1', 9), record('e-2', 8), record('e-3', 7)], {
    instead(org, request, response) {
      if (org === slow) {
        const timer = setTimeout(() => response.writeHead(200).end('{"data":[],"next_cursor":null}'), 30_000);
        request.on('close', () => clearTimeout(timer));
        return true;
      }
      if (org !== broken) return false;
      response.writeHead(500).end('broken');
      return true;
    },
  });
  await using receiver = await startReceiver(seededRandom(1));
  const file = await configFile({
    connectors_dir: './connectors',
    sources: Object.fromEntries(
      names.map((name, index) => [
        name,
        {
          connector: 'acme',
          options: { api_url: vendor.origin, org: `o-${String(index).padStart(3, '0')}`, token: `made-up-${index}` },
          schedule: '3s',
          start: '1h',
        },
      ]),
    ),
    sinks: { lake: { type: 'http', url: receiver.url } },
  });
  await newConnector('acme', join(dirname(file), 'connectors'), systemSeams());

  // What lives must fit into this, however generous V8 would be with the machine's memory.
  const daemon = penstock(['run', '-c', file], { env: { NODE_OPTIONS: '--max-old-space-size=160' } });
  await daemon.said('admin server is listening', 30_000);
  const url = /"url":"([^"]+)"/.exec(daemon.stderr())?.[1] ?? '';
  const everyEvent = (count - 2) * 3;
  const catchingUp = receiver.until(() => receiver.received.length >= everyEvent, 60_000);
  const stallMs = await slowestAnswerMs(`${url}/healthz`, catchingUp);
  const before = new Map(vendor.asked);
  const steadyMs = await slowestAnswerMs(`${url}/healthz`, pause(15_000));
  const rssLater = rssMb(daemon.child.pid);
  const polls = [...vendor.asked]
    .filter(([org]) => org !== slow && org !== broken)
    .map(([org, asked]) => asked - (before.get(org) ?? 0));
  const json = await run(['status', '--json', '-c', file]);
  const text = await run(['status', '-c', file]);
  const check = await run(['status', '--check', '-c', file]);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const fewest = Math.min(...polls);
  const most = Math.max(...polls);

  const { sources } = JSON.parse(json.stdout) as { sources: { name: string; state: string; records: { new: number } }[] };
  const stateOf = (name: string): string | undefined => sources.find((source) => source.name === name)?.state;
  expect(code).toBe(0);
  expect(sources.length).toBe(count);
  expect(sources.filter(({ records }) => records.new === 3).length).toBe(count - 2);
  expect(new Set(receiver.received.map(({ uid }) => uid)).size).toBe(everyEvent);
  expect([stateOf('acme-007'), stateOf('acme-013')]).toEqual(['polling', expect.stringMatching(/polling|failing/)]);
  // Fair: nobody is polled more than twice as often as anybody else.
  expect(polls.length).toBe(count - 2);
  expect(fewest).toBeGreaterThanOrEqual(2);
  expect(most).toBeLessThanOrEqual(2 * fewest + 1);
  expect(rssLater).toBeLessThan(400);
  // A machine that is busy with other tests is slow; a loop that is starved by 500 sources would be far slower.
  expect(Math.max(stallMs, steadyMs)).toBeLessThan(2_000);
  expect(text.stdout.split('\n').length).toBeLessThan(80);
  expect(text.stdout).toContain('more in good order');
  expect(check.stdout.split('\n').length).toBeLessThan(20);
});

it('writes a long answer into a pipe to its end', async () => {
  const { code, stdout } = await run(['schema']);

  expect(stdout.length).toBeGreaterThan(65_536);
  expect([code, typeof JSON.parse(stdout)]).toEqual([0, 'object']);
}, 30_000);
