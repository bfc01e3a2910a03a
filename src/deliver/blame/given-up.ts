// An event that was given up goes again: at once when others are taken, and once more after an hour in which the receiver hardly ever failed.
import { isObject } from '../../base/json.ts';
import type { EndpointRecord } from '../endpoints/endpoints.ts';

// Before its last copy an event rests longer than most troubles of a receiver last, and until others are taken, of which hardly any fails.
const restMs = 3_600_000;
const fewestPasses = 8;

/** What a receiver did: messages that it took, and times that it failed or was away. */
export type Passes = Pick<EndpointRecord, 'passed' | 'failed'>;

/** Before it did anything. */
export const nothing: Passes = { passed: 0, failed: 0 };

/** An event that was given up, and is to go again. */
export interface GivenUp {
  /** Undefined in what an earlier version noted. */
  readonly source?: string | undefined;
  /** One copy of it is left. */
  readonly rests: boolean;
  /** When it was given up, or began to go again, milliseconds. */
  readonly at: number;
  /** It goes again by itself, and has no outcome yet. */
  readonly goes: boolean;
  /** What the receiver had taken by then, and how often it had failed when it took something for the first time after that. */
  readonly since: Passes;
  /** It has taken nothing since: what fails until then may be this event's doing. */
  readonly isFresh: boolean;
}

/** As the journal keeps it, for the next process. */
export type Noted = Omit<GivenUp, 'since' | 'isFresh'> & {
  /** What the receiver did since; undefined where it took nothing, and in what an earlier version noted. */
  readonly seen?: Passes;
};

/** True for a number. */
export const isCount = (value: unknown): value is number => typeof value === 'number';
const isSeen = (value: unknown): boolean =>
  value === undefined || (isObject(value) && isCount(value['passed']) && isCount(value['failed']));

/** True for what stands in a note of this version, or of an earlier one. */
export const isGivenUp = (value: unknown): value is Noted =>
  isObject(value) &&
  typeof value['rests'] === 'boolean' &&
  typeof value['at'] === 'number' &&
  typeof value['goes'] === 'boolean' &&
  isSeen(value['seen']) &&
  ['string', 'undefined'].includes(typeof value['source']);

/** What is known of an event, and what the receiver did since, for the note. */
export function forNote({ since, isFresh, source, ...known }: GivenUp, receiver: Passes): Noted {
  return { ...known, ...(source !== undefined && { source }), ...(!isFresh && { seen: passesSince(since, receiver) }) };
}

/** What an earlier process, or another one, noted; `receiver`: what it did in this process by now. */
export function fromNote({ seen, ...known }: Noted, receiver: Passes): GivenUp {
  return { ...known, since: passesSince(seen ?? nothing, receiver), isFresh: seen === undefined };
}

/** What is known of it now that the receiver took something. */
export function whereTaken(known: GivenUp, receiver: Passes, now: number): GivenUp {
  // Whoever noted it may have had a clock that was ahead.
  const at = Math.min(known.at, now);
  return known.isFresh
    ? { ...known, at, since: { passed: known.since.passed, failed: receiver.failed }, isFresh: false }
    : { ...known, at };
}

/** True where it goes again now, the receiver having done so much by then. */
export function isDue({ rests, at, goes, since }: GivenUp, receiver: Passes, now: number): boolean {
  if (!rests && !goes) return true;
  const { passed, failed } = passesSince(since, receiver);
  return hasRested(at, now) && passed >= fewestPasses && failed <= passed / fewestPasses;
}

/** True where the hour is over, and the receiver failed too often in it. */
export function hasFailedOften({ at, since }: GivenUp, receiver: Passes, now: number): boolean {
  const { passed, failed } = passesSince(since, receiver);
  return hasRested(at, now) && failed > passed / fewestPasses;
}

const passesSince = (since: Passes, { passed, failed }: Passes): Passes => ({
  passed: passed - since.passed,
  failed: failed - since.failed,
});

const hasRested = (at: number, now: number): boolean => now - at >= restMs;
