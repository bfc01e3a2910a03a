import { expect, it } from 'vitest';
import { showSinks } from '../../src/cli/commands/status.ts';
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

it('has no such column where nothing was counted', () => {
  const [head] = tableOf([quiet]);

  expect(head?.at(-1)).toBe('last acknowledged');
});
