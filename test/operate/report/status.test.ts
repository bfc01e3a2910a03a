import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Durations } from '../../../src/base/histogram.ts';
import type { SourceStatus } from '../../../src/collect/source.ts';
import { zeroTotals } from '../../../src/journal/counts.ts';
import { fillProblems } from '../../../src/operate/report/journal-status.ts';
import { renderMetrics } from '../../../src/operate/report/metrics.ts';
import { problemsOf, type StatusReport } from '../../../src/operate/report/status.ts';
import { quietSink } from './quiet-sink.ts';

const source: SourceStatus = {
  name: 'acme',
  connector: 'x',
  state: 'idle',
  consecutive_failures: 0,
  records: { fetched: 0, new: 0, duplicate: 0, excluded: 0, unreadable: 0 },
  warnings: [],
};
const report: Omit<StatusReport, 'problems'> = {
  running: true,
  version: '1.2.3',
  at: 1_000_000,
  journal: { used_bytes: 0, max_bytes: 1000, pages: 0, records: 0, oldest_received: undefined, has_room: true, corrections: [] },
  sources: [source],
  sinks: [],
  jobs: [],
  orphan_sinks: [],
};
const ledger = { imbalances: [], skipped: [], sinks: {} };

it('finds nothing wrong where all is well', () => {
  expect(problemsOf(report, ledger)).toEqual([]);
});

it('never says that all is well when no daemon runs', () => {
  expect(problemsOf({ ...report, running: false }, ledger)).toEqual([
    {
      level: 'error',
      where: 'daemon',
      what: 'it is not running; nothing is collected or delivered',
      fix: 'start it: penstock run',
    },
  ]);
});

const disk = { is_full: false, lacks_ballast: false, needed_bytes: 4_000_000, volume_bytes: 2000 };

it('says that the disk is full, what goes on meanwhile, and how much to free', () => {
  const last_error = { at: 999_000, code: 'PEN_JOURNAL_FULL', message: 'the disk is full', fix: 'free space on the disk' };
  const waiting: SourceStatus = { ...source, state: 'waiting_for_room', consecutive_failures: 1, last_error };
  const journal = { ...report.journal, has_room: false, disk: { ...disk, is_full: true } };

  const problems = problemsOf({ ...report, journal, sources: [waiting] }, ledger);

  const fix = 'free 3.8 MiB on the volume of data_dir; collection resumes by itself within seconds';
  expect(problems).toEqual([
    { level: 'error', where: 'disk', what: 'the disk is full; delivery goes on, collection waits', fix },
    {
      level: 'error',
      where: 'source acme',
      what: 'collection is paused because the disk is full; no poll has succeeded yet',
      fix,
    },
  ]);
});

it.each([
  { passes: true, level: 'warning' },
  { passes: false, level: 'error' },
])('says as $level why nothing is deleted, unless another line does', ({ passes, level }) => {
  const upkeep = { since: 60_000, error: 'a lock was not given', passes };
  const problems = (more: Partial<StatusReport['journal']>) =>
    problemsOf({ ...report, journal: { ...report.journal, upkeep, ...more } }, ledger).map(({ what }) => what);

  const [alone] = problemsOf({ ...report, journal: { ...report.journal, upkeep } }, ledger);

  const what =
    'upkeep has failed since 1970-01-01T00:01:00.000Z, and nothing is deleted until it works again: a lock was not given';
  expect(alone).toEqual({ level, where: 'journal', what });
  expect(problems({ disk: { ...disk, is_full: true } })).not.toContain(what);
  expect(problems({ server: { answers: false } })).not.toContain(what);
});

it('names actions that no row knows, the most frequent first, and what could not be mapped', () => {
  const actions = [9, 5, 2, 1].map((count) => ({ action: `made.up.${count}`, count }));
  const odd: SourceStatus = { ...source, unknown_actions: { records: 0, actions } };

  const problems = problemsOf({ ...report, sources: [odd], sinks: [{ ...quietSink, map_failed: 4 }] }, ledger);

  expect(problems).toEqual([
    {
      level: 'warning',
      where: 'source acme',
      what: 'no row of x knows "made.up.9" (9), "made.up.5" (5), "made.up.2" (2) and others: such events are delivered as Base Event, which detections by class do not see',
      fix: 'penstock actions x --unknown prints rows to paste',
    },
    {
      level: 'warning',
      where: 'sink soc',
      what: '4 records could not be mapped and went out as Base Event with the whole text, labelled map_failed',
      fix: 'report it with one of these events; once mended, replay the time',
    },
  ]);
});

it('says that the journal is full where the disk is not', () => {
  const waiting: SourceStatus = { ...source, state: 'waiting_for_room' };

  const problems = problemsOf({ ...report, journal: { ...report.journal, has_room: false, disk }, sources: [waiting] }, ledger);

  expect(problems.map(({ where, what }) => [where, what])).toEqual([
    ['source acme', 'collection is paused because the journal is full; no poll has succeeded yet'],
  ]);
});

it('calls no journal full that takes events again: the source looks within seconds', () => {
  const waiting: SourceStatus = { ...source, state: 'waiting_for_room' };
  const journal = { ...report.journal, has_room: true, server: { answers: true } };

  expect(problemsOf({ ...report, journal, sources: [waiting] }, ledger)).toEqual([
    {
      level: 'warning',
      where: 'source acme',
      what: 'collection was paused, and goes on within seconds: the journal takes events again; no poll has succeeded yet',
    },
  ]);
});

it.each([
  {
    server: { answers: true, refusal: { what: 'the disk of the database server is full', fix: 'free space there' } },
    fix: 'free space there',
    said: [
      ['journal', 'the disk of the database server is full; collection waits'],
      ['source acme', 'collection is paused because the disk of the database server is full; no poll has succeeded yet'],
    ],
  },
  {
    server: { answers: false },
    fix: 'see that the database runs and can be reached; collection resumes by itself within seconds',
    said: [['source acme', 'collection is paused because the database does not answer; no poll has succeeded yet']],
  },
])('says what the database lacks, not that the journal is full: $said.0.1', ({ server, fix, said }) => {
  const waiting: SourceStatus = { ...source, state: 'waiting_for_room' };

  const problems = problemsOf({ ...report, journal: { ...report.journal, has_room: false, server }, sources: [waiting] }, ledger);

  expect(problems.map(({ where, what }) => [where, what])).toEqual(said);
  expect(problems.map((problem) => problem.fix)).toEqual(said.map(() => fix));
});

it.each([
  {
    change: { volume_bytes: 500 },
    what: 'the volume of data_dir has 500 B, journal.max_bytes is 1000 B: the disk would be full first',
  },
  { change: { lacks_ballast: true }, what: 'there is no reserve: on a full disk not even deliveries could be noted' },
])('warns of a disk with $change before it is full', ({ change, what }) => {
  const problems = problemsOf({ ...report, journal: { ...report.journal, disk: { ...disk, ...change } } }, ledger);

  expect(problems).toEqual([{ level: 'warning', where: 'disk', what, fix: expect.any(String) as string }]);
});

it.each([
  [1, 'warning', 'the last poll failed: no connection; no poll has succeeded yet'],
  [2, 'warning', '2 polls in a row failed: no connection; no poll has succeeded yet'],
  [3, 'error', '3 polls in a row failed: no connection; no poll has succeeded yet'],
])('says why a source fails after %s failures, as %s', (failures, level, what) => {
  const last_error = { at: 999_000, code: 'PEN_HTTP_UNREACHABLE', message: 'no connection', fix: 'check the host' };
  const failing: SourceStatus = { ...source, state: 'failing', consecutive_failures: failures, last_error };

  const problems = problemsOf({ ...report, sources: [failing] }, ledger);

  expect(problems).toEqual([{ level, where: 'source acme', what, fix: 'check the host' }]);
});

const hour = 3_600_000;
const [night, day] = [{ ...report, at: 100 * hour }, 86_400];

const receiver = 'see to what the reason says: "penstock check" tries the sink; delivery goes on by itself';

it('says of a source that fails or is on hold since when it does, and how long the vendor keeps what it has not read', () => {
  const behind = { ...source, last_success: 97 * hour, cursor: 96 * hour, retention_seconds: 7 * day };
  const last_error = { at: 100 * hour, code: 'PEN_HTTP_UNREACHABLE', message: 'no connection' };
  const failing: SourceStatus = { ...behind, name: 'a', state: 'failing', consecutive_failures: 9, last_error };
  const hold = { since: 98 * hour, reason: 'answered 401', fix: 'renew it' };
  const held: SourceStatus = { ...behind, name: 'b', state: 'hold', hold };

  const said = problemsOf({ ...night, sources: [failing, held] }, ledger).map(({ what }) => what);

  expect(said).toEqual([
    '9 polls in a row failed: no connection; the last successful poll was 3h ago; the cursor is 4h old, and the vendor keeps 7d',
    'on hold for 2h: answered 401; the cursor is 4h old, and the vendor keeps 7d',
  ]);
});

it('says of a sink that takes nothing since when, and what waits for it', () => {
  const hold = { since: 98 * hour, reason: 'answered 403', fix: 'renew it' };
  const last_error = { at: 100 * hour, reason: 'answered 503' } as NonNullable<StatusReport['sinks'][number]['last_error']>;
  const retrying = { ...quietSink, state: 'retrying', last_error } as const;
  const sinks = [
    { ...quietSink, name: 'a', state: 'hold', hold, pending: 840 } as const,
    { ...retrying, name: 'b', pending: 1, last_acknowledged: 97 * hour },
    { ...retrying, name: 'c', pending: 0, last_acknowledged: undefined },
  ] as unknown as StatusReport['sinks'];

  const problems = problemsOf({ ...night, sinks }, ledger);

  expect(problems.map(({ what }) => what)).toEqual([
    'on hold for 2h: answered 403; 840 events wait in the journal',
    'retrying: answered 503; it last took an event 3h ago; 1 event waits in the journal',
    'retrying: answered 503; it has taken nothing yet',
  ]);
  expect(problems.map(({ fix }) => fix)).toEqual(['renew it', receiver, receiver]);
});

it.each([
  { pending: 0, said: '' },
  { pending: 1, said: '; 1 event waits for it, for as long as journal.keep says' },
  { pending: 12, said: '; 12 events wait for it, for as long as journal.keep says' },
])('says what waits for a sink that is not configured any more: $pending', ({ pending, said }) => {
  const sinks = { old: { ...zeroTotals(), pending } };

  const problems = problemsOf({ ...report, orphan_sinks: ['old'] }, { ...ledger, sinks });

  expect(problems.map(({ where, what }) => [where, what])).toEqual([
    ['sink old', `is in the journal but not in the configuration${said}`],
  ]);
});

it('calls it an error, once, that a sink stands still for as long as stalled_after, and says what to look at', () => {
  const text = 'no progress for 12m: answered 503';
  const last_error = { at: 100 * hour, reason: 'answered 503' } as NonNullable<StatusReport['sinks'][number]['last_error']>;
  const warnings = [text, 'the receiver warns: slow down'];
  const still = { ...quietSink, state: 'retrying', last_error, pending: 2, warnings, errors: [text] };

  const said = problemsOf({ ...night, sinks: [still] as StatusReport['sinks'] }, ledger);

  expect(said.map(({ level, what, fix }) => [level, what, fix])).toEqual([
    ['error', `${text}; it has taken nothing yet; 2 events wait in the journal`, receiver],
    ['warning', 'the receiver warns: slow down', undefined],
  ]);
});

it.each([
  { left: undefined, hasRoom: true, said: [] },
  { left: 25 * 3600, hasRoom: true, said: [] },
  {
    left: 5 * 3600,
    hasRoom: true,
    said: ['it is full in about 5h at the pace of the last half hour; then collection pauses'],
  },
  { left: 0, hasRoom: false, said: [] },
])('says while there is time to act that the journal fills up: in $left s', ({ left, hasRoom, said }) => {
  const problems = fillProblems({ ...report.journal, has_room: hasRoom }, left);

  expect(problems.map(({ what }) => what)).toEqual(said);
});

const invalid = (action: string, count: number) => ({ source: 'acme', action, count, fault: 'user is required and missing' });

it('says once which actions have events that are not valid by OCSF, however many sinks get them', async () => {
  const sinks = [
    { ...quietSink, invalid_events: [invalid('login', 7), invalid('logout', 1)] },
    { ...quietSink, name: 'behind', invalid_events: [invalid('login', 3)] },
  ];

  const problems = problemsOf({ ...report, sinks }, ledger);
  const metrics = await renderMetrics(
    { ...report, sinks, problems },
    { sources: {}, sinks: {}, imbalances: [], skipped: [], rows: [], shortfalls: [] },
    { durations: new Durations(), disk: undefined, replicas: undefined, process: new Registry() },
  );

  const fix = 'correct the row of the action, or set validate: off';
  expect(problems).toEqual([
    {
      level: 'warning',
      where: 'source acme',
      what: '7 events of action "login" are not valid OCSF: user is required and missing',
      fix,
    },
    {
      level: 'warning',
      where: 'source acme',
      what: '1 event of action "logout" is not valid OCSF: user is required and missing',
      fix,
    },
  ]);
  expect(metrics).toContain('penstock_source_invalid_events_total{source="acme"} 8\n');
});

it('lists twenty such actions, and how many more there are', () => {
  const sinks = [{ ...quietSink, invalid_events: Array.from({ length: 25 }, (_, index) => invalid(`a${index}`, 1)) }];

  const problems = problemsOf({ ...report, sinks }, ledger);

  expect([problems.length, problems.at(-1)?.what]).toEqual([21, '5 more actions have events that are not valid OCSF']);
});
