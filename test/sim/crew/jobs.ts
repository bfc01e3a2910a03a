// The model's table of jobs, and of the lanes that replays open: who may have a job is decided as far as the text of a statement says it.
import type { Json } from '../../../src/base/json.ts';
import type { Job, LetterFilter } from '../../../src/journal/journal.ts';
import { replaysOf, settle as settleOnDisk } from '../../journal/memory/delivery.ts';
import { type MemoryReplay, type Mutable, removeFrom } from '../../journal/memory/disk.ts';
import { type Asker, done, type Row, type Shared, type Statement, type Values } from './tables.ts';

const ended = ['done', 'failed', 'cancelled'];
const isEnded = ({ state }: Pick<Job, 'state'>): boolean => ended.includes(state);

const rowOf = ({ args, progress, error, started, finished, ...rest }: Job): Row => ({
  ...rest,
  args: JSON.stringify(args),
  progress: JSON.stringify(progress),
  error: error ?? null,
  started: started ?? null,
  finished: finished ?? null,
});

const left = ({ entries, offset }: MemoryReplay): number => entries.length - offset;

class Jobs {
  readonly #shared: Shared;
  readonly #owners = new Map<number, string>();

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  readonly statements: readonly Statement[] = [
    ['FROM p.jobs WHERE token = $1', ([token]) => this.#byToken(token)],
    ['INSERT INTO p.jobs (kind', (values) => this.#insert(values)],
    ['DELETE FROM p.jobs WHERE id <=', () => []],
    ['SELECT * FROM p.jobs WHERE ($1::bigint IS NULL', (values) => this.#list(values)],
    ['UPDATE p.jobs j SET owner = $2', (values, text, asker) => this.#claim(values, text, asker)],
    ['UPDATE p.jobs SET state = coalesce', (values, text, asker) => this.#update(values, text, asker)],
    ["UPDATE p.jobs SET state = 'cancelled'", ([id, now]) => this.#cancel(id, Number(now))],
    ['SELECT * FROM p.jobs WHERE id = $1', ([id]) => [this.#job(id)].flatMap((job) => (job === undefined ? [] : [rowOf(job)]))],
    ['SELECT 1 FROM p.jobs WHERE id = $1', ([id]) => done(Number(this.#job(id) !== undefined))],
    ["FROM p.units WHERE kind = 'upkeep' FOR SHARE", () => done(1)],
    ['AS over FROM p.jobs WHERE id = $1', ([id]) => [{ over: ended.includes(this.#job(id)?.state ?? '') }]],
    [
      'SELECT id, name FROM p.sources WHERE $1::bigint IS NULL',
      ([id]) => this.#sources().filter((row) => typeof id !== 'number' || row['id'] === id),
    ],
    ['coalesce(max(id), 0) AS last FROM', () => []],
    ['INSERT INTO p.replays', (values) => this.#open(values)],
    ['coalesce(sum(remaining), 0) AS n FROM p.replays', ([job]) => [{ n: this.#pending(job) }]],
    ['DELETE FROM p.replays WHERE job = $1', ([job]) => done(removeFrom(this.#replays, (one) => one.job === job).length)],
    ['SELECT r.*, o.name FROM p.replays r', ([sink, owner]) => this.#lanes(String(sink), owner)],
    ['SELECT *, $3::uuid = ANY(attempts) AS done FROM p.replays', (values) => this.#find(values)],
    // How much of a replay its settle passes is the disk's to know.
    [' AS started FROM p.pages', () => []],
    ['UPDATE p.replays r SET after', (values, _text, asker) => this.#settle(values, asker)],
  ];

  get #replays(): MemoryReplay[] {
    return this.#shared.disk.replays;
  }

  #sources(): Row[] {
    return this.#shared.sources().map(({ id, source }) => ({ id, name: source }));
  }

  #job(id: unknown): Mutable<Job> | undefined {
    return this.#shared.disk.jobs.find((job) => job.id === id);
  }

  #byToken(token: unknown): Row[] {
    const { attempts, jobs } = this.#shared.disk;
    return jobs.filter(({ id }) => attempts.get(`job ${id}`) === token).map(rowOf);
  }

  #insert([kind, args, created, token]: Values): Row[] {
    const { jobs, attempts } = this.#shared.disk;
    const none = { progress: null, error: undefined, started: undefined, finished: undefined };
    const job: Job = {
      id: jobs.length + 1,
      kind: String(kind),
      args: JSON.parse(String(args)) as Json,
      state: 'queued',
      created: Number(created),
      ...none,
    };
    jobs.push(job);
    if (typeof token === 'string') attempts.set(`job ${job.id}`, token);
    return [rowOf(job)];
  }

  #list([id, states, kind, after]: Values): Row[] {
    return this.#shared.disk.jobs
      .filter((job) => (id === null || job.id === id) && (states === null || (states as string[]).includes(job.state)))
      .filter((job) => (kind === null || job.kind === kind) && job.id > Number(after))
      .map(rowOf);
  }

  /** Who has a job, if that one lives. */
  #holder(id: number): string | undefined {
    const owner = this.#owners.get(id);
    return owner !== undefined && this.#shared.isAlive(owner) ? owner : undefined;
  }

  #claim([id, me]: Values, text: string, { process }: Asker): Row[] {
    const job = this.#job(id);
    if (job === undefined || (isEnded(job) && text.includes('NOT state IN'))) return [];
    const { source, sink } = job.args as { readonly source?: string; readonly sink?: string };
    const owner = this.#owners.get(job.id);
    const isItsSource =
      text.includes('o.name = j.args') && sink === undefined && source !== undefined && this.#shared.ownerOf(source) === me;
    const holder = this.#holder(job.id);
    const isFree =
      owner === undefined || owner === me || (text.includes('m.id = j.owner') && holder === undefined) || isItsSource;
    if (text.includes('AND (owner IS NULL OR owner = $2') && !isFree) return [];
    if (holder !== undefined && holder !== me && !isItsSource)
      this.#shared.auditor.problem(`job ${job.id} (${job.kind}) was taken by process ${process} from one that lived`);
    this.#owners.set(job.id, String(me));
    return done(1);
  }

  #update([id, state, progress, error, now, me]: Values, text: string, { process }: Asker): Row[] {
    const job = this.#job(id);
    if (job === undefined || job.state === 'cancelled' || (state === 'running' && isEnded(job))) return [];
    const owner = this.#owners.get(job.id);
    const isAnothers = owner !== undefined && owner !== me && this.#shared.isAlive(owner);
    if (isAnothers && text.includes('(owner IS NULL OR owner = $6')) return [];
    if (isAnothers)
      this.#shared.auditor.problem(`process ${process} wrote to job ${job.id} (${job.kind}), which a living one had`);
    this.#change(job, state, Number(now));
    if (typeof progress === 'string') job.progress = JSON.parse(progress) as Json;
    if (typeof error === 'string') job.error = error;
    if (job.state === 'done' && this.#pending(id) > 0)
      this.#shared.auditor.problem(
        `job ${job.id} (${job.kind}) was said to be done, and ${this.#pending(id)} of its records were left`,
      );
    return done(1);
  }

  #cancel(id: unknown, now: number): Row[] {
    const job = this.#job(id);
    if (job === undefined || isEnded(job)) return [];
    this.#change(job, 'cancelled', now);
    return done(1);
  }

  #change(job: Mutable<Job>, state: unknown, now: number): void {
    if (state === null) return;
    job.state = state as Job['state'];
    if (state === 'running') job.started ??= now;
    job.finished = isEnded(job) ? now : undefined;
  }

  #pending(job: unknown): number {
    return this.#replays.reduce((sum, one) => (one.job === job ? sum + left(one) : sum), 0);
  }

  #open([job, source, sink, kind, _upTo, min, max, filter]: Values): Row[] {
    const [sourceName, sinkName] = [this.#shared.sourceOf(source), this.#shared.sinkOf(sink)];
    if (this.#replays.some((one) => one.job === job && one.source === sourceName)) return [];
    const letters = JSON.parse(String(filter)) as LetterFilter;
    const { action } = letters;
    const range = { source: sourceName, from: Number(min), to: Number(max), ...(action !== undefined && { action }) };
    const what = kind === 'stored' ? { kind: 'stored' as const, ...range } : { kind: 'dead_letters' as const, ...range, letters };
    this.#replays.push(...replaysOf(this.#shared.disk, Number(job), sinkName, what));
    return done(1);
  }

  #row(replay: MemoryReplay): Row {
    const { job, source, sink = '', kind, offset } = replay;
    const id = this.#shared.sources().find((one) => one.source === source)?.id;
    return {
      job,
      source: id,
      name: source,
      sink: this.#shared.sinkId(sink),
      kind,
      after: offset,
      upto: 0,
      filter: '{}',
      remaining: left(replay),
    };
  }

  #lanes(sink: string, owner: unknown): Row[] {
    return this.#replays
      .filter((one) => one.sink === sink && left(one) > 0 && (owner === null || this.#shared.ownerOf(one.source) === owner))
      .map((one) => this.#row(one));
  }

  #replayAt(job: unknown, source: unknown): MemoryReplay | undefined {
    return this.#replays.find((one) => one.job === job && one.source === this.#shared.sourceOf(source));
  }

  #find([job, source, attempt]: Values): Row[] {
    const replay = this.#replayAt(job, source);
    if (replay === undefined) return [];
    return [{ ...this.#row(replay), done: this.#shared.isDone(`replay ${String(job)} ${replay.source}`, attempt) }];
  }

  #settle([job, source, , , attempt]: Values, { offered }: Asker): Row[] {
    const replay = this.#replayAt(job, source);
    if (replay === undefined) return [];
    const settlement = offered.settlement(replay.sink ?? '', { kind: 'replay', source: replay.source, job: replay.job });
    if (settlement === undefined) return [];
    settleOnDisk(this.#shared.disk, settlement);
    this.#shared.noteAttempt(`replay ${String(job)} ${replay.source}`, attempt);
    return done(1);
  }
}

export const jobStatements = (shared: Shared): readonly Statement[] => new Jobs(shared).statements;
