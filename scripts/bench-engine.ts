// A journal in PostgreSQL against one in a file, in one run: the same pages, ids, windows and checkpoints go into both by turns, are read and
// settled. A server is started for it on the same machine, or PENSTOCK_TEST_PG names one.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { silentLog } from '../src/base/log.ts';
import { systemSeams } from '../src/base/seams.ts';
import type { JournalOptions, PostgresEngine } from '../src/journal/contract/open.ts';
import { type Commit, type Journal, openJournal, type Position, type Seen } from '../src/journal/index.ts';
import { runAsServer, startServer } from '../test/postgres.ts';
import { measureJournal } from './bench-peers.ts';
import { countQueries, measureQuiet } from './bench-quiet.ts';
import { inNewDir } from './bench-start.ts';

const sources = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'];
const perPage = 500;
const restMs = 20_000;
const mostReplicaRounds = 3;

interface Cost {
  readonly ms: number;
  /** Of this process, milliseconds; the server of a database has its own. */
  readonly cpuMs: number;
}

type Costs = Readonly<Record<'append' | 'read' | 'settle', Cost>>;

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const [began, used] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(used);
  return { ms: performance.now() - began, cpuMs: (user + system) / 1000 };
}

const dayMs = 86_400_000;

/** Ids are hashes, and of today. */
const seenOf = (): Seen[] =>
  Array.from({ length: perPage }, () => ({
    day: Math.floor(Date.now() / dayMs),
    id: randomBytes(16).toString('hex'),
    fingerprint: 'ab'.repeat(8),
  }));

function commitOf(source: number, page: number): Commit {
  const record = (index: number) => ({
    uid: `${source}-${page}-${index}`,
    received: 1000,
    record: {
      id: `${source}-${page}-${index}`,
      action: 'user.login',
      actor: { id: `u-${index % 40}`, address: `192.0.2.${index % 200}` },
      at: index,
    },
  });
  const counts = { fetched: perPage, new: perPage, duplicate: 0, excluded: 0, unreadable: 0, id_conflict: 0 };
  return {
    source: sources[source] ?? '',
    page: {
      lane: 'live',
      connector: { name: 'bench', hash: 'bench', text: 'bench' },
      labels: [],
      minTime: 0,
      maxTime: 0,
      records: Array.from({ length: perPage }, (_none, index) => record(index)),
    },
    window: { key: 'w', lane: 'live', from: 0, to: 1000, ...counts },
    checkpoint: { name: 'live', value: { page } },
    seen: seenOf(),
  };
}

/** Puts pages into a journal, source beside source, reads them and settles them. */
async function measure(journal: Journal, first: number, pages: number): Promise<Costs> {
  const each = (work: (source: number) => Promise<void>): Promise<unknown> =>
    Promise.all(sources.map((_name, source) => work(source)));
  const append = await costOf(() =>
    each(async (source) => {
      for (let page = first; page < first + pages; page += 1) {
        const commit = commitOf(source, page);
        await journal.seen(commit.source, commit.seen ?? []);
        await journal.append(commit);
      }
    }),
  );
  const lanes = await journal.lanes('sink');
  const read = await costOf(() =>
    Promise.all(
      lanes.map(async ({ lane, offset }) => {
        for (let at = offset; at < offset + pages * perPage; at = (at + perPage) as Position)
          await journal.read('sink', lane, at, perPage);
      }),
    ),
  );
  const settle = await costOf(() =>
    Promise.all(
      lanes.map(async ({ lane, offset }) => {
        for (let page = 1; page <= pages; page += 1)
          await journal.settle('sink', lane, (offset + page * perPage) as Position, [], { acknowledged: perPage });
      }),
    ),
  );
  return { append, read, settle };
}

async function open(engine: JournalOptions['engine']): Promise<Journal> {
  const journal = await openJournal({
    engine,
    maxBytes: 2 ** 34,
    keepMs: 7 * 86_400_000,
    seams: systemSeams(),
    log: silentLog(),
  });
  await journal.register(
    sources.map((name) => ({ name, connector: 'bench', identity: {}, seenTtlMs: 30 * dayMs, seenPinnedMs: dayMs })),
    [{ name: 'sink', type: 'stdout', start: 'oldest', whenFull: 'wait' }],
  );
  while (!sources.every((name) => journal.ownership.owns(name))) await wait(50);
  return journal;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

function linesOf(rounds: readonly (readonly [file: Costs, database: Costs])[], perSecond: number): string[] {
  const ratio = (what: keyof Costs, of: keyof Cost): string =>
    median(rounds.map(([file, database]) => file[what][of] / database[what][of])).toFixed(2);
  const cpu = (of: (costs: Costs) => number): string =>
    median(rounds.map(([file, database]) => of(database) / of(file))).toFixed(2);
  const whole = ({ append, read, settle }: Costs): number => append.cpuMs + read.cpuMs + settle.cpuMs;
  return [
    `append, speed of the database to the file: ${ratio('append', 'ms')} (at least 0.5)`,
    `read: ${ratio('read', 'ms')} (at least 0.5)`,
    `settle, one per page: ${ratio('settle', 'ms')}`,
    `CPU of the journal in the replica per event, to the file: ${cpu(whole)}`,
    `an idle replica: ${perSecond.toFixed(1)} queries/s (at most 5)`,
  ];
}

async function compare(dir: string, url: string, pages: number, roundCount: number): Promise<string[]> {
  const replica = { name: 'bench', labels: [] };
  const database: PostgresEngine = {
    kind: 'postgres',
    url,
    schema: `bench_${process.pid}`,
    connections: 8,
    leaseMs: 60_000,
    replica,
  };
  await using inDatabase = await open(database);
  await using inFile = await open({ kind: 'sqlite', dataDir: join(dir, 'data') });
  // Neither is measured while it is compiled or makes its files.
  for (const journal of [inFile, inDatabase]) await measure(journal, 0, 2);
  const rounds: (readonly [Costs, Costs])[] = [];
  for (let round = 0; round < roundCount; round += 1) {
    const first = 2 + round * pages;
    const file = await measure(inFile, first, pages);
    rounds.push([file, await measure(inDatabase, first, pages)]);
  }
  const queries = countQueries();
  await wait(restMs);
  return linesOf(rounds, queries() / (restMs / 1000));
}

/** CPU of a whole replica that collects, maps and delivers, to that of a daemon with a file, by turns. */
async function compareReplicas(dir: string, url: string, rounds: number): Promise<string> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const file = await measureJournal(join(dir, `file-${round}`), '');
    const line = `journal: { url: ${url}, schema: replica_${process.pid}_${round} }\n`;
    ratios.push((await measureJournal(join(dir, `database-${round}`), line)).cpuS / file.cpuS);
  }
  return `CPU of a whole replica per event, to a daemon with a file: ${median(ratios).toFixed(2)} (at most 1.1)`;
}

/** Gives a line for each ratio; `pages` per source and round, of 500 records. */
export function measureEngine(pages: number, rounds: number): Promise<string[]> {
  return inNewDir(async (dir) => {
    const given = process.env['PENSTOCK_TEST_PG'] ?? '';
    const all = async (url: string): Promise<string[]> => [
      ...(await compare(dir, url, pages, rounds)),
      await compareReplicas(dir, url, Math.min(rounds, mostReplicaRounds)),
    ];
    if (given !== '') return all(given);
    await chmod(dir, 0o755);
    const { data, url } = await startServer(join(dir, 'server'));
    try {
      return [...(await all(url)), await measureQuiet(url, data)];
    } finally {
      runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
      if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'root', join(dir, 'server')]);
    }
  });
}
