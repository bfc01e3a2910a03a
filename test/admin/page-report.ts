// Reports as the daemon gives them to its page.
import { groupProblems } from '../../src/operate/report/problem-groups.ts';
import type { Problem } from '../../src/operate/report/status.ts';

const now = Date.UTC(2026, 10, 21, 3, 12, 45);
const hour = 3_600_000;

export const hostile = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';

export function source(name: string, change: object = {}) {
  return {
    name,
    connector: 'anaconda',
    state: 'idle',
    cursor_age_seconds: 75,
    retention_seconds: 90 * 86_400,
    last_success: now - 20_000,
    last_event: now - 300_000,
    consecutive_failures: 0,
    records: { fetched: 1234, new: 1234, duplicate: 0, excluded: 0, unreadable: 0 },
    warnings: [],
    ...change,
  };
}

export function sink(name: string, change: object = {}) {
  return {
    name,
    type: 'splunk_hec',
    state: 'idle',
    lag_seconds: 0,
    pending: 0,
    in_flight: 0,
    dead_letters: 0,
    last_acknowledged: now - 4000,
    acknowledged: 1234,
    unconfirmed: 0,
    map_failed: 0,
    unknown_actions: {},
    endpoints: [],
    warnings: [],
    ...change,
  };
}

const totals = {
  acknowledged: 52_000,
  unconfirmed: 0,
  dead_lettered: 3,
  discarded: 0,
  not_routed: 12,
  skipped: 0,
  abandoned: 0,
  pending: 840,
  replayed: 0,
  possible_duplicates: 0,
};

/** A report in which nothing is wrong. */
export function reportOf(
  sources: readonly object[],
  sinks: readonly { readonly name: string }[],
  status: { readonly problems?: readonly Problem[] } & Record<string, unknown> = {},
  change: object = {},
) {
  const { problems = [] } = status;
  return {
    status: {
      running: true,
      version: '0.1.0',
      at: now,
      uptime_seconds: 3 * 86_400 + 7200,
      config: { loaded_at: now - 2 * hour, differs_from_file: false },
      sources,
      sinks,
      jobs: [],
      orphan_sinks: [],
      ...status,
      problems,
      problem_groups: groupProblems(problems),
    },
    room: {
      used_bytes: 1.3e9,
      max_bytes: 4 * 2 ** 30,
      has_room: true,
      records: 52_840,
      oldest_received: now - 3 * 86_400_000,
      disk_free_bytes: 12e9,
      disk_size_bytes: 20e9,
    },
    hours: Array.from({ length: 25 }, (_, index) => {
      const from = Math.floor(now / hour) * hour - (24 - index) * hour;
      const collected = Math.round(2000 + 1500 * Math.sin(index / 3));
      return {
        from,
        collected,
        delivered: Object.fromEntries(sinks.map(({ name }, place) => [name, place === 0 && index > 21 ? 0 : collected])),
      };
    }),
    ledger: {
      collected: { fetched: 60_000, new: 52_855, duplicate: 7000, excluded: 145, unreadable: 0, id_conflict: 0 },
      sinks: Object.fromEntries(sinks.map(({ name }) => [name, totals])),
      imbalances: [],
    },
    letters: [],
    ...change,
  };
}

/** A night in which everything that can be shown has something to show, in the words of whoever writes a vendor's records. */
export function badNight() {
  const held = {
    since: now - 2 * hour,
    reason: 'Splunk answered 403 "Token disabled" to POST /services/collector/event',
    fix: '',
  };
  const fix = 'enable the token in Splunk, or put another one into SPLUNK_HEC_TOKEN; delivery resumes by itself';
  const sources = [
    source('anaconda-acme', { warnings: ['the vendor is slow'] }),
    source('analyst-studio-emea', {
      connector: 'analyst-studio',
      state: 'failing',
      consecutive_failures: 7,
      cursor_age_seconds: 82_000,
      retention_seconds: 100_000,
    }),
    source('okta-prod', { connector: 'okta', state: 'hold', hold: held }),
    source('astra-stream', {
      connector: 'astra-stream',
      details: {
        topics: {
          'persistent://acme/audit/events': { connected: false, since: now, error: hostile },
          'persistent://acme/audit/other': { connected: true, since: now, backlog_age_seconds: 12 },
        },
      },
    }),
    source('astra-downloads', {
      connector: 'astra-csv',
      unknown_actions: {
        records: 41,
        actions: [
          { action: hostile, count: 40 },
          { action: 'MoonPhaseChanged', count: 1 },
        ],
      },
      details: { lateness: { on_time: 5000, late: { '1m': 3, '1h': 2 }, latest_ms: 2_400_000 }, suggested_overlap: '1h' },
    }),
  ];
  const sinks = [
    sink('splunk', { state: 'hold', hold: held, lag_seconds: 7200, pending: 840, last_acknowledged: now - 2 * hour }),
    sink('archive', { type: 'file', dead_letters: 3 }),
  ];
  const problems: Problem[] = [
    {
      level: 'error',
      where: 'source okta-prod',
      what: 'on hold for 2h: Okta answered 401 "Invalid token provided" to GET /api/v1/logs',
      fix: 'renew the API token in OKTA_TOKEN; collection resumes from the last checkpoint by itself',
    },
    {
      level: 'error',
      where: 'source analyst-studio-emea',
      what: `7 polls in a row failed: the answer is no JSON but ${hostile}`,
      fix: 'see whether the address of the API is right',
    },
    {
      level: 'error',
      where: 'sink splunk',
      what: 'on hold for 2h: Splunk answered 403 "Token disabled" to POST /services/collector/event',
      fix,
    },
    { level: 'warning', where: 'source anaconda-acme', what: 'the vendor is slow' },
    {
      level: 'warning',
      where: 'sink archive',
      what: `3 dead letters, for example 400: mapper_parsing_exception ${hostile}`,
      fix: 'penstock dead-letters list --sink archive',
    },
  ];
  const jobs = [
    {
      id: 6,
      kind: 'replay',
      args: { sink: 'archive' },
      state: 'done',
      progress: { done: 90, total: 90 },
      created: now - hour,
      started: now - hour,
    },
    {
      id: 7,
      kind: 'backfill',
      args: { source: 'okta-prod' },
      state: 'running',
      progress: { from: 0, to: 1000, at: 400, fetched: 51_234, new: 50_000, duplicate: 1234 },
      created: now - 600_000,
      started: now - 600_000,
    },
    {
      id: 8,
      kind: 'import',
      args: { source: 'astra-downloads' },
      state: 'failed',
      progress: {},
      error: `no such file: ${hostile}`,
      created: now - 60_000,
      started: now - 60_000,
    },
  ];
  const letters = [
    {
      sink: 'archive',
      code: '400',
      text: `mapper_parsing_exception ${hostile}`,
      count: 3,
      source: 'astra-downloads',
      action: hostile,
      last: now - 90_000,
    },
  ];
  const report = reportOf(
    sources,
    sinks,
    {
      problems,
      jobs,
      replicas: [{ name: 'penstock-0', version: '0.1.0', sources: 3, since: now - hour, last_seen: now - 1000 }],
    },
    { letters },
  );
  return { ...report, room: { ...report.room, used_bytes: 3.1e9, full_in_seconds: 7800, disk_free_bytes: 0.4e9 } };
}
