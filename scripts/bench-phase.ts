// One phase of the benchmark in a process of its own, so that its memory is its own: `bench-phase.ts PHASE EVENTS PEER DATA_DIR`.
// Prints one JSON object. The phases: limit, keep_up, collect, drain (what collect left in DATA_DIR) and steady (1,000 events a second).
// What follows the limit does the same work on other records first, in another journal: a daemon compiles its code once, not every day.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sleep } from '../src/base/clock.ts';
import { boundHeap } from '../src/base/heap.ts';
import { silentLog } from '../src/base/log.ts';
import { type Seams, systemSeams } from '../src/base/seams.ts';
import { createSecrets } from '../src/base/secrets.ts';
import { Budgets, startSource } from '../src/collect/index.ts';
import type { SourceLoop } from '../src/collect/source.ts';
import type { Connector } from '../src/connectors/connector.ts';
import { loadConnector } from '../src/connectors/index.ts';
import { startDelivery } from '../src/deliver/index.ts';
import type { SinkLoop } from '../src/deliver/loop.ts';
import { encodeBody } from '../src/event/index.ts';
import type { HttpClient } from '../src/http/client.ts';
import { openHttpClient } from '../src/http/index.ts';
import { type Journal, openJournal, pageCacheBytes, withPageCache } from '../src/journal/index.ts';
import { journalPaths } from '../src/journal/sqlite/file/directory.ts';
import { sinkTypes } from '../src/sinks/index.ts';
import { type Measured, measure } from './bench-measure.ts';

const [phase = '', countText = '', base = '', dataDir = ''] = process.argv.slice(2);
const eventCount = Number(countText);
const pageSize = 1000;
const origin = Date.parse('2026-11-20T10:00:00.000Z');
/** Below it the peer has other records. */
const warmPath = '/warm';
const never = new AbortController().signal;
const log = silentLog();

interface Bench {
  readonly seams: Seams;
  readonly http: HttpClient;
  readonly connector: Connector;
  /** Where the vendor is. */
  readonly api: string;
}

async function get({ http }: Bench, path: string): Promise<Buffer> {
  return (await http.request({ method: 'GET', url: new URL(path, base), timeoutMs: 60_000, maxBytes: 2 ** 26, signal: never }))
    .body;
}

/** The limit: bytes -> JSON.parse -> map -> JSON.stringify -> bytes, nothing else; median of its rounds. */
async function limit(bench: Bench): Promise<Measured> {
  const pages: Buffer[] = [];
  const most = Math.min(32, eventCount / pageSize);
  for (let page = 0; page < most; page += 1)
    pages.push(await get(bench, `/api/audit-logs?offset=${page * pageSize}&limit=${pageSize}`));
  const out = Buffer.alloc(8 * 2 ** 20);
  const context = { source: 'bench', tenant: undefined, labels: [], processedTime: Date.now() };
  const { mapper } = bench.connector;
  const once = (): void => {
    for (const page of pages) {
      const { items } = JSON.parse(page.toString()) as { items: unknown[] };
      let end = 0;
      for (const record of items)
        end += out.write(
          encodeBody('ocsf', mapper.map({ uid: '0'.repeat(32), received: 0, record }, context), { includeRaw: false }),
          end,
        );
    }
  };
  for (let round = 0; round < 4; round += 1) once();
  const rounds: Measured[] = [];
  for (let round = 0; round < 11; round += 1)
    rounds.push(await measure(Math.min(eventCount, pages.length * pageSize), () => Promise.resolve(once())));
  rounds.sort((a, b) => a.wallUs - b.wallUs);
  const median = rounds[5];
  if (median === undefined) throw new Error('nothing was measured');
  return median;
}

function openSource({ connector, seams, http, api }: Bench, journal: Journal, live: boolean): SourceLoop {
  const options = {
    org_id: 'bench',
    client_id: 'bench',
    client_secret: 'bench-secret',
    api_url: api,
    token_url: `${base}/api/iam/token`,
  };
  const hourMs = 3_600_000;
  return startSource(
    {
      name: 'bench',
      connector,
      tenant: undefined,
      identity: {},
      schedule: { everyMs: live ? 1000 : hourMs },
      start: live ? { backMs: 1000 } : { at: origin },
      window: { overlapMs: live ? 1000 : 0, settleMs: 0, maxMs: 1000 * hourMs, minMs: 60_000 },
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
          ...new Budgets(seams, log).of('bench', undefined),
        }),
    },
  );
}

function openSink({ seams, http, connector }: Bench, journal: Journal): SinkLoop {
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
      drop: [],
      sources: undefined,
      filter: {},
      labels: [],
      batch: { events: 500, bytes: 1_000_000, waitMs: 1_000 },
      inFlight: 4,
      timeoutMs: 30_000,
      backoffMaxMs: 60_000,
      holdProbeMs: 15_000,
      stalledAfterMs: 600_000,
      maxDeadLetters: 100_000,
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
      mapperFor: () => Promise.resolve(connector.mapper),
    },
  );
}

async function checkDelivered(journal: Journal, least: number): Promise<number> {
  const [row] = (await journal.ledger()).rows;
  const delivered = row?.totals.acknowledged ?? 0;
  if (delivered < least) throw new Error(`delivered ${delivered} of ${least} events`);
  return delivered;
}

async function keepUp(bench: Bench, journal: Journal): Promise<Measured> {
  await using source = openSource(bench, journal, false);
  await using sink = openSink(bench, journal);
  const measured = await measure(eventCount, async () => {
    sink.start();
    await source.pollOnce(never);
    await sink.drained(never);
  });
  await checkDelivered(journal, eventCount);
  return measured;
}

async function collect(bench: Bench, journal: Journal): Promise<Measured> {
  await using source = openSource(bench, journal, false);
  return await measure(eventCount, () => source.pollOnce(never));
}

async function drain(bench: Bench, journal: Journal): Promise<Measured> {
  await using sink = openSink(bench, journal);
  const measured = await measure(eventCount, async () => {
    sink.start();
    await sink.drained(never);
  });
  await checkDelivered(journal, eventCount);
  return measured;
}

/** A poll a second over a vendor that makes 1,000 records a second. */
async function steady(bench: Bench, journal: Journal): Promise<Measured> {
  await get(bench, `/feed?first=${Date.now() - 2000}&spacing=1&count=100000000`);
  await using source = openSource(bench, journal, true);
  await using sink = openSink(bench, journal);
  const seconds = eventCount / 1000;
  const measured = await measure(eventCount, async () => {
    sink.start();
    source.start();
    await sleep(bench.seams.clock, seconds * 1000, never);
  });
  await checkDelivered(journal, eventCount * 0.4);
  return measured;
}

const journalPhases: Readonly<Record<string, (bench: Bench, journal: Journal) => Promise<Measured>>> = {
  keep_up: keepUp,
  collect,
  drain,
  steady,
};

async function inJournal<T>(bench: Bench, dir: string, work: (bench: Bench, journal: Journal) => Promise<T>): Promise<T> {
  const opened = await openJournal({
    engine: { kind: 'sqlite', dataDir: dir },
    maxBytes: 2 ** 31,
    keepMs: 60_000,
    seams: bench.seams,
    log,
  });
  await using journal = withPageCache(opened, pageCacheBytes);
  await ballastStands(dir);
  await journal.register(
    [{ name: 'bench', connector: 'anaconda', identity: {}, seenTtlMs: 86_400_000, seenPinnedMs: 3_600_000 }],
    [{ name: 'bench', type: 'splunk_hec', start: 'oldest', whenFull: 'wait' }],
  );
  return await work(bench, journal);
}

/** Waits for what a new journal writes once, whatever it is for: its ballast stands when the file grows no more, or there is no room for one. */
async function ballastStands(dir: string): Promise<void> {
  const { ballast } = journalPaths(dir);
  let before = 0;
  for (let look = 0; look < 40; look += 1) {
    await pause(250);
    const { size } = await stat(ballast).catch(() => ({ size: 0 }));
    if (size > 0 && size === before) return;
    before = size;
  }
}

/** Collects and delivers the vendor's other records, where the phase will do so. */
async function warm(bench: Bench, journal: Journal): Promise<void> {
  await using source = openSource(bench, journal, false);
  if (phase === 'collect') return await source.pollOnce(never);
  await using sink = openSink(bench, journal);
  if (phase === 'keep_up') sink.start();
  await source.pollOnce(never);
  if (phase === 'drain') sink.start();
  await sink.drained(never);
}

async function main(): Promise<void> {
  boundHeap();
  const seams = systemSeams();
  await using http = await openHttpClient({ userAgent: 'penstock/bench' }, seams);
  const connector = await loadConnector('anaconda', { dirs: ['connectors'], files: seams.files });
  const bench: Bench = { seams, http, connector, api: base };
  const work = journalPhases[phase];
  if (work === undefined && phase !== 'limit') throw new Error(`there is no phase "${phase}"`);
  if (work !== undefined && work !== steady)
    await inJournal({ ...bench, api: `${base}${warmPath}` }, join(dataDir, `warm-${phase}`), warm);
  const measured = work === undefined ? await limit(bench) : await inJournal(bench, dataDir, work);
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

await main();
