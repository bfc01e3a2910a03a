import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const phaseMembers = ['of_limit', 'of_limit_busiest', 'of_limit_cpu', 'stall_p99_ms', 'peak_rss_mb'];

it('measures a real run and writes numbers only, but for the machine', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-bench-test-'));
  try {
    const file = join(dir, 'bench.json');

    const { stdout } = await run(process.execPath, ['scripts/bench.ts', '2000', '1', '--json', file], { timeout: 200_000 });

    const { machine, ...numbers } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    const { limit, keep_up, collect, drain, steady, ...single } = numbers;
    expect(machine).toContain('Node');
    expect(Object.keys(limit as object)).toEqual(['us_per_event']);
    for (const phase of [keep_up, collect, drain, steady]) {
      expect(Object.keys(phase as object)).toEqual(phaseMembers);
      for (const value of Object.values(phase as object)) expect(value).toBeGreaterThanOrEqual(0);
    }
    expect(Object.keys(single)).toEqual(['idle_rss_mb', 'first_poll_ms', 'bytes_written_per_event']);
    for (const value of Object.values(single)) expect(value).toBeGreaterThan(0);
    expect(stdout).toContain('| draining a backlog |');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it('measures many sources and dead letters', async () => {
  const { stdout } = await run(process.execPath, ['scripts/bench.ts', '--scale', '20', '2000'], { timeout: 200_000 });

  expect(stdout).toMatch(/^20 sources: [\d.]+ s of CPU until all wait for their first poll, \d+ MB, \d+ ms to stop$/m);
  expect(stdout).toMatch(/^2000 dead letters, read of a replay: [\d.]+ ms$/m);
});
