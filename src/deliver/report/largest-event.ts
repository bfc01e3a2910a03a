import { isObject, type Json } from '../../base/json.ts';
import type { Log } from '../../base/log.ts';
import type { Journal } from '../../journal/journal.ts';
import { byteLengthOf } from '../../sinks/encoded.ts';
import type { OutgoingEvent, Sink } from '../../sinks/sink.ts';
import type { SinkSettings } from '../../sinks/sink-settings.ts';

// Written again only where it says something new.
const growth = 1.1;

type Notes = Pick<Journal, 'note' | 'changeNote'>;
type Noted = Pick<SinkSettings, 'name' | 'format'>;

/** Bytes of the largest event that was ever encoded for a sink in its present format; undefined where none was. */
export async function largestEvent(journal: Pick<Journal, 'note'>, sink: Noted): Promise<number | undefined> {
  return bytesIn(await journal.note('', noteOf(sink.name)), sink);
}

/** Bytes that an event has with what the protocol adds to it. */
export function bytesOf(sink: Pick<Sink, 'encode' | 'bytesAround'>, event: OutgoingEvent): number {
  return byteLengthOf(sink.encode(event)) + (sink.bytesAround?.(event) ?? 0);
}

function bytesIn(note: Json, { format }: Noted): number | undefined {
  if (!isObject(note) || note['format'] !== format) return undefined;
  return typeof note['bytes'] === 'number' ? note['bytes'] : undefined;
}

function noteOf(sink: string): string {
  return `largest_event:${sink}`;
}

/** Keeps the size of the largest event of one sink in the journal, so that a check knows what the receiver will meet. */
export class LargestEvent {
  readonly #journal: Notes;
  readonly #log: Log;
  readonly #sink: Noted;
  #bytes = 0;
  #noted: number | undefined;

  constructor(journal: Notes, log: Log, sink: Noted) {
    this.#journal = journal;
    this.#log = log;
    this.#sink = sink;
  }

  saw(bytes: number): void {
    if (bytes > this.#bytes) this.#bytes = bytes;
  }

  /** Notes what was new since the last call; for each page, never for each event. */
  async report(): Promise<void> {
    const bytes = this.#bytes;
    if (bytes <= (this.#noted ?? 0) * growth) return;
    try {
      this.#noted ??= (await largestEvent(this.#journal, this.#sink)) ?? 0;
      if (bytes <= this.#noted * growth) return;
      this.#noted = bytes;
      const { name, format } = this.#sink;
      // Another replica may have met a larger one since.
      await this.#journal.changeNote('', noteOf(name), (note) =>
        (bytesIn(note, this.#sink) ?? 0) >= bytes ? note : { bytes, format },
      );
    } catch (error) {
      this.#log.warn({ err: error }, 'size of the largest event not noted in the journal; penstock check does not know it');
    }
  }
}
