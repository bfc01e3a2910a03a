import { isObject, type Json } from '../../base/json.ts';
import type { Journal } from '../../journal/journal.ts';
import type { SentEvent, Sink, Verdicts } from '../../sinks/sink.ts';

type Sent = Pick<SentEvent, 'uid' | 'source' | 'place' | 'time'>;

const keyOf = ({ source, place }: Sent): string => `${place.lane}\n${source}\n${place.position}`;
// What a replay that is over has left behind.
const mostNoted = 200;

/**
 * Events that became dead letters after they may have been stored, for a sink with {@link Sink.withdraw}. What begins with such an event would
 * stay in the store beside what is sent of the events after it. Noted before the letter is written, and taken back only after it is: until
 * then the event may be sent under its name again, and what took it back, carried out late, would take it for good.
 */
export class Withdrawals {
  readonly #journal: Pick<Journal, 'note' | 'changeNote' | 'ownership'>;
  readonly #name: string;
  readonly #events = new Map<string, Sent>();

  constructor(journal: Pick<Journal, 'note' | 'changeNote' | 'ownership'>, sink: string) {
    this.#journal = journal;
    this.#name = `withdrawn:${sink}`;
  }

  /** At the start, and where sources come from another replica. */
  async recall(): Promise<void> {
    const note = await this.#journal.note('', this.#name);
    for (const event of Object.values(isObject(note) ? note : {}))
      if (isSent(event) && this.#journal.ownership.owns(event.source)) this.#events.set(keyOf(event), event);
  }

  /** The event is about to become a letter. */
  async expect({ uid, source, place, time }: SentEvent): Promise<void> {
    const event = { uid, source, place, time: Number.isFinite(time) ? time : -1 };
    this.#events.set(keyOf(event), event);
    await this.#change((note) => ({ ...Object.fromEntries(Object.entries(note).slice(-mostNoted)), [keyOf(event)]: event }));
  }

  /** What events of the batch come after is taken back; gives the verdicts in place of an answer while that fails. */
  async before(
    { prepared }: { readonly prepared: readonly Sent[] },
    sink: Sink,
    signal: AbortSignal,
  ): Promise<Verdicts | undefined> {
    for (const event of this.#events.values()) {
      const inLane = prepared.filter(({ source, place }) => source === event.source && place.lane === event.place.lane);
      const positions = inLane.map(({ place }) => place.position);
      // It never became a letter, and is sent under its name once more.
      if (positions.includes(event.place.position)) await this.#forget(event);
      else if (positions.some((position) => position > event.place.position)) {
        const failed = await this.#withdraw(event, sink, signal);
        if (failed !== undefined) return failed;
      }
    }
    return undefined;
  }

  /** The letter of this event is written. */
  async written(event: SentEvent, sink: Sink, signal: AbortSignal): Promise<void> {
    const known = this.#events.get(keyOf(event));
    // What fails now is tried again before the next batch.
    if (known !== undefined) await this.#withdraw(known, sink, signal).catch(() => undefined);
  }

  async #withdraw(event: Sent, sink: Sink, signal: AbortSignal): Promise<Verdicts | undefined> {
    if (!this.#journal.ownership.owns(event.source)) {
      this.#events.delete(keyOf(event));
      return undefined;
    }
    const verdict = (await sink.withdraw?.(event, signal)) ?? { kind: 'accept' };
    if (verdict.kind === 'hold') return { all: verdict };
    if (verdict.kind !== 'accept') {
      const reason = 'reason' in verdict ? verdict.reason : verdict.kind;
      return { all: { kind: 'retry', reason: `what was stored of a dead letter could not be taken back: ${reason}` } };
    }
    await this.#forget(event);
    return undefined;
  }

  async #forget(event: Sent): Promise<void> {
    this.#events.delete(keyOf(event));
    await this.#change((note) => Object.fromEntries(Object.entries(note).filter(([key]) => key !== keyOf(event))));
  }

  async #change(to: (note: Readonly<Record<string, Json>>) => Json): Promise<void> {
    await this.#journal.changeNote('', this.#name, (note) => to(isObject(note) ? note : {}));
  }
}

function isSent(value: unknown): value is Sent {
  if (!isObject(value) || !isObject(value['place'])) return false;
  const { lane, position, received } = value['place'];
  const isPlace = typeof lane === 'string' && typeof position === 'number' && typeof received === 'number';
  return isPlace && typeof value['uid'] === 'string' && typeof value['source'] === 'string' && typeof value['time'] === 'number';
}
