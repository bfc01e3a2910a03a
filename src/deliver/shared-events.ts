// Sinks that read the same cached record share its event and, for one format, its body: an event is mapped and written once, however many sinks get it.
// It takes ten times as much memory as the record, and the cache keeps records for a sink that lags far behind. So an event is let go of when every
// sink has had it, and when one or two thousand others came after it: who comes later maps it again.
import type { Mapped, Mapper, PageContext } from '../event/event.ts';
import type { StoredRecord } from '../journal/journal.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';

/** The event of a record. */
export interface SharedEvent {
  readonly mapper: Mapper;
  readonly mapped: Mapped;
  /** By format; undefined when nobody shares it. */
  readonly bodies: Map<string, string> | undefined;
  /** How many sinks have not had it yet. */
  waiting: number;
}

/** Twice as many at most are kept: sinks that keep up with one another are a batch or two apart. */
export const mostShared = 1000;

type Labelled = Pick<SinkSettings, 'labels'>;

// The events of a sink with labels of its own are its own.
const sharesEvents = ({ labels }: Labelled): boolean => labels.length === 0;

/** Events that sinks share. */
export class SharedEvents {
  #newer = new WeakMap<StoredRecord, SharedEvent>();
  #older = new WeakMap<StoredRecord, SharedEvent>();
  #count = 0;
  #users = 0;

  /** Counts a loop that may share mapped events; with a single one the cache would cost and give nothing. */
  use(settings: Labelled): Disposable {
    const share = sharesEvents(settings) ? 1 : 0;
    this.#users += share;
    return { [Symbol.dispose]: () => void (this.#users -= share) };
  }

  /** True while other sinks may want the events that a sink maps. */
  isSharing(settings: Labelled): boolean {
    return this.#users > 1 && sharesEvents(settings);
  }

  /** The record's event: what another sink has mapped, where it is shared. */
  mapOnce(mapper: Mapper, record: StoredRecord, page: PageContext, isShared: boolean): SharedEvent {
    if (!isShared) return { mapper, mapped: mapper.map(record, page), bodies: undefined, waiting: 0 };
    const known = this.#newer.get(record) ?? this.#older.get(record);
    return known?.mapper === mapper ? this.#given(record, known) : this.#keep(record, mapper, page);
  }

  #given(record: StoredRecord, event: SharedEvent): SharedEvent {
    event.waiting -= 1;
    if (event.waiting > 0) return event;
    this.#newer.delete(record);
    this.#older.delete(record);
    return event;
  }

  #keep(record: StoredRecord, mapper: Mapper, page: PageContext): SharedEvent {
    const event = { mapper, mapped: mapper.map(record, page), bodies: new Map<string, string>(), waiting: this.#users - 1 };
    if (this.#count === mostShared) [this.#older, this.#newer, this.#count] = [this.#newer, new WeakMap(), 0];
    this.#newer.set(record, event);
    this.#count += 1;
    return event;
  }
}

/** Those of this process. */
export const sharedEvents = new SharedEvents();
