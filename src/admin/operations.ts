/** What the admin server can be asked for; `daemon` hands it in. Every answer is plain JSON without secrets. */
export interface AdminOperations {
  /** Why the daemon is not ready; empty when it is. Never depends on a remote party. */
  notReady(): readonly string[];
  /** What `penstock status --json` prints. */
  status(): Promise<unknown>;
  /** Prometheus text, when there is one. */
  metrics?(): Promise<string>;
  /** Ends a hold; false when there is no such name. */
  release(kind: 'source' | 'sink', name: string): Promise<boolean>;
  /** Tells the job runner that a row may be waiting. */
  wakeJobs(): void;
}
