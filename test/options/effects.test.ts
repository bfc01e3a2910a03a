// What the options of the file, of a source and of a sink do once they are loaded: `configured.test.ts` shows that each is read.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { openLog, silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { startSource } from '../../src/collect/index.ts';
import type { SourceSettings } from '../../src/connectors/source-settings.ts';
import { Configuration } from '../../src/daemon/configuration.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { LiveRuntime } from '../../src/runtime/live-runtime.ts';
import type { RunningSink } from '../../src/runtime/runtime.ts';
import type { Sink, Verdicts } from '../../src/sinks/sink.ts';
import type { SinkSettings } from '../../src/sinks/sink-settings.ts';
import {
  at,
  bench,
  day,
  hour,
  minute,
  never,
  noon,
  realJournal,
  row,
  settings as sourceSettings,
  vendor,
} from '../collect/fixture.ts';
import { load } from '../config/load.ts';
import { accepted, record, records, setUp } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { type Elsewhere, faultOfElsewhere } from './cases.ts';
import { options } from './schemas.ts';

const windows = { overlapMs: 5 * minute, settleMs: minute, maxMs: day, minMs: minute };

/** Settings of a sink that change what a receiver sees within an hour of trouble. */
const settings: Readonly<Record<string, Partial<SinkSettings>>> = {
  sources: { sources: ['other'] },
  'filter.exclude_actions': { filter: { exclude_actions: ['user.logout'] } },
  'filter.only_actions': { filter: { only_actions: ['user.login'] } },
  'filter.min_severity': { filter: { min_severity: 4 } },
  'batch.events': { batch: { events: 3, bytes: 100_000, waitMs: 100 } },
  'batch.bytes': { batch: { events: 10, bytes: 400, waitMs: 100 } },
  'batch.wait': { batch: { events: 10, bytes: 100_000, waitMs: 9_000 } },
  in_flight: { inFlight: 2 },
  timeout: { timeoutMs: 5_000 },
  backoff_max: { backoffMaxMs: 2_000 },
  hold_probe: { holdProbeMs: 3_000 },
};

/** Settings of a source that change what a vendor is asked for. */
const readings: Readonly<Record<string, Partial<SourceSettings>>> = {
  start: { start: { backMs: 3 * hour } },
  'window.overlap': { window: { ...windows, overlapMs: 7 * minute } },
  'window.settle': { window: { ...windows, settleMs: 7 * minute } },
  'window.max': { window: { ...windows, maxMs: 20 * minute } },
  'window.min': { window: { ...windows, minMs: 7 * minute } },
};

const effects: Readonly<Record<'file' | 'source' | 'sink' | 'tls', Readonly<Record<string, Elsewhere>>>> = {
  file: {
    data_dir: [
      'e2e/chaos/disk.test.ts',
      'refuses a read-only data_dir before anything is polled, and goes on when it is writable',
    ],
    'log.level': ['options/effects.test.ts', 'log.level: lets lines of a lower level out'],
    'admin.listen': ['admin/server.test.ts', 'says which address is taken'],
    'admin.metrics': [
      'admin/access.test.ts',
      'with metrics: $metrics gives whoever sends $authorization, on this machine: $isLocal, $status for /metrics',
    ],
    'admin.tls.cert_file': ['admin/server.test.ts', 'serves HTTPS with the configured certificate'],
    'admin.tls.key_file': ['admin/server.test.ts', 'serves HTTPS with the configured certificate'],
    shutdown_timeout: ['options/effects.test.ts', 'gives what is under way shutdown_timeout of $text before it ends'],
    'journal.max_bytes': ['journal/limits.test.ts', 'stops appends at max_bytes, and still settles'],
    'journal.keep': ['journal/limits.test.ts', 'abandons what an orphan left beyond keep, and counts it'],
    'journal.url': [
      'e2e/replicas/replicas.test.ts',
      'deliver everything once, and one goes on alone when the other stops',
      'openScene',
    ],
    'journal.password': ['config/cross-checks.test.ts', 'reads the password of the database anew each time it is asked for'],
    'journal.tls': [
      'journal/database-connection.long.test.ts',
      'is trusted by its certificate alone, and asks for the password with each connection',
    ],
    'journal.schema': [
      'e2e/replicas/replicas.test.ts',
      'deliver everything once, and one goes on alone when the other stops',
      'openScene',
    ],
    'journal.lease': ['e2e/replicas/replicas.test.ts', 'deliver everything once, and one goes on alone when the other stops'],
    'journal.connections': [
      'journal/ownership.test.ts',
      'asks over no more connections than it may have, and one for its membership',
    ],
    'replica.name': ['config/cross-checks.test.ts', 'lets ${replica} stand for the name of this process, which is no secret'],
    'replica.labels': ['journal/ownership.test.ts', 'says its name and its labels in the database'],
    watch: ['e2e/reload.test.ts', 'applies a ConfigMap that Kubernetes swaps, with watch: true'],
    connectors_dir: [
      'e2e/unknown-actions.test.ts',
      'goes from an unknown action to a row, and replays the event in its right class under the same id',
    ],
    proxy: ['http/proxy.test.ts', 'to %s with %j is %s'],
  },
  source: {
    enabled: ['options/effects.test.ts', 'runs no source and no sink with enabled: false'],
    'schedule.every': ['collect/loop.test.ts', 'neither stops nor bursts when the wall clock steps a day with $schedule'],
    'schedule.cron': ['collect/loop.test.ts', 'follows a cron expression in its time zone'],
    'schedule.timezone': ['collect/loop.test.ts', 'follows a cron expression in its time zone'],
    cron: ['collect/loop.test.ts', 'follows a cron expression in its time zone'],
    timezone: ['collect/loop.test.ts', 'follows a cron expression in its time zone'],
    rate_limit: ['collect/budgets.test.ts', 'gives all readers of a source one rate', 'perMs'],
    'filter.exclude_actions': ['collect/dedupe.test.ts', 'filters before the journal and remembers nothing of what it left out'],
    'filter.only_actions': ['collect/dedupe.test.ts', 'takes only the actions named, and whatever has none'],
    self_events: ['collect/dedupe.test.ts', 'forwards self-made records when configured to'],
    retention: ['collect/loop.test.ts', 'warns of silence, an old cursor and a dead poll once each, and says when it is over'],
    expect_events_within: [
      'collect/loop.test.ts',
      'warns of silence, an old cursor and a dead poll once each, and says when it is over',
    ],
    credential_expires: ['collect/loop.test.ts', 'warns of a credential with $left ms left'],
    'sweep.every': ['collect/windows/sweep.test.ts', 'reads closed windows again and forwards what arrived late'],
    'sweep.back': ['collect/windows/sweep.test.ts', 'reads closed windows again and forwards what arrived late'],
    shared: ['config/cross-checks.test.ts', 'lets replicas read a directory only where all of them see it'],
    labels: ['collect/windows/poll.test.ts', 'writes records with everything that the sinks need'],
    actions: [
      'e2e/unknown-actions.test.ts',
      'takes rows that stand in the configuration, and puts them in the place of shipped ones',
    ],
    validate: ['e2e/invalid-events.test.ts', 'delivers what is not valid by OCSF, and says so once for each action'],
    proxy: ['http/proxy.test.ts', 'to %s with %j is %s'],
  },
  sink: {
    drop: ['deliver/prepare.test.ts', 'leaves out what one sink does not want, and of no other sink, again the same for a retry'],
    stalled_after: ['deliver/report/status.test.ts', 'says that a sink makes no progress, and why'],
    enabled: ['options/effects.test.ts', 'runs no source and no sink with enabled: false'],
    format: ['e2e/secrets.long.test.ts', "takes the secrets out of a vendor's record, in every output and in the journal"],
    include_raw: ['e2e/bad-input.test.ts', 'delivers every record of a page, whatever it is, and says which could not be read'],
    start: [
      'journal/contract.test.ts',
      'starts a new sink where it says, and everything where nothing was collected yet',
      'oldest',
    ],
    max_dead_letters: ['deliver/hold/holding.test.ts', 'holds when the dead letters are full, and goes on when there is room'],
    when_full: [
      'e2e/back-pressure.long.test.ts',
      'lets a sink that may skip fall behind without stopping collection or the healthy sink beside it',
    ],
    labels: ['deliver/lanes.test.ts', 'adds the labels of the sink to a replay as well'],
    proxy: ['http/proxy.test.ts', 'to %s with %j is %s'],
  },
  tls: {
    ca_file: ['http/tls.test.ts', 'trusts a private certificate authority'],
    cert_file: ['http/tls.test.ts', 'shows a client certificate'],
    key_file: ['http/tls.test.ts', 'shows a client certificate'],
    server_name: ['http/tls.test.ts', 'accepts a certificate for the configured server name'],
    pin_sha256: ['http/tls.test.ts', 'compares %s'],
    insecure_skip_verify: ['http/tls.test.ts', 'takes any certificate when told to skip the check'],
  },
};

/** Options that choose a schema or hold other options, whose effects are theirs. */
const containers = [
  'file sources',
  'file sinks',
  'file tls',
  'source connector',
  'source options',
  'source tls',
  'sink type',
  'sink tls',
];
/** Options that decide whether the file is loaded at all: `configured.test.ts` shows that. */
const decidedAtLoading = ['source allow_plaintext', 'sink allow_plaintext'];

it.each(Object.entries(effects))('names a test for every option of %s', (scope, entries) => {
  const own = scope === 'sink' ? Object.keys(settings) : scope === 'source' ? Object.keys(readings) : [];
  const left = [...containers, ...decidedAtLoading];

  expect([...own, ...Object.keys(entries)].sort((a, b) => a.localeCompare(b))).toEqual(
    (options[scope] ?? []).filter((option) => !left.includes(`${scope} ${option}`)).sort((a, b) => a.localeCompare(b)),
  );
});

it.each(Object.entries(effects))('has the tests that it names for options of %s', (_, entries) => {
  expect(Object.entries(entries).flatMap(([option, test]) => faultOfElsewhere(option, test) ?? [])).toEqual([]);
});

/** What a receiver gets that first answers nothing, then is busy, then refuses the token, then two events, and then takes all. */
async function delivered(change: Partial<SinkSettings>): Promise<string> {
  const journal = memoryJournal();
  const lane = { kind: 'live', source: 'acme' } as const;
  journal.put(lane, [...records('a', 12), ...records('b', 12, { action: 'user.logout' }), ...records('c', 6, { severity: 5 })]);
  let count = 0;
  const answer = (): Verdicts | Promise<Verdicts> => {
    count += 1;
    if (count === 1) return new Promise(() => undefined);
    if (count < 12) return { all: { kind: 'retry', reason: 'busy' } };
    if (count < 16) return { all: { kind: 'hold', reason: 'refused', fix: 'renew the token' } };
    return count < 18 ? { all: { kind: 'event', code: 'bad', reason: 'bad' } } : accepted;
  };
  const sink: Partial<Sink> = { maxInFlight: 8 };
  const base: Partial<SinkSettings> = { batch: { events: 10, bytes: 100_000, waitMs: 100 } };
  const { loop, clock, sent } = setUp({ journal, answer, sink, settings: { ...base, ...change } });
  loop.start();
  for (let minute = 0; minute < 60; minute += 1) {
    await clock.advance(60_000);
    if (minute === 30) journal.put(lane, [record('late')]);
  }
  const said = JSON.stringify([sent, loop.status()]);
  await clock.until(loop.stop(0));
  return said;
}

describe('a setting of a sink', () => {
  it.each(Object.entries(settings))('changes what is delivered: %s', async (_, change) => {
    const before = await delivered({});

    expect(await delivered({})).toBe(before);
    expect(await delivered(change)).not.toBe(before);
  });
});

/** What a vendor is asked for that first refuses every window as too large, and answers from the next day on. */
async function asked(change: Partial<SourceSettings>): Promise<string> {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([row('a', noon - 30 * minute)], { clock });
  api.onRequest = () => {
    if (clock.now() < noon + hour) throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'the vendor answered 400', { status: 400 });
  };
  await using loop = startSource(sourceSettings({ window: windows, ...change }), bench(clock, journal, api.open).deps);
  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_SOURCE_REFUSED' });
  for (let polls = 0; polls < 2; polls += 1) {
    await clock.advance(hour);
    await loop.pollOnce(never);
  }
  return JSON.stringify(api.requests);
}

describe('a setting of a source', () => {
  it.each(Object.entries(readings))('changes what the vendor is asked for: %s', async (_, change) => {
    const before = await asked({});

    expect(await asked({})).toBe(before);
    expect(await asked(change)).not.toBe(before);
  });
});

it('log.level: lets lines of a lower level out', () => {
  const stream = new PassThrough();

  for (const level of ['warn', 'info'] as const) openLog(level, stream, createSecrets()).info({ level }, 'source answers');

  expect(String(stream.read()).trim().split('\n')).toEqual([expect.stringContaining('"level":"info"')]);
});

it('runs no source and no sink with enabled: false', async () => {
  const config = await load(
    JSON.stringify({
      sources: {
        on: { connector: 'vendor', options: { org_id: 'a' } },
        off: { connector: 'vendor', options: { org_id: 'b' }, enabled: false },
      },
      sinks: { on: { type: 'stdout' }, off: { type: 'stdout', enabled: false } },
    }),
  );

  const runtime = new LiveRuntime(config, memoryJournal(), {
    seams: systemSeams(),
    log: silentLog(),
    userAgent: 'penstock/0',
    secrets: config.secrets,
  });

  expect([[...runtime.sources.keys()], [...runtime.sinks.keys()]]).toEqual([['on'], ['on']]);
});

/** What a request that is cut off may take to end, milliseconds. */
const lastWordsMs = 1_000;

it.each([
  { text: '3s', endsAfterMs: 3_000 },
  { text: '20s', endsAfterMs: 20_000 },
])('gives what is under way shutdown_timeout of $text before it ends', async ({ text, endsAfterMs }) => {
  const config = await load(JSON.stringify({ shutdown_timeout: text, sources: {}, sinks: { out: { type: 'stdout' } } }));
  const journal = memoryJournal();
  journal.put({ kind: 'live', source: 'acme' }, records('a', 1));
  const never = new Promise<Verdicts>(() => undefined);
  const { loop, clock, sent } = setUp({ journal, answer: () => never });
  const running = { loop } as RunningSink;
  const runtime = {
    journal,
    seams: { ...systemSeams(), clock },
    log: silentLog(),
    sources: new Map(),
    sinks: new Map([['out', running]]),
    startSinks: () => loop.start(),
    stop: (graceMs: number) => loop.stop(graceMs),
  } as unknown as LiveRuntime;
  const report = { newSinks: [], orphanSinks: [], orphanSources: [], changedSources: [] };
  const configuration = new Configuration(config, runtime, report);
  const daemon = new Daemon(configuration, runtime, new AsyncDisposableStack());
  daemon.runtime.startSinks();
  await clock.advance(5_000);
  const stoppedAt = clock.monotonic();

  await clock.until(daemon.stop());

  expect(sent.length).toBe(1);
  expect(clock.monotonic() - stoppedAt).toBe(endsAfterMs + lastWordsMs);
});
