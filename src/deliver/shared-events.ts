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

let [newer, older] = [new WeakMap<StoredRecord, SharedEvent>(), new WeakMap<StoredRecord, SharedEvent>()];
let count = 0;
let users = 0;

// The events of a sink with labels of its own are its own.
const sharesEvents = ({ labels }: Pick<SinkSettings, 'labels'>): boolean => labels.length === 0;

/** Counts a loop that may share mapped events; with a single one the cache would cost and give nothing. */
export function shareEvents(settings: Pick<SinkSettings, 'labels'>): Disposable {
  const share = sharesEvents(settings) ? 1 : 0;
  users += share;
  return {
    [Symbol.dispose]() {
      users -= share;
    },
  };
}

/** True while other sinks may want the events that a sink maps. */
export const isSharing = (settings: Pick<SinkSettings, 'labels'>): boolean => users > 1 && sharesEvents(settings);

/** The record's event: what another sink has mapped, where it is shared. */
export function mapOnce(mapper: Mapper, record: StoredRecord, page: PageContext, isShared: boolean): SharedEvent {
  if (!isShared) return { mapper, mapped: mapper.map(record, page), bodies: undefined, waiting: 0 };
  const known = newer.get(record) ?? older.get(record);
  return known?.mapper === mapper ? given(record, known) : keep(record, mapper, page);
}

function given(record: StoredRecord, event: SharedEvent): SharedEvent {
  event.waiting -= 1;
  if (event.waiting > 0) return event;
  newer.delete(record);
  older.delete(record);
  return event;
}

function keep(record: StoredRecord, mapper: Mapper, page: PageContext): SharedEvent {
  const event = { mapper, mapped: mapper.map(record, page), bodies: new Map<string, string>(), waiting: users - 1 };
  if (count === mostShared) [older, newer, count] = [newer, new WeakMap(), 0];
  newer.set(record, event);
  count += 1;
  return event;
}
