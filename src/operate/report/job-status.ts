// Which jobs a status lists, and which of them a person should see to.
import { isObject, type Json } from '../../base/json.ts';
import { formatDuration } from '../../base/quantity.ts';
import type { SourceStatus } from '../../collect/source.ts';
import type { SinkStatus } from '../../deliver/report/status.ts';
import type { Job } from '../../journal/journal.ts';
import { askAgain } from '../jobs/ask-again.ts';
import { targetOf } from '../jobs/target.ts';
import type { Problem } from './journal-status.ts';

const recent = 10;
const shownForMs = 86_400_000;

/** True for a job of the same kind on the same source or sink whose range, if they have one, overlaps: somebody came back to it. */
function follows(later: Job, { id, kind, args }: Job): boolean {
  return isAlike(later, { id, kind, args }) && overlap(args, later.args);
}

/** True for a later job of the same kind on the same source or sink. */
function isAlike(later: Job, { id, kind, args }: Pick<Job, 'id' | 'kind' | 'args'>): boolean {
  const [one, other] = [targetOf(args), targetOf(later.args)];
  return later.id > id && later.kind === kind && one?.kind === other?.kind && one?.name === other?.name;
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

/** What is known of sources and sinks beside their jobs. */
interface Live {
  readonly at: number;
  readonly jobs: readonly Job[];
  readonly sources: readonly Pick<SourceStatus, 'name' | 'hold' | 'consecutive_failures' | 'last_success'>[];
  readonly sinks: readonly Pick<SinkStatus, 'name' | 'state' | 'last_acknowledged'>[];
}

/** Why what stopped a job is over, as far as can be told: what it needed has worked since. */
function recovery(failed: Job, { at, jobs, sources, sinks }: Live): string | undefined {
  const { kind, name } = targetOf(failed.args) ?? {};
  const { finished = at } = failed;
  if (jobs.some((later) => later.state === 'done' && isAlike(later, failed))) return `a later one of the ${kind} went well`;
  const source = kind === 'source' ? sources.find((one) => one.name === name) : undefined;
  const isWell = source !== undefined && source.hold === undefined && source.consecutive_failures === 0;
  if (isWell && (source.last_success ?? 0) > finished) return 'the source was polled well since then';
  const sink = kind === 'sink' ? sinks.find((one) => one.name === name) : undefined;
  const isTaking = sink?.state === 'idle' || sink?.state === 'delivering';
  return isTaking && (sink.last_acknowledged ?? 0) > finished ? 'the sink took events since then' : undefined;
}

/** What to do about a job that failed: the fix of its error for as long as its cause may be there, and then to ask for it again. */
function fixOf(failed: Job, fix: string | undefined, live: Live): string | undefined {
  const command = askAgain(failed);
  const since = recovery(failed, live);
  if (command === undefined) return fix;
  if (since !== undefined) return `${since}: ${command}`;
  return fix === undefined ? command : `${fix}; then ${command}`;
}

/** Jobs that a person should see to. */
export function jobProblems(live: Live): Problem[] {
  return openFailures(live.jobs, live.at)
    .filter(({ kind }) => kind !== toldAtOnce)
    .map((failed) => {
      const { id, kind, args, error = '', finished = live.at } = failed;
      const { kind: of, name } = targetOf(args) ?? {};
      // An error is kept as it is shown: with its fix on a line of its own.
      const [what, told] = error.split('\n  fix: ');
      const words = kind.replaceAll('_', ' ');
      const job = name === undefined ? words : `${words} of ${of} "${name}"`;
      const text = `${job} failed ${formatDuration(Math.max(0, live.at - finished))} ago: ${what}`;
      const fix = fixOf(failed, told, live);
      return { level: 'warning', where: `job ${id}`, what: text, ...(fix !== undefined && { fix }) };
    });
}
