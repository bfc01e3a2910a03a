// Which jobs a status lists, and which of them a person should see to.
import { isObject, type Json } from '../../base/json.ts';
import { formatDuration } from '../../base/quantity.ts';
import type { Job } from '../../journal/journal.ts';
import { targetOf } from '../jobs/target.ts';
import type { Problem } from './journal-status.ts';

const recent = 10;
const shownForMs = 86_400_000;

/** True for a job of the same kind on the same source or sink whose range, if they have one, overlaps: somebody came back to it. */
function follows(later: Job, { id, kind, args }: Job): boolean {
  const [one, other] = [targetOf(args), targetOf(later.args)];
  const isSame = later.id > id && later.kind === kind && one?.kind === other?.kind && one?.name === other?.name;
  return isSame && overlap(args, later.args);
}

function overlap(one: Json, other: Json): boolean {
  const [{ from, to }, { from: otherFrom, to: otherTo }] = [rangeOf(one), rangeOf(other)];
  return from <= otherTo && otherFrom <= to;
}

function rangeOf(args: Json): { readonly from: number; readonly to: number } {
  const { from, to } = isObject(args) ? args : {};
  return {
    from: typeof from === 'number' ? from : Number.NEGATIVE_INFINITY,
    to: typeof to === 'number' ? to : Number.POSITIVE_INFINITY,
  };
}

/** Jobs that failed within a day and were followed by none that ended, be it well or as they did. */
function openFailures(jobs: readonly Job[], now: number): Job[] {
  const ended = jobs.filter(({ state }) => state === 'done' || state === 'failed');
  const isOpen = (job: Job): boolean => !ended.some((later) => follows(later, job));
  return ended.filter(({ state, finished = now }) => state === 'failed' && now - finished < shownForMs).filter(isOpen);
}

/** Those that wait or run, those that failed and nobody has seen to, and the last ones, oldest first. */
export function listedJobs(all: readonly Job[], now: number): Job[] {
  // What became of a reload shows in the configuration.
  const jobs = all.filter(({ kind }) => kind !== 'reload');
  const kept = new Set([...jobs.slice(-recent), ...openFailures(jobs, now)]);
  return jobs.filter((job) => kept.has(job) || job.state === 'queued' || job.state === 'running');
}

/** Who ends a hold by hand waits for the answer, and has been told. */
const toldAtOnce = 'release';

export function jobProblems(jobs: readonly Job[], now: number): Problem[] {
  return openFailures(jobs, now)
    .filter(({ kind }) => kind !== toldAtOnce)
    .map(({ id, kind, args, error = '', finished = now }) => {
      const { kind: of, name } = targetOf(args) ?? {};
      // An error is kept as it is shown: with its fix on a line of its own.
      const [what, fix] = error.split('\n  fix: ');
      const words = kind.replaceAll('_', ' ');
      const job = name === undefined ? words : `${words} of ${of} "${name}"`;
      const text = `${job} failed ${formatDuration(Math.max(0, now - finished))} ago: ${what}`;
      return { level: 'warning', where: `job ${id}`, what: text, ...(fix !== undefined && { fix }) };
    });
}
