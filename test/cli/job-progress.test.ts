import { expect, it } from 'vitest';
import { describeProgress } from '../../src/cli/job-progress.ts';

it.each([
  [null, 'waiting'],
  [{ at: 1_795_168_800_000, fetched: 75, new: 70, duplicate: 5 }, 'collected up to 2026-11-20T10:00:00.000Z, 75 records so far'],
  [{ done: 3, total: 9 }, '3 of 9 events'],
  [{ files: 2 }, '{"files":2}'],
])('says how far a job got: %j', (progress, words) => {
  expect(describeProgress({ progress })).toBe(words);
});
