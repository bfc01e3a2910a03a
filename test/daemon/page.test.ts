import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { Config } from '../../src/config/config.ts';
import type { Activity } from '../../src/daemon/activity.ts';
import { act, readPage } from '../../src/daemon/page.ts';
import { zeroCounts } from '../../src/journal/counts.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { LedgerReport } from '../../src/operate/report/ledger.ts';
import type { Problem, StatusReport } from '../../src/operate/report/status.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { quietSink } from '../operate/report/quiet-sink.ts';

interface Row {
  readonly id: number;
  readonly kind: string;
  readonly args: unknown;
  readonly state: string;
}

function running() {
  const released: string[] = [];
  const rows: Row[] = [];
  const named = (name: string) => [name, { loop: { release: () => void released.push(name) } }] as const;
  const journal = {
    jobs: () => Promise.resolve(rows),
    insertJob: (kind: string, args: unknown) => {
      const row = { id: rows.length + 1, kind, args, state: 'queued' };
      rows.push(row);
      return Promise.resolve(row);
    },
  };
  const runtime = { journal, log: silentLog(), sources: new Map([named('acme')]), sinks: new Map([named('soc')]) };
  return { runtime: runtime as unknown as Runtime, released, rows };
}

const block = (name: string) => ({ name, enabled: true });
const config = {
  sources: [block('acme'), block('elsewhere'), { name: 'off', enabled: false }],
  sinks: [block('soc')],
  journal: { database: undefined },
} as unknown as Config;

it('polls a source, ends holds, and sends dead letters again once, however often that is asked for', async () => {
  const { runtime, released, rows } = running();

  const said = [
    await act(runtime, { kind: 'sources', name: 'acme', verb: 'poll' }, config),
    await act(runtime, { kind: 'sinks', name: 'soc', verb: 'release' }, config),
    await act(runtime, { kind: 'sinks', name: 'soc', verb: 'retry' }, config),
    await act(runtime, { kind: 'sinks', name: 'soc', verb: 'retry' }, config),
  ];

  expect(said).toEqual([
    'source acme is polled now',
    'sink soc tries again now',
    'job 1 sends the dead letters of sink soc again',
    'job 1 sends the dead letters of sink soc again',
  ]);
  expect(released).toEqual(['acme', 'soc']);
  expect(rows).toEqual([{ id: 1, kind: 'retry_dead_letters', args: { sink: 'soc' }, state: 'queued' }]);
});

it.each([
  { kind: 'sources', name: 'soc', verb: 'poll' },
  { kind: 'sources', name: 'off', verb: 'poll' },
  { kind: 'sinks', name: 'gone', verb: 'retry' },
] as const)('does nothing for $kind $name, which does not run', async (action) => {
  const { runtime, rows } = running();

  expect(await act(runtime, action, config)).toBeUndefined();
  expect(rows).toEqual([]);
});

it('asks all replicas where several share the journal, whichever has the source', async () => {
  const { runtime, released, rows } = running();
  const shared = { ...config, journal: { database: {} } } as unknown as Config;

  const said = [
    await act(runtime, { kind: 'sources', name: 'elsewhere', verb: 'poll' }, shared),
    await act(runtime, { kind: 'sinks', name: 'soc', verb: 'release' }, shared),
  ];

  expect(said).toEqual(['source elsewhere is polled now', 'sink soc tries again now']);
  expect(released).toEqual(['soc']);
  expect(rows.map(({ kind, args }) => [kind, args])).toEqual([
    ['release', { kind: 'source', name: 'elsewhere' }],
    ['release', { kind: 'sink', name: 'soc' }],
  ]);
});

it('adds up what all sources collected, groups dead letters by their reason, and says it with their problem', async () => {
  const letter = (id: number, code: string) => ({
    id,
    sink: 'soc',
    code,
    text: 'too long',
    source: 'acme',
    action: 'a',
    last: id,
  });
  const journal = {
    usage: () => ({ usedBytes: 1, maxBytes: 9, hasRoom: true }),
    deadLetters: () => Promise.resolve([letter(1, '400'), letter(2, '400'), letter(3, '413')]),
  } as unknown as Journal;
  const refused: Problem = { level: 'warning', where: `sink ${quietSink.name}`, what: '3 dead letters', fix: 'look at them' };
  const status = {
    sinks: [
      { ...quietSink, dead_letters: 3 },
      { ...quietSink, name: 'quiet' },
    ],
    problems: [refused, { ...refused, where: 'sink quiet', what: 'retrying: 503' }],
  } as unknown as StatusReport;
  const activity = { hours: () => Promise.resolve([]), knownHours: [], fullInSeconds: () => undefined } as unknown as Activity;

  const ledger = {
    sources: { acme: { ...zeroCounts(), fetched: 4, new: 4 }, other: { ...zeroCounts(), fetched: 3, duplicate: 3 } },
    sinks: {},
    imbalances: [],
  } as unknown as LedgerReport;

  const page = await readPage(journal, status, ledger, { activity, disk: { freeBytes: 5, sizeBytes: 6 } });

  expect(page.ledger.collected).toMatchObject({ fetched: 7, new: 4, duplicate: 3 });
  expect(page.room).toMatchObject({ used_bytes: 1, max_bytes: 9, disk_free_bytes: 5, disk_size_bytes: 6 });
  expect(page.status.problem_groups.map(({ where, what }) => `${where}: ${what}`)).toEqual([
    `sink ${quietSink.name}: 3 dead letters, for example 400: too long`,
    'sink quiet: retrying: 503',
  ]);
  expect(page.letters.map(({ code, count }) => [code, count])).toEqual([
    ['400', 2],
    ['413', 1],
  ]);
});
