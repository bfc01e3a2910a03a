// Among replicas a job waits for one that is configured with its source or sink. Where none is, a change that goes from replica to replica
// may bring it; where none is for minutes, nothing will.
import { Absence, goneAfterMs } from '../../base/absence.ts';
import type { Clock } from '../../base/clock.ts';
import { explain, PenstockError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { formatDuration } from '../../base/quantity.ts';
import type { Job, Journal, Ownership } from '../../journal/journal.ts';
import { targetOf } from './target.ts';

const lookEveryMs = 10_000;

/** What a journal with jobs of nobody is asked. */
type Asked = Pick<Journal, 'ownership' | 'claimJob' | 'updateJob'>;

/** Ends jobs that no living replica can do. */
export class Nameless {
  readonly #clock: Clock;
  /** Jobs that nobody can do, by their ids. */
  readonly #absence: Absence<number>;
  #lookedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#absence = new Absence(clock);
    this.#lookedAt = clock.monotonic();
  }

  /** Looks at jobs that wait here; returns those that it ended. */
  async look(journal: Asked, jobs: readonly Job[]): Promise<readonly Job[]> {
    if (this.#clock.monotonic() - this.#lookedAt < lookEveryMs) return [];
    this.#lookedAt = this.#clock.monotonic();
    const away: Job[] = [];
    for (const job of jobs) if (await isNobodys(journal.ownership, job)) away.push(job);
    const gone = this.#absence.look(away.map(({ id }) => id));
    const ended: Job[] = [];
    for (const job of away) if (gone.includes(job.id)) ended.push(...(await end(journal, job)));
    return ended;
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
  const time = formatDuration(goneAfterMs);
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
