// Sinks of every kind under kill -9, while operators replay, backfill, retry and reload.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { allFaults } from '../../src/simulator/index.ts';
import { seed } from '../seed.ts';
import { envelopes, hecToken } from '../sinks/hec.ts';
import { type Receiver as HttpReceiver, openReceiver, type Reply } from '../sinks/http-receiver.ts';
import { listen } from '../sinks/receiver.ts';
import { listenRelp, ok } from '../sinks/relp-receiver.ts';
import { openStore } from '../sinks/s3-store.ts';
import { missingArrivals, until } from './conditions.ts';
import { command, configFile, penstock, type RunningPenstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { calm, startVendors } from './vendors.ts';

const kills = Number(process.env['PENSTOCK_KILLS'] ?? 6);

interface Splunk extends HttpReceiver {
  /** Uids of what is indexed. */
  readonly indexed: Set<string>;
  faults: boolean;
}

/** HEC that indexes what it took some polls later, and loses what it has not indexed when it restarts. */
async function openSplunk(random: Random): Promise<Splunk> {
  const indexed = new Set<string>();
  const channels = new Map<string, Map<number, string[]>>();
  const next = new Map<string, number>();
  const strikes = (share: number): boolean => splunk.faults && random.float() < share;
  const lost: Reply = (response) => void response.destroy();
  const receiver = await openReceiver((seen): Reply => {
    const channel = String(seen.headers['x-splunk-request-channel']);
    const queue = channels.get(channel) ?? new Map<number, string[]>();
    channels.set(channel, queue);
    if (seen.path.endsWith('/ack')) {
      const { acks } = JSON.parse(seen.text) as { acks: number[] };
      const told = Object.fromEntries(
        acks.map((id) => {
          const uids = splunk.faults && random.float() < 0.4 ? undefined : queue.get(id);
          for (const uid of uids ?? []) indexed.add(uid);
          if (uids !== undefined) queue.delete(id);
          return [id, uids !== undefined];
        }),
      );
      return strikes(0.05) ? lost : { status: 200, body: { acks: told } };
    }
    if (strikes(0.05)) return { status: 503, body: { text: 'Server is busy', code: 9 } };
    const id = next.get(channel) ?? 0;
    next.set(channel, id + 1);
    queue.set(
      id,
      envelopes(seen.text).map(({ fields }) => (fields as { penstock_id: string }).penstock_id),
    );
    const answer: Reply = strikes(0.1) ? lost : { status: 200, body: { text: 'Success', code: 0, ackId: id } };
    if (strikes(0.1)) {
      channels.clear();
      next.clear();
    }
    return answer;
  });
  const splunk: Splunk = Object.assign(receiver, { indexed, faults: true });
  return splunk;
}

const uidsIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.includes('{') && line.endsWith('}'))
    .map((line) => (JSON.parse(line.slice(line.indexOf('{'))) as { metadata: { uid: string } }).metadata.uid);

it(`loses nothing for any sink that is killed at random moments while jobs run (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const vendors = await startVendors(seed, { ...allFaults, unreadable: 0 });
  await using _simulator = vendors.simulator;
  await using lake = await startReceiver(seededRandom(seed), { busy: 0.1, lostAnswer: 0.1, reset: 0.05 });
  await using splunk = await openSplunk(seededRandom(seed + 1));
  await using store = await openStore();
  await using relp = await listenRelp(ok);
  await using plain = await listen();
  const batch = { events: 40, wait: '100ms' };
  const file = await configFile({
    sources: vendors.sources,
    sinks: {
      lake: { type: 'http', url: lake.url, batch, backoff_max: '1s' },
      soc: {
        type: 'splunk_hec',
        endpoints: [splunk.url],
        token: hecToken,
        format: 'ocsf',
        acknowledge: 'require',
        ack_poll: '1s',
        ack_timeout: '10s',
        compression: 'none',
        batch,
        backoff_max: '1s',
      },
      archive: { type: 'file', path: './audit.ndjson', batch },
      bucket: {
        type: 's3',
        bucket: 'lake',
        endpoint: store.url,
        access_key_id: 'AKIATEST',
        secret_access_key: 'secret-of-the-lake',
        partition: 'day',
        batch: { events: 40, wait: '1s' },
      },
      relp: { type: 'syslog', address: `relp://127.0.0.1:${relp.receiver.port}`, format: 'ocsf', max_message: '1MiB', batch },
      plain: { type: 'syslog', address: `tcp://127.0.0.1:${plain.port}`, format: 'ocsf', max_message: '1MiB', batch },
    },
  });
  const orders = [
    ['replay', 'lake', '--from', '1h', '--to', '0s'],
    ['replay', 'bucket', '--from', '1h', '--to', '0s'],
    ['backfill', 'anaconda-acme', '--from', '20m', '--to', '1m'],
    ['verify', 'anaconda-acme', '--from', '20m', '--to', '2m', '--repair'],
    ['dead-letters', 'retry', '--sink', 'soc'],
    ['sinks', 'release', 'soc'],
    ['journal', 'backup', join(dirname(file), 'copy.db')],
  ];
  const change = (): void => {
    const config = parse(readFileSync(file, 'utf8')) as { sinks: Record<string, { batch: { events: number } }> };
    for (const sink of Object.values(config.sinks))
      if (random.float() < 0.5) sink.batch.events = 20 + Math.floor(random.float() * 40);
    writeFileSync(file, stringify(config));
  };

  for (let kill = 0; kill < kills; kill += 1) {
    const running: RunningPenstock[] = [penstock(['run', '-c', file])];
    await pause(500 + random.float() * 2500);
    const order = orders[Math.floor(random.float() * orders.length)] ?? [];
    running.push(penstock([...order, '-c', file]));
    if (random.float() < 0.5) {
      change();
      running[0]?.child.kill('SIGHUP');
    }
    await pause(300 + random.float() * 2500);
    for (const { child } of running) child.kill('SIGKILL');
    for (const { exited } of running) await exited;
    await vendors.simulator.download();
  }
  calm(vendors);
  lake.faults = {};
  splunk.faults = false;
  const daemon = penstock(['run', '-c', file]);
  const missing = await missingArrivals(lake, vendors);
  const all = new Set(lake.received.map(({ uid }) => uid));
  const arrived = (): Record<string, Iterable<string>> => ({
    soc: splunk.indexed,
    archive: uidsIn(readFileSync(join(dirname(file), 'audit.ndjson'), 'utf8')),
    bucket: [...store.objects.keys()].flatMap((key) => store.uids(key)),
    relp: relp.sessions.flat().flatMap(({ command: what, data }) => (what === 'syslog' ? uidsIn(data) : [])),
    plain: plain.connections.flatMap(({ bytes }) => uidsIn(bytes().toString('utf8'))),
  });
  const lacking = (): [string, number][] =>
    Object.entries(arrived()).map(([name, uids]) => {
      const own = new Set(uids);
      return [name, [...all].filter((uid) => !own.has(uid)).length];
    });
  // New events go on coming: what the first sink has now has to come to all.
  await until('all sinks have what one of them has', () => lacking().every(([, count]) => count === 0)).catch(() => undefined);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await command(['ledger', '--json', '-c', file]);
  const checked = await command(['journal', 'check', '-c', file]);

  expect({ missing, code, lacking: lacking().filter(([, count]) => count > 0) }).toEqual({ missing: [], code: 0, lacking: [] });
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
  expect([ledger.code, checked.code]).toEqual([0, 0]);
});
