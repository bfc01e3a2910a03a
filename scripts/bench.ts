// npm run bench [-- EVENTS]: how close the whole path comes to the limit of this machine, measured in one run (design: ratios, not rates).
// limit: bytes -> JSON.parse -> map -> JSON.stringify -> bytes, for the same events. Path: vendor over HTTP -> collect with exact dedupe ->
// durable journal -> deliver -> HEC with gzip, to a peer in another process.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../src/base/log.ts';
import { type Seams, systemSeams } from '../src/base/seams.ts';
import { createSecrets } from '../src/base/secrets.ts';
import { createBudgets, startSource } from '../src/collect/index.ts';
import type { SourceLoop } from '../src/collect/source.ts';
import type { Connector } from '../src/connectors/connector.ts';
import { loadConnector } from '../src/connectors/index.ts';
import type { SinkLoop } from '../src/deliver/delivery.ts';
import { startDelivery } from '../src/deliver/index.ts';
import { encodeBody } from '../src/event/index.ts';
import type { HttpClient } from '../src/http/client.ts';
import { openHttpClient } from '../src/http/index.ts';
import { type Journal, openJournal, withPageCache } from '../src/journal/index.ts';
import { sinkTypes } from '../src/sinks/index.ts';

const eventCount = Number(process.argv[2] ?? 200_000);
const pageSize = 1000;
const cacheBytes = 32 * 2 ** 20;
const origin = Date.parse('2026-11-20T10:00:00.000Z');
const never = new AbortController().signal;

interface Bench {
  readonly seams: Seams;
  readonly http: HttpClient;
  readonly connector: Connector;
  readonly base: string;
}

/** Starts the peer and waits for its port. */
async function startPeer(): Promise<{ readonly child: ChildProcess; readonly base: string }> {
  const child = fork(new URL('bench-peer.ts', import.meta.url), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: process.execArgv,
  });
  const port = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim())),
  );
  return { child, base: `http://127.0.0.1:${port}` };
}

async function get({ http, base }: Bench, path: string): Promise<Buffer> {
  return (await http.request({ method: 'GET', url: new URL(path, base), timeoutMs: 30_000, maxBytes: 2 ** 26, signal: never }))
    .body;
}

/** Microseconds per event of the limit, median of the rounds. */
async function measureLimit(bench: Bench): Promise<number> {
  const pages: Buffer[] = [];
  for (let page = 0; page < 32; page += 1)
    pages.push(await get(bench, `/api/audit-logs?offset=${page * pageSize}&limit=${pageSize}`));
  const out = Buffer.alloc(8 * 2 ** 20);
  const context = { source: 'bench', tenant: undefined, labels: [], processedTime: Date.now() };
  const { mapper } = bench.connector;
  const once = (): number => {
    const began = performance.now();
    for (const page of pages) {
      const { items } = JSON.parse(page.toString()) as { items: unknown[] };
      let end = 0;
      for (const record of items)
        end += out.write(
          encodeBody('ocsf', mapper.map({ uid: '0'.repeat(32), received: 0, record }, context), { includeRaw: false }),
          end,
        );
    }
    return ((performance.now() - began) * 1000) / (pages.length * pageSize);
  };
  const rounds = Array.from({ length: 12 }, once)
    .slice(3)
    .sort((a, b) => a - b);
  return rounds[Math.floor(rounds.length / 2)] ?? Number.NaN;
}

function openSource(bench: Bench, journal: Journal): SourceLoop {
  const { connector, seams, http, base } = bench;
  const options = {
    org_id: 'bench',
    client_id: 'bench',
    client_secret: 'bench-secret',
    api_url: base,
    token_url: `${base}/api/iam/token`,
  };
  const log = silentLog();
  const hourMs = 3_600_000;
  return startSource(
    {
      name: 'bench',
      connector,
      tenant: undefined,
      identity: {},
      schedule: { everyMs: hourMs },
      start: { at: origin },
      window: { overlapMs: 0, settleMs: 0, maxMs: 1000 * hourMs, minMs: 60_000 },
      filter: {},
      selfEvents: 'forward',
      retentionMs: undefined,
      expectEventsWithinMs: undefined,
      credentialExpires: undefined,
      sweep: undefined,
      labels: [],
    },
    {
      journal,
      seams,
      log,
      userAgent: 'penstock/bench',
      openReader: async () =>
        connector.open(options, {
          http,
          seams,
          log,
          userAgent: 'penstock/bench',
          ...createBudgets(seams, log).of('bench', undefined),
        }),
    },
  );
}

async function openSink(bench: Bench, journal: Journal): Promise<SinkLoop> {
  const { seams, http, base, connector } = bench;
  const log = silentLog();
  const type = sinkTypes['splunk_hec'];
  if (type === undefined) throw new Error('there is no splunk_hec sink');
  const options = {
    endpoints: [base],
    token: 'bench-token',
    acknowledge: 'off',
    ack_poll: '10s',
    ack_timeout: '5m',
    compression: 'gzip',
    max_event_bytes: '5MB',
  };
  return startDelivery(
    {
      name: 'bench',
      type: 'splunk_hec',
      format: 'ocsf',
      includeRaw: false,
      sources: undefined,
      filter: {},
      batch: { events: 500, bytes: 1_000_000, waitMs: 1_000 },
      inFlight: 4,
      timeoutMs: 30_000,
      backoffMaxMs: 60_000,
      holdProbeMs: 15_000,
      maxDeadLetters: 100_000,
      whenFull: 'wait',
    },
    {
      journal,
      seams,
      log,
      secrets: createSecrets(),
      openSink: () =>
        type.open(options, {
          name: 'bench',
          http,
          seams,
          log,
          hostname: 'bench',
          version: '0',
          format: 'ocsf',
          timeoutMs: 30_000,
        }),
      mapperFor: async () => connector.mapper,
    },
  );
}

interface Measured {
  readonly wallUs: number;
  readonly cpuUs: number;
  readonly peakRssMb: number;
  readonly stallP99Ms: number;
}

/** Runs a phase; per event. */
async function measure(work: () => Promise<void>): Promise<Measured> {
  const stalls: number[] = [];
  let peak = 0;
  let last = performance.now();
  const sampler = setInterval(() => {
    const now = performance.now();
    stalls.push(Math.max(0, now - last - 5));
    last = now;
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const wall = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(sampler);
  stalls.sort((a, b) => a - b);
  return {
    wallUs: (wall * 1000) / eventCount,
    cpuUs: (user + system) / eventCount,
    peakRssMb: peak / 2 ** 20,
    stallP99Ms: stalls[Math.floor(stalls.length * 0.99)] ?? 0,
  };
}

async function withJournal<T>(seams: Seams, work: (journal: Journal) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  try {
    const opened = await openJournal({ dataDir, maxBytes: 2 ** 31, keepMs: 60_000, seams, log: silentLog() });
    await using journal = withPageCache(opened, cacheBytes);
    await journal.register(
      [{ name: 'bench', connector: 'anaconda', identity: {}, seenTtlMs: 86_400_000, seenPinnedMs: 3_600_000 }],
      [{ name: 'bench', type: 'splunk_hec', start: 'oldest', whenFull: 'wait' }],
    );
    return await work(journal);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function checkDelivered(journal: Journal): Promise<void> {
  const [row] = (await journal.ledger()).rows;
  if (row?.totals.acknowledged !== eventCount)
    throw new Error(`delivered ${row?.totals.acknowledged ?? 0} of ${eventCount} events`);
}

/** Collects and delivers at the same time. */
function keepingUp(bench: Bench): Promise<Measured> {
  return withJournal(bench.seams, async (journal) => {
    await using source = openSource(bench, journal);
    await using sink = await openSink(bench, journal);
    const measured = await measure(async () => {
      sink.start();
      await source.pollOnce(never);
      await sink.drained(never);
    });
    await checkDelivered(journal);
    return measured;
  });
}

/** Collects everything first; both halves are measured. */
function draining(bench: Bench): Promise<{ readonly collected: Measured; readonly drained: Measured }> {
  return withJournal(bench.seams, async (journal) => {
    await using source = openSource(bench, journal);
    const collected = await measure(() => source.pollOnce(never));
    await using sink = await openSink(bench, journal);
    const drained = await measure(async () => {
      sink.start();
      await sink.drained(never);
    });
    await checkDelivered(journal);
    return { collected, drained };
  });
}

function line(name: string, limitUs: number, { wallUs, cpuUs, peakRssMb, stallP99Ms }: Measured): string {
  const columns = [
    (1e6 / wallUs).toFixed(0),
    (limitUs / wallUs).toFixed(2),
    cpuUs.toFixed(1),
    peakRssMb.toFixed(0),
    stallP99Ms.toFixed(0),
  ];
  return `${name.padEnd(24)}${columns.map((column) => column.padStart(12)).join('')}`;
}

async function main(): Promise<void> {
  const seams = systemSeams();
  const { child, base } = await startPeer();
  const http = await openHttpClient({ userAgent: 'penstock/bench' }, seams);
  try {
    const connector = await loadConnector('anaconda', { dirs: ['connectors'], files: seams.files });
    const bench: Bench = { seams, http, connector, base };
    await get(bench, `/events?count=${eventCount}`);
    const limitUs = await measureLimit(bench);
    const up = await keepingUp(bench);
    const { collected, drained } = await draining(bench);
    const head = ['events/s', 'of limit', 'CPU us/ev', 'peak RSS MB', 'stall p99'].map((column) => column.padStart(12)).join('');
    process.stdout.write(
      `${eventCount} events; limit ${limitUs.toFixed(2)} us/event = ${(1e6 / limitUs).toFixed(0)} events/s\n${''.padEnd(24)}${head}\n`,
    );
    process.stdout.write(
      `${line('a sink that keeps up', limitUs, up)}\n${line('collect alone', limitUs, collected)}\n${line('draining a backlog', limitUs, drained)}\n`,
    );
    process.stdout.write(
      `budgets: at least 0.30 of the limit keeping up, 0.20 draining; peak RSS below 300 MB; stalls below 30 ms at p99\n`,
    );
  } finally {
    await http[Symbol.asyncDispose]();
    child.disconnect();
  }
}

await main();
