import { expect, it } from 'vitest';
import { expectFairPolls } from './many-sources.ts';
import { run } from './penstock.ts';

it('polls 50 sources fairly in one process; a slow and a broken vendor delay no other', () => expectFairPolls(50));

it('writes a long answer into a pipe to its end', async () => {
  const { code, stdout } = await run(['schema']);

  expect(stdout.length).toBeGreaterThan(65_536);
  expect([code, typeof JSON.parse(stdout)]).toEqual([0, 'object']);
});
