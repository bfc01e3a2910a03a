import { expect, it } from 'vitest';
import { describeProgress } from '../../src/cli/job-progress.ts';

it.each([
  [null, 'waiting'],
  [{ at: 1_795_168_800_000, fetched: 75, new: 70, duplicate: 5 }, 'collected up to 2026-11-20T10:00:00.000Z, 75 records so far'],
  [{ done: 3, total: 9 }, '3 of 9 events'],
  [{ files: 2, files_done: 1, file: 'a.csv', fetched: 9, new: 4, duplicate: 5 }, '1 of 2 files, 9 records so far, 4 of them new'],
  [{ steps: 2 }, '{"steps":2}'],
])('says how far a job got: %j', (progress, words) => {
  expect(describeProgress({ progress })).toBe(words);
});
