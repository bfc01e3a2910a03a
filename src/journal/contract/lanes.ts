/** The order in which a sink's reading favours lanes is `deliver`'s. */
export type LaneKind = 'live' | 'backfill' | 'replay';

/**
 * One source's records of one kind, in order. A replay lane belongs to one job and one sink: it is a view of stored pages or of
 * dead letters, and ends with its job.
 */
export interface Lane {
  readonly kind: LaneKind;
  readonly source: string;
  readonly job?: number;
}

/** A place in a lane: opaque, comparable only within it. */
export type Position = number & { readonly __position: never };
