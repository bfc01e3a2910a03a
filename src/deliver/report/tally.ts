/** The last thing that went wrong; `at` in milliseconds since the epoch. */
export interface Trouble {
  readonly at: number;
  readonly kind: string;
  readonly reason: string;
}

/** What a loop counts since it started. */
export class Tally {
  /** Requests under way. */
  inFlight = 0;
  acknowledged = 0;
  unconfirmed = 0;
  /** Events that were sent again, or are to be, although the receiver may have stored them. */
  possibleDuplicates = 0;
  mapFailed = 0;
  /** Events a receiver took and refused without telling which. */
  unlocated = 0;
  /** What the receiver said of the batch that it took last. */
  warning: string | undefined;
  wasWarned = false;
  lastAcknowledged: number | undefined;
  lastError: Trouble | undefined;
  /** When each batch that waits for a late acknowledgement was sent, on the monotonic clock; the oldest comes first. */
  readonly waitingSince = new Set<{ readonly at: number }>();
  /** Why offsets cannot be written at the moment. */
  journalTrouble: string | undefined;
  /** Events mapped, by OCSF class name. */
  readonly classes: Record<string, number> = Object.create(null) as Record<string, number>;
}
