import type { Random } from '../base/random.ts';

/** Misbehaviour of a simulated vendor, each with its probability per request or per record (0 to 1). */
export interface Faults {
  /** Records become visible long after their own time. */
  readonly late_rows: number;
  /** `occurred_at` is null: no time window ever returns the record. */
  readonly null_time: number;
  /** Several records carry the very same time. */
  readonly ties: number;
  /** A record with an earlier time appears while a walk is between two pages. */
  readonly insert_between_pages: number;
  /** 429 with Retry-After in seconds. */
  readonly rate_limited: number;
  /** 429 with Retry-After as an HTTP date. */
  readonly rate_limited_date: number;
  readonly server_error: number;
  /** 502 with an HTML body from an edge proxy. */
  readonly html_error: number;
  /** 200 with the HTML of a login page. */
  readonly login_page: number;
  /** The connection is cut in the middle of the body. */
  readonly cut_body: number;
  /** The connection is reset before any answer. */
  readonly reset: number;
  /** A page hands out the token that led to it. */
  readonly repeat_token: number;
  /** A page without records that still has a token. */
  readonly empty_page: number;
  /** The access token is refused before its time. */
  readonly expired_token: number;
  /** A record with an action that no table knows. */
  readonly unknown_action: number;
  /** A record is something else than an object. */
  readonly unreadable: number;
}

export type FaultName = keyof Faults;

/** A vendor that does everything right; some records still carry unknown actions when asked for. */
export const noFaults: Faults = {
  late_rows: 0,
  null_time: 0,
  ties: 0,
  insert_between_pages: 0,
  rate_limited: 0,
  rate_limited_date: 0,
  server_error: 0,
  html_error: 0,
  login_page: 0,
  cut_body: 0,
  reset: 0,
  repeat_token: 0,
  empty_page: 0,
  expired_token: 0,
  unknown_action: 0,
  unreadable: 0,
};

/** Everything at once, each rare enough that a collector still gets through. */
export const allFaults: Faults = {
  late_rows: 0.05,
  null_time: 0.01,
  ties: 0.2,
  insert_between_pages: 0.1,
  rate_limited: 0.02,
  rate_limited_date: 0.01,
  server_error: 0.03,
  html_error: 0.02,
  login_page: 0.01,
  cut_body: 0.02,
  reset: 0.02,
  repeat_token: 0.01,
  empty_page: 0.05,
  expired_token: 0.01,
  unknown_action: 0.02,
  unreadable: 0.002,
};

/** What the demo shows: a live tenant with the quirks that a first look should see. */
export const demoFaults: Faults = { ...noFaults, late_rows: 0.05, ties: 0.1, server_error: 0.02, unknown_action: 0.03 };

/** True with the probability of the fault. */
export function strikes(faults: Faults, name: FaultName, random: Random): boolean {
  return faults[name] > 0 && random.float() < faults[name];
}
