import type { Json } from '../../base/json.ts';

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** Times in milliseconds. */
export interface Job {
  readonly id: number;
  readonly kind: string;
  readonly args: Json;
  readonly state: JobState;
  /** Free form; `done` and `total` where these are known. */
  readonly progress: Json;
  readonly error: string | undefined;
  readonly created: number;
  readonly started: number | undefined;
  readonly finished: number | undefined;
}

/** Long operations, as rows: a daemon that restarts goes on with those that ran. */
export interface Jobs {
  insertJob(kind: string, args: Json): Promise<Job>;
  jobs(filter?: { readonly states?: readonly JobState[]; readonly id?: number }): Promise<readonly Job[]>;
  updateJob(id: number, change: { readonly state?: JobState; readonly progress?: Json; readonly error?: string }): Promise<void>;
}
