import { type Random, uuid } from '../base/random.ts';
import type { Batch, OutgoingEvent } from '../sinks/sink.ts';
import type { Item } from './prepare.ts';

/** A batch on its way, with the slots of its events. Retries keep it; a split makes new ones. */
export interface Part {
  readonly id: string;
  readonly items: readonly Item[];
  readonly events: readonly OutgoingEvent[];
  readonly encoded: readonly string[];
  readonly bytes: number;
  readonly replay: boolean;
  /** Attempts so far, those of the batch it was split from included. */
  attempts: number;
  /** First attempt, milliseconds; undefined before it. */
  first: number | undefined;
  /** Sent once more at once after the sink was opened with fresh secrets. */
  reopened: boolean;
  /** Immediate retries in a row. */
  hasty: number;
}

/** A new part with a new id; `from` hands down attempts. */
export function createPart(random: Random, items: readonly Item[], replay: boolean, from?: Part): Part {
  return {
    id: uuid(random),
    items,
    events: items.map(({ event }) => event),
    encoded: items.map(({ encoded }) => encoded),
    bytes: items.reduce((sum, { bytes }) => sum + bytes, 0),
    replay,
    attempts: from?.attempts ?? 0,
    first: from?.first,
    reopened: false,
    hasty: 0,
  };
}

/** What the sink is given for the next attempt: the same events and bytes each time. */
export function asBatch(part: Part, endpoint: string): Batch {
  return { id: part.id, events: part.events, encoded: part.encoded, endpoint, attempt: part.attempts, replay: part.replay };
}
