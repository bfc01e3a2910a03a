import { isObject } from '../base/json.ts';
import type { Job } from '../operate/jobs.ts';

/** Says in a few words how far a job got. */
export function describeProgress({ progress }: Pick<Job, 'progress'>): string {
  if (!isObject(progress)) return 'waiting';
  const { done, total, at, fetched } = progress;
  if (typeof done === 'number' && typeof total === 'number') return `${done} of ${total} events`;
  if (typeof at === 'number') return `collected up to ${new Date(at).toISOString()}, ${Number(fetched ?? 0)} records so far`;
  return JSON.stringify(progress);
}
