// A journal in PostgreSQL while its server crashes, its connections are cut, and a pooler stands between: every commit that was answered is
// there, none is there twice, and nothing has a hole.
import { randomUUID } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { PostgresEngine } from '../../src/journal/contract/open.ts';
import { isBalanced } from '../../src/journal/counts.ts';
import { type Journal, type LaneState, openJournal, type Position } from '../../src/journal/index.ts';
import { checkPostgres } from '../../src/journal/postgres/check.ts';
import { untilAnswered } from '../../src/journal/until-answered.ts';
import { hasPostgres, onServer, pooler, runAsServer, startPooler, startServer } from '../postgres.ts';
import { commitOf, sink, someRecords, source, temporaryDirectory } from './fixture.ts';
import { postgresEngine } from './places.ts';

const names = ['s0', 's1', 's2', 's3'];
const perPage = 20;
const seams = systemSeams();

const open = (engine: PostgresEngine): Promise<Journal> =>
  openJournal({ engine, maxBytes: 2 ** 30, keepMs: 7 * 86_400_000, seams, log: silentLog(), lockWaitMs: 60_000 });

interface Load {
  /** Waits until so many more pages of each source were answered for. */
  goesOn(pages: number): Promise<void>;
  /** Stops it; returns how many pages of each source were answered for. */
  stop(): Promise<number[]>;
}

/** Collects and delivers until it is told to stop. */
function begin(journal: Journal): Load {
  const stopping = new AbortController();
  const answered = new Map(names.map((name) => [name, 0]));
  const least = (): number => Math.min(...answered.values());
  const loading = load(journal, stopping.signal, (name) => answered.set(name, (answered.get(name) ?? 0) + 1));
  return {
    async goesOn(pages) {
      const enough = least() + pages;
      await Promise.race([loading, expect.poll(least).toBeGreaterThanOrEqual(enough)]);
    },
    stop() {
      stopping.abort();
      return loading;
    },
  };
}

async function load(journal: Journal, signal: AbortSignal, answered: (name: string) => void): Promise<number[]> {
  await journal.register(
    names.map((name) => source(name)),
    [sink('a')],
  );
  // Who was not heard of for a lease is fenced; it goes on from what is stored when the source is its own again.
  const again = async (name: string, error: unknown): Promise<void> => {
    if (!(error instanceof PenstockError && error.code === 'PEN_JOURNAL_FENCED')) throw error;
    await expect.poll(() => journal.ownership.owns(name)).toBe(true);
  };
  const stored = async (name: string): Promise<number> =>
    Number((await untilAnswered(() => journal.checkpoint(name, 'live'), seams, 60_000)) ?? 0);
  const collect = async (name: string): Promise<number> => {
    for (let page = 1; ; page += 1) {
      if (signal.aborted) return page - 1;
      const records = someRecords(perPage, { prefix: `${name}-${page}-` });
      const seen = records.map((_record, index) => ({
        day: 1,
        id: (page * 1000 + index).toString(16).padStart(32, '0'),
        fingerprint: 'ab'.repeat(8),
      }));
      const commit = { ...commitOf(name, records), seen, checkpoint: { name: 'live', value: page }, attempt: randomUUID() };
      try {
        await untilAnswered(() => journal.append(commit), seams, 60_000);
        answered(name);
      } catch (error) {
        await again(name, error);
        page = await stored(name);
      }
    }
  };
  const settle = async ({ lane, offset, pending }: LaneState): Promise<void> => {
    const attempt = randomUUID();
    const upTo = (offset + pending) as Position;
    const ask = () => journal.settle('a', lane, upTo, [], { acknowledged: pending }, [], attempt);
    await untilAnswered(ask, seams, 60_000).catch((error: unknown) => again(lane.source, error));
  };
  const deliver = async (): Promise<void> => {
    while (!signal.aborted) {
      for (const lane of await untilAnswered(() => journal.lanes('a'), seams, 60_000)) await settle(lane);
      await wait(20);
    }
  };
  const [pages] = await Promise.all([Promise.all(names.map(collect)), deliver()]);
  return pages;
}

/** Everything that was promised is there, once. */
async function expectWhole(engine: PostgresEngine, pages: readonly number[]): Promise<void> {
  await using journal = await open(engine);
  await journal.register(
    names.map((name) => source(name)),
    [sink('a')],
  );
  const { sources, rows } = await journal.ledger();
  const stored = await Promise.all(names.map((name) => journal.checkpoint(name, 'live')));

  expect(stored).toEqual(pages);
  expect(names.map((name) => sources[name]?.new)).toEqual(pages.map((count) => count * perPage));
  expect(rows.every(isBalanced)).toBe(true);
  expect((await checkPostgres(engine)).problems).toEqual([]);
  expect(Math.min(...pages)).toBeGreaterThan(3);
}

async function server() {
  const folder = await temporaryDirectory();
  await chmod(folder, 0o755);
  const { data, url } = await startServer(join(folder, 'server'));
  onTestFinished(() => {
    try {
      runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
    } catch {
      // It was stopped by the test.
    }
  });
  return { folder, data, url, engine: { ...postgresEngine(url, 'penstock'), leaseMs: 3000 } };
}

describe.runIf(hasPostgres())('a journal in PostgreSQL', () => {
  it('keeps every promise while the server crashes again and again', async () => {
    const { folder, data, engine } = await server();
    const journal = await open(engine);
    const loading = begin(journal);

    for (let crash = 0; crash < 3; crash += 1) {
      await loading.goesOn(3);
      runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
      runAsServer('pg_ctl', ['-D', data, '-l', join(folder, 'server', 'log'), '-w', 'start']);
    }
    await loading.goesOn(10);
    const pages = await loading.stop();
    await journal[Symbol.asyncDispose]();

    await expectWhole(engine, pages);
  });

  it('keeps every promise while its connections are cut at random', async () => {
    const { url, engine } = await server();
    const journal = await open(engine);
    const loading = begin(journal);

    for (let cut = 0; cut < 40; cut += 1) {
      // Any moment of a page, and now and then one that has got through.
      if (cut % 4 === 0) await loading.goesOn(1);
      await wait(cut * 4);
      await onServer(url, (client) =>
        client.query(
          "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'penstock' ORDER BY random() LIMIT 1) one",
        ),
      );
    }
    const pages = await loading.stop();
    await journal[Symbol.asyncDispose]();

    await expectWhole(engine, pages);
  });

  it('waits for no row longer than a few seconds, and leaves nothing waiting in the server', async () => {
    const { url, engine } = await server();
    await using journal = await open({ ...engine, leaseMs: 30_000 });
    await journal.register([source('s0')], [sink('a')]);
    await journal.append(commitOf('s0', someRecords(1)));
    const waiting = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";

    const [asked, left] = await onServer(url, async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM penstock.units FOR UPDATE');
      await client.query('SELECT 1 FROM penstock.offsets FOR UPDATE');
      const settled = journal.settle('a', { kind: 'live', source: 's0' }, 1 as Position, [], { acknowledged: 1 });
      const both = await Promise.allSettled([journal.append(commitOf('s0', someRecords(1))), settled]);
      const { rows } = await client.query(waiting);
      await client.query('COMMIT');
      return [both, rows as unknown[]];
    });

    const unavailable = { reason: { code: 'PEN_JOURNAL_UNAVAILABLE', message: expect.stringContaining('55P03') as unknown } };
    expect(asked).toMatchObject([unavailable, unavailable]);
    expect(left).toEqual([{ n: 0 }]);
    await journal.append(commitOf('s0', someRecords(1)));
  });

  it('works through PgBouncer that hands every transaction to another connection', async ({ skip }) => {
    skip(pooler() === undefined, 'there is no PgBouncer on this machine');
    const { folder, url, engine } = await server();
    const pooled = { ...engine, url: await startPooler(join(folder, 'pooler'), url, { default_pool_size: 3 }) };
    const journal = await open(pooled);
    const loading = begin(journal);

    await loading.goesOn(20);
    const pages = await loading.stop();
    await journal[Symbol.asyncDispose]();

    await expectWhole(engine, pages);
  });
});
