import { isObject } from '../base/json.ts';
import type { Job } from '../journal/journal.ts';

/** Says in a few words how far a job got. */
export function describeProgress({ progress }: Pick<Job, 'progress'>): string {
  if (!isObject(progress)) return 'waiting';
  const { done, total, at, fetched, files, files_done } = progress;
  const records = `${Number(fetched ?? 0)} records so far`;
  if (typeof done === 'number' && typeof total === 'number') return `${done} of ${total} events`;
  if (typeof at === 'number') return `collected up to ${new Date(at).toISOString()}, ${records}`;
  if (typeof files === 'number')
    return `${Number(files_done ?? 0)} of ${files} files, ${records}, ${Number(progress['new'] ?? 0)} of them new`;
  return JSON.stringify(progress);
}
