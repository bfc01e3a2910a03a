// How far long work got, how fast it goes and how long it will take.
import { isObject, type Json } from '../base/json.ts';
import { counted, formatDuration, iso } from '../base/quantity.ts';
import type { Job } from '../journal/journal.ts';
import type { Output } from './output.ts';

/** Something that goes on, as far as it can be told. */
interface Stage {
  readonly text: string;
  /** 0 to 1; undefined while nobody knows the end. */
  readonly part?: number | undefined;
  /** So many of the unit are done. */
  readonly count: number;
  readonly unit: string;
}

const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
const bounded = (part: number): number => Math.min(1, Math.max(0, part));

/** What is told of a job: its row, or what of it is known here. */
type Told = Pick<Job, 'progress'> & Partial<Pick<Job, 'kind' | 'state'>>;

/** How far a job got, by its row. */
export function stageOf({ kind, progress, state }: Told): Stage {
  if (!isObject(progress)) return { text: 'waiting', count: 0, unit: 'records' };
  const { done, total, at, from, to, fetched, files, files_done } = progress;
  const records = { count: number(fetched), unit: 'records' };
  // A job that waits or runs has more to come, and one whose state is not known is watched.
  const isOver = state === 'done' || state === 'failed' || state === 'cancelled';
  const said = `${counted(records.count, 'record')}${isOver ? '' : ' so far'}`;
  if (typeof done === 'number' && typeof total === 'number') {
    // Which of the stored events a replay sends is known only where they are read.
    const what = kind === 'replay' ? 'stored events looked through' : 'events';
    const text = `${done} of ${total} ${what}${isOver ? '' : waitIn(progress)}${deletedIn(progress)}`;
    return { text, part: total === 0 ? 1 : bounded(done / total), count: done, unit: 'events' };
  }
  if (typeof files === 'number') {
    const text = `${number(files_done)} of ${files} files, ${said}, ${number(progress['new'])} of them new`;
    return { text, part: files === 0 ? 1 : bounded(number(files_done) / files), ...records };
  }
  if (typeof at !== 'number') return { text: Object.keys(progress).length === 0 ? 'done' : JSON.stringify(progress), ...records };
  const part = typeof from === 'number' && typeof to === 'number' && to > from ? bounded((at - from) / (to - from)) : undefined;
  return { text: `up to ${iso(at)}, ${said}`, part, ...records };
}

/** What a replay waits for. */
function waitIn({ sink, ahead }: { readonly [name: string]: Json }): string {
  if (sink === 'hold') return '; the sink is on hold';
  if (sink === 'retrying') return '; the sink takes nothing at the moment';
  return typeof ahead === 'number' ? `; ${counted(ahead, 'newer event goes', 'newer events go')} first` : '';
}

/** What a replay says of events that it could not send, because the journal does not have them any more. */
function deletedIn({ deleted, since }: { readonly [name: string]: Json }): string {
  if (typeof deleted !== 'number') return '';
  const rest = typeof since === 'number' ? `only what was received since ${iso(since)}` : 'nothing of them';
  return `; the journal has ${rest}: ${deleted} older events were deleted (journal.keep), "penstock backfill" asks the vendor for them`;
}

/** Says in a few words how far a job got. */
export const describeProgress = (job: Told): string => stageOf(job).text;

const shortestPauseMs = 100;
/** Measured over less it would be chance. */
const shortestMeasureMs = 1500;

/** Shows stages as they come: on a terminal one line that is overwritten, elsewhere a line now and then. */
export function openProgress(what: string, output: Pick<Output, 'progress'>, now: () => number): (stage: Stage) => void {
  let first: { readonly at: number; readonly stage: Stage } | undefined;
  let shownAt = Number.NEGATIVE_INFINITY;
  return (stage) => {
    const at = now();
    first ??= { at, stage };
    if (at - shownAt < shortestPauseMs) return;
    shownAt = at;
    output.progress(`${what}: ${[stage.text, ...paceOf(stage, first.stage, at - first.at)].join(', ')}`);
  };
}

/** `34 %`, `1200 records/s`, `about 3m left`, as far as these are known. */
function paceOf(stage: Stage, first: Stage, elapsedMs: number): string[] {
  const percent = stage.part === undefined ? [] : [`${Math.floor(100 * stage.part)} %`];
  if (elapsedMs < shortestMeasureMs) return percent;
  const rate = (1000 * (stage.count - first.count)) / elapsedMs;
  const speed = rate > 0 ? [`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ${stage.unit}/s`] : [];
  const gained = (stage.part ?? 0) - (first.part ?? 0);
  const left = stage.part === undefined || gained <= 0 || stage.part >= 1 ? undefined : (elapsedMs * (1 - stage.part)) / gained;
  return [...percent, ...speed, ...(left === undefined ? [] : [`about ${formatDuration(left)} left`])];
}
