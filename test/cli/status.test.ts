import { expect, it } from 'vitest';
import { showSinks, showSources, showTopics } from '../../src/cli/commands/status.ts';
import { processOutput } from '../../src/cli/output.ts';
import type { StatusReport } from '../../src/operate/report/status.ts';
import { quietSink } from '../operate/report/quiet-sink.ts';
import { stream } from './terminal.ts';

type Sink = StatusReport['sinks'][number];

const quiet: Sink = { ...quietSink, name: 'quiet', counters: { truncated: 0 } };

/** The words of each line of the table, by columns. */
function tableOf(sinks: readonly Sink[]): string[][] {
  const stdout = stream(false);
  const output = processOutput({ stdout: stdout.stream, stderr: stream(false).stream, env: {} });
  showSinks({ sinks, at: 0 } as unknown as StatusReport, output);
  return stdout
    .text()
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
}

it('shows in a column of its own what kinds of sinks counted themselves', () => {
  const [head, ...rows] = tableOf([{ ...quiet, name: 'soc', counters: { truncated: 3 } }, quiet]);

  expect({ head: head?.at(-1), soc: rows.find(([name]) => name === 'soc')?.at(-1) }).toEqual({
    head: 'counted',
    soc: '3 truncated',
  });
});

it('says in about how long a sink is caught up', () => {
  const [, one, other] = tableOf([{ ...quiet, lag_seconds: 7200, caught_up_in_seconds: 720 }, quiet]);

  expect([one?.[3], other?.[3]]).toEqual(['2h, caught up in about 12m', '0s']);
});

it('has no such column where nothing was counted', () => {
  const [head] = tableOf([quiet]);

  expect(head?.at(-1)).toBe('last acknowledged');
});

it.each([
  { state: 'polling', sinceMs: 5 * 60_000, shown: 'polling for 5m' },
  { state: 'polling', sinceMs: 30_000, shown: 'polling' },
  { state: 'failing', sinceMs: 5 * 60_000, shown: 'failing' },
])('shows a source that is $state since $sinceMs ms as "$shown"', ({ state, sinceMs, shown }) => {
  const stdout = stream(false);
  const output = processOutput({ stdout: stdout.stream, stderr: stream(false).stream, env: {} });
  const records = { new: 0, duplicate: 0, unreadable: 0 };
  const one = { name: 's', state, records, polling_since: 1_000_000 - sinceMs };

  showSources({ sources: [one], at: 1_000_000 } as unknown as StatusReport, output);

  expect(stdout.text().split('\n')[1]?.split(/ {2,}/)[1]).toBe(shown);
});

/** The last line of what is shown of so many sources in each state, or of one with so many topics. */
function lastLine(states: Readonly<Record<string, number>>): string {
  const stdout = stream(false);
  const output = processOutput({ stdout: stdout.stream, stderr: stream(false).stream, env: {} });
  const all = Object.entries(states).flatMap(([state, count]) =>
    Array.from({ length: count }, (_, n) => ({ name: `${state}-${n}`, state })),
  );
  const records = { new: 0, duplicate: 0, unreadable: 0 };
  if ('connected' in states || 'disconnected' in states) {
    const topics = Object.fromEntries(all.map(({ name, state }) => [name, { connected: state === 'connected' }]));
    showTopics({ sources: [{ name: 's', details: { topics } }] } as unknown as StatusReport, output);
  } else showSources({ sources: all.map((one) => ({ ...one, records })), at: 0 } as unknown as StatusReport, output);
  return stdout.text().trimEnd().split('\n').at(-1) ?? '';
}

it.each([
  [{ idle: 40 }, 'and 10 more without problems (--json shows all)'],
  [{ idle: 40, failing: 20 }, 'and 30 more without problems (--json shows all)'],
  [{ idle: 400, failing: 50, hold: 30 }, 'and 50 more in trouble, 400 more without problems (--json shows all)'],
  [{ failing: 31 }, 'and 1 more in trouble (--json shows all)'],
  [{ stopped: 40 }, 'and 10 more without problems (--json shows all)'],
  [{ connected: 10, disconnected: 35 }, 'and 5 more in trouble, 10 more without problems (--json shows all)'],
])('counts truly what the table leaves out: %o', (states, said) => {
  expect(lastLine(states)).toBe(said);
});
