import type { Json } from '../../base/json.ts';
import type { Job } from '../../journal/journal.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** Does a job's work, reporting progress as often as it likes; resolves with the last progress to keep. */
export type Operation = (job: Job, runtime: Runtime, report: (progress: Json) => void, signal: AbortSignal) => Promise<Json>;
