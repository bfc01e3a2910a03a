import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { type AuditRecord, startAuditApi } from './audit-api.ts';
import { until, untilStatus } from './conditions.ts';
import { command, configFile, penstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';

const slow = 'o-007';
const broken = 'o-013';
const orgOf = (index: number): string => `o-${String(index).padStart(3, '0')}`;

const record = (id: string, minutesAgo: number): AuditRecord => ({
  id,
  occurred_at: new Date(Date.now() - minutesAgo * 60_000).toISOString(),
  event_type: 'user.login',
  actor: { id: 'u-1', login: 'dana' },
});

/** An API whose organization `slow` takes half a minute for an answer, and whose organization `broken` answers with 500. */
const startUnevenApi = () =>
  startAuditApi([record('e-1', 9), record('e-2', 8), record('e-3', 7)], {
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

/** Runs so many sources in one daemon, two of them at a bad vendor; expects that all others get everything and are polled equally often. */
export async function expectFairPolls(count: number): Promise<void> {
  await using vendor = await startUnevenApi();
  await using receiver = await startReceiver(seededRandom(1));
  const orgs = Array.from({ length: count }, (_, index) => orgOf(index));
  const file = await configFile({
    connectors_dir: './connectors',
    sources: Object.fromEntries(
      orgs.map((org) => [
        `acme-${org}`,
        { connector: 'acme', options: { api_url: vendor.origin, org, token: `made-up-${org}` }, schedule: '3s', start: '1h' },
      ]),
    ),
    sinks: { lake: { type: 'http', url: receiver.url } },
  });
  await newConnector('acme', join(dirname(file), 'connectors'), systemSeams());
  const everyEvent = (count - 2) * 3;
  const good = orgs.filter((org) => org !== slow && org !== broken);

  // What lives must fit into this, however generous V8 would be with the machine's memory.
  const daemon = penstock(['run', '-c', file], { env: { NODE_OPTIONS: '--max-old-space-size=160' } });
  await receiver.until(() => new Set(receiver.received.map(({ uid }) => uid)).size >= everyEvent);
  const before = new Map(vendor.asked);
  const pollsSince = (): number[] => good.map((org) => (vendor.asked.get(org) ?? 0) - (before.get(org) ?? 0));
  await until('two more polls of each', () => Math.min(...pollsSince()) >= 2);
  const polls = pollsSince();
  // Every half minute it is answered, and rests until its next poll is due: a later look may see that.
  const waiting = await untilStatus(file, 'a poll that the slow vendor does not answer yet', ({ sources }) =>
    sources.some(({ name, state }) => name === `acme-${slow}` && state === 'polling'),
  );
  const json = await command(['status', '--json', '-c', file]);
  const text = await command(['status', '-c', file]);
  const check = await command(['status', '--check', '-c', file]);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;

  const { sources } = JSON.parse(json.stdout) as { sources: { records: { new: number } }[] };
  expect(code).toBe(0);
  expect(sources.length).toBe(count);
  expect(sources.filter(({ records }) => records.new === 3).length).toBe(count - 2);
  expect(new Set(receiver.received.map(({ uid }) => uid)).size).toBe(everyEvent);
  expect(waiting.sources.find(({ name }) => name === `acme-${broken}`)?.state).toMatch(/polling|failing/);
  // Fair: nobody is polled more than twice as often as anybody else.
  expect(Math.max(...polls)).toBeLessThanOrEqual(2 * Math.min(...polls) + 1);
  expect(text.stdout.split('\n').length).toBeLessThan(80);
  expect(text.stdout).toContain('more without problems');
  expect(check.stdout.split('\n').length).toBeLessThan(20);
}
