// Among replicas a job waits for one that is configured with its source or sink. Where none is, a change that goes from replica to replica
// may bring it; where none is for minutes, nothing will.
import type { Clock } from '../../base/clock.ts';
import { explain, PenstockError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { formatDuration } from '../../base/quantity.ts';
import type { Job, Journal, Ownership } from '../../journal/journal.ts';
import { targetOf } from './target.ts';

const lookEveryMs = 10_000;
/** Of these, so long: a rolling change, or the start of a replica that was the only one with the name, takes less. */
const longestMs = 600_000;

/** What a journal with jobs of nobody is asked. */
type Asked = Pick<Journal, 'ownership' | 'claimJob' | 'updateJob'>;

/** Ends jobs that no living replica can do. */
export class Nameless {
  readonly #clock: Clock;
  /** How long each job was found without one, by its id. */
  readonly #found = new Map<number, number>();
  #lookedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedAt = clock.monotonic();
  }

  /** Looks at jobs that wait here; returns those that it ended. */
  async look(journal: Asked, jobs: readonly Job[]): Promise<readonly Job[]> {
    const sinceMs = this.#clock.monotonic() - this.#lookedAt;
    if (sinceMs < lookEveryMs) return [];
    this.#lookedAt = this.#clock.monotonic();
    for (const id of this.#found.keys()) if (!jobs.some((job) => job.id === id)) this.#found.delete(id);
    const ended: Job[] = [];
    for (const job of jobs) {
      if (!(await isNobodys(journal.ownership, job))) this.#found.delete(job.id);
      else if (this.#isLong(job.id, sinceMs)) ended.push(...(await end(journal, job)));
    }
    return ended;
  }

  #isLong(id: number, sinceMs: number): boolean {
    const before = this.#found.get(id);
    // A time in which nobody could look, as while the database was away, says nothing: all that live may only come back.
    const foundMs = before === undefined ? 0 : before + Math.min(sinceMs, 2 * lookEveryMs);
    this.#found.set(id, foundMs);
    return foundMs >= longestMs;
  }
}

/** The replica that is asked to read its configuration anew, or what the job is about. */
function wantedBy({ kind, args }: Job): { readonly kind: 'replica' | 'source' | 'sink'; readonly name: string } | undefined {
  const replica = kind === 'reload' && isObject(args) ? args['replica'] : undefined;
  return typeof replica === 'string' ? { kind: 'replica', name: replica } : targetOf(args);
}

async function isNobodys(ownership: Ownership, job: Job): Promise<boolean> {
  const wanted = wantedBy(job);
  if (wanted === undefined) return false;
  if (wanted.kind !== 'replica') return (await ownership.isNamed?.(wanted.kind, wanted.name)) === false;
  const living = await ownership.replicas();
  return living !== undefined && !living.some(({ name }) => name === wanted.name);
}

/** The job as it ended; nothing where a replica that lives has it. */
async function end(journal: Asked, job: Job): Promise<Job[]> {
  const { kind, name } = wantedBy(job) ?? {};
  const time = formatDuration(longestMs);
  const what =
    kind === 'replica'
      ? `no replica called "${name}" has been heard of for ${time}`
      : `no replica has been configured with a ${kind} called "${name}" for ${time}`;
  const fix =
    kind === 'replica'
      ? 'start it: it reads its configuration then'
      : `put the ${kind} back into the configuration, or correct its name, and ask for the job again`;
  const error = explain(new PenstockError('PEN_NOT_FOUND', what, { fix }));
  if (!(await journal.claimJob(job.id))) return [];
  await journal.updateJob(job.id, { state: 'failed', error });
  return [{ ...job, state: 'failed', error }];
}
