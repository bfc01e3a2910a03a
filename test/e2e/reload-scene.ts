import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { type AuditApi, startAuditApi } from './audit-api.ts';
import { until, untilStatus } from './conditions.ts';
import { command, configFile, penstock, type RunningPenstock } from './penstock.ts';
import { type Receiver, startReceiver } from './receiver.ts';

type Block = Readonly<Record<string, unknown>>;

export interface Blocks {
  readonly sources: Readonly<Record<string, Block>>;
  readonly sinks: Readonly<Record<string, Block>>;
  readonly [option: string]: unknown;
}

export interface ReloadScene extends AsyncDisposable {
  readonly api: AuditApi;
  readonly file: string;
  source(org: string, change?: Block): Block;
  /** Writes the file. */
  write(blocks: Blocks): Promise<void>;
  receiver(): Promise<Receiver>;
  /** Starts the daemon with what the file says. */
  start(options?: Parameters<typeof penstock>[1]): Promise<RunningPenstock>;
}

/** A configuration that changes, a vendor with an organization for each source, and as many receivers as are asked for. */
export async function openReloadScene(): Promise<ReloadScene> {
  const open = new AsyncDisposableStack();
  const api = open.use(await startAuditApi([]));
  const file = await configFile({});
  await newConnector('acme', join(dirname(file), 'connectors'), systemSeams());
  return {
    api,
    file,
    source: (org, change = {}) => ({
      connector: 'acme',
      options: { api_url: api.origin, org, token: `made-up-${org}` },
      schedule: '1s',
      start: '1h',
      window: { overlap: '1m', settle: '1s' },
      ...change,
    }),
    write: (blocks) =>
      writeFile(
        file,
        stringify({ data_dir: './data', admin: { listen: '127.0.0.1:0' }, connectors_dir: './connectors', ...blocks }),
      ),
    receiver: async () => open.use(await startReceiver(seededRandom(1))),
    async start(options) {
      const daemon = penstock(['run', '-c', file], options);
      open.defer(async () => {
        daemon.child.kill('SIGKILL');
        await daemon.exited;
      });
      await untilStatus(file, 'a daemon that runs', ({ running }) => running);
      return daemon;
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Times that the daemon logged a message. */
export function timesSaid({ stderr }: RunningPenstock, text: string): number {
  return stderr().split(`"msg":"${text}"`).length - 1;
}

/** Sends SIGHUP and waits until the file is applied. */
export async function hangUp(daemon: RunningPenstock): Promise<void> {
  const before = timesSaid(daemon, 'configuration reloaded');
  daemon.child.kill('SIGHUP');
  await until('another reload', () => timesSaid(daemon, 'configuration reloaded') > before, { seen: daemon.stderr });
}

const idOf = ({ event }: Receiver['received'][number]): string => {
  const { metadata } = event as { metadata: { original_event_uid: string; tenant_uid: string } };
  return `${metadata.tenant_uid} ${metadata.original_event_uid}`;
};

/** Ids with the organization that they were read from, in order of arrival. */
export const idsOf = ({ received }: Receiver): string[] => received.map(idOf);

/**
 * Reloads so many times while records come in, each time with other sources and sinks: one of each kind is kept, one changed, one removed
 * and added again. Expects that every record of every source arrives at every sink, and that none arrives twice that the ledger does not know of.
 */
export async function expectNothingLostOver(reloads: number): Promise<void> {
  await using scene = await openReloadScene();
  const { api, file } = scene;
  const receivers = await Promise.all([scene.receiver(), scene.receiver(), scene.receiver()]);
  const [kept, changed, coming] = receivers.map(({ url }) => ({ type: 'http', url, batch: { events: 20, wait: '50ms' } }));
  const write = (round: number, isThere: boolean): Promise<void> =>
    scene.write({
      sources: {
        kept: scene.source('o-kept'),
        changed: scene.source('o-changed', { labels: [`round-${round}`] }),
        ...(isThere ? { coming: scene.source('o-coming') } : {}),
      },
      sinks: {
        kept: kept ?? {},
        changed: { ...changed, labels: [`round-${round}`] },
        ...(isThere ? { coming: coming ?? {} } : {}),
      },
    });
  await write(0, true);
  const daemon = await scene.start();
  let count = 0;
  const feeding = new AbortController();
  const fed = (async () => {
    while (!feeding.signal.aborted) {
      count += 1;
      api.records.push({
        id: `e-${count}`,
        occurred_at: new Date().toISOString(),
        event_type: 'user.login',
        actor: { id: 'u-1', login: 'dana' },
      });
      await pause(25);
    }
  })();

  for (let round = 1; round <= reloads; round += 1) {
    await write(round, round % 2 === 0);
    if (round % 50 === 0) expect(await command(['reload', '-c', file])).toMatchObject({ code: 0 });
    else await hangUp(daemon);
  }
  feeding.abort();
  await fed;
  await write(reloads + 1, true);
  await hangUp(daemon);
  const expected = ['o-kept', 'o-changed', 'o-coming'].flatMap((org) =>
    Array.from({ length: count }, (_, index) => `${org} e-${index + 1}`),
  );
  const missing = (): string[] => {
    const arrived = receivers.map((receiver) => new Set(idsOf(receiver)));
    return expected.filter((id) => arrived.some((ids) => !ids.has(id)));
  };
  await until('every record at every sink', () => missing().length === 0, { seen: () => missing().slice(0, 5).join() });
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = JSON.parse((await command(['ledger', '--json', '-c', file])).stdout) as {
    imbalances: unknown[];
    sinks: Record<string, { possible_duplicates: number }>;
  };
  const copies = receivers.map((receiver) => receiver.received.length - new Set(idsOf(receiver)).size);
  const known = ['kept', 'changed', 'coming'].map((name) => ledger.sinks[name]?.possible_duplicates ?? 0);

  expect(code).toBe(0);
  expect(ledger.imbalances).toEqual([]);
  expect(copies.map((count, index) => count > (known[index] ?? 0))).toEqual([false, false, false]);
  expect(copies[0]).toBe(0);
}
