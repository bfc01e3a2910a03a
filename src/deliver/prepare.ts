import { compileActionFilter } from '../event/action-filter.ts';
import type { Format, Mapped, Mapper, PageContext } from '../event/event.ts';
import type { NewDeadLetter, ReplaySelection, StoredPage, StoredRecord } from '../journal/journal.ts';
import type { OutgoingEvent, Sink } from '../sinks/sink.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import type { LaneProgress, Slot } from './lane.ts';
import type { UnknownActions } from './unknown-actions.ts';

/** One event ready to be put into a batch. */
export interface Item {
  readonly slot: Slot;
  readonly event: OutgoingEvent;
  readonly encoded: string;
  /** UTF-8 length of `encoded`. */
  readonly bytes: number;
}

/** An event that cannot even be sent: it becomes a dead letter here. */
export interface Unsendable {
  readonly slot: Slot;
  readonly letter: NewDeadLetter;
}

/** The event room's encoder of bodies. */
export type EncodeBody = (format: Format, mapped: Mapped, options: { readonly includeRaw: boolean }) => string;

export interface OutgoingDeps {
  readonly settings: SinkSettings;
  readonly unknown: UnknownActions;
  /** Events mapped since the start, by OCSF class name; counted here. */
  readonly classes: Record<string, number>;
  readonly encodeBody: EncodeBody;
  readonly now: () => number;
  readonly onMapFailed: () => void;
}

/** Goes through a page record by record; undefined at its end. Maps, filters and encodes one at a time, so that nothing piles up. */
export type PageWalk = () => Item | Unsendable | undefined;

interface SharedEvent {
  readonly mapper: Mapper;
  readonly mapped: Mapped;
  /** By format; undefined when nobody shares it. */
  readonly bodies: Map<string, string> | undefined;
}

// Two sinks that read the same cached record share its event and, for one format, its body.
const shared = new WeakMap<StoredRecord, SharedEvent>();
let users = 0;

/** Counts a loop that may share mapped events; with a single one the cache would cost and give nothing. */
export function shareEvents(): Disposable {
  users += 1;
  return {
    [Symbol.dispose]() {
      users -= 1;
    },
  };
}

function mapOnce(mapper: Mapper, record: StoredRecord, context: PageContext, replay: boolean): SharedEvent {
  if (users < 2 || replay) return { mapper, mapped: mapper.map(record, context), bodies: undefined };
  const known = shared.get(record);
  if (known?.mapper === mapper) return known;
  const made = { mapper, mapped: mapper.map(record, context), bodies: new Map<string, string>() };
  shared.set(record, made);
  return made;
}

/** True for events that the sink's filter lets pass. What could not be read passes: a filter cannot tell what it is. */
function compileFilter(filter: SinkSettings['filter']): (mapped: Mapped) => boolean {
  const takes = compileActionFilter(filter);
  const severity = filter.min_severity;
  return ({ actionKey, event, failed }) => {
    if (actionKey === undefined || failed !== undefined) return true;
    return takes(actionKey) && (severity === undefined || event.severity_id >= severity);
  };
}

/** True for the events of a replayed page that the replay is about. */
function isSelected({ event, actionKey }: Mapped, only: ReplaySelection | undefined): boolean {
  if (only === undefined) return true;
  return event.time >= only.from && event.time <= only.to && (only.action === undefined || only.action === actionKey);
}

type EventFacts = Pick<OutgoingEvent, 'event' | 'actionKey'>;

/** The dead letter of a record in a slot. */
export function letterOf(
  slot: Slot,
  record: StoredRecord,
  facts: EventFacts,
  why: Pick<NewDeadLetter, 'code' | 'text' | 'attempts' | 'first' | 'last'>,
): NewDeadLetter {
  const { source, connector, tenant, labels } = slot.page;
  return { record, source, connector, tenant, labels, eventTime: facts.event.time, action: facts.actionKey, ...why };
}

/** Prepares pages for one sink: maps, filters, encodes. */
export interface Outgoing {
  walk(lane: LaneProgress, page: StoredPage, mapper: Mapper, sink: Sink): PageWalk;
}

class Preparing implements Outgoing {
  readonly #deps: OutgoingDeps;
  readonly #passes: (mapped: Mapped) => boolean;
  readonly #bodyKey: string;

  constructor(deps: OutgoingDeps) {
    const { filter, format, includeRaw } = deps.settings;
    this.#deps = deps;
    this.#passes = compileFilter(filter);
    this.#bodyKey = `${format}${includeRaw ? '+raw' : ''}`;
  }

  walk(lane: LaneProgress, page: StoredPage, mapper: Mapper, sink: Sink): PageWalk {
    const replay = lane.kind === 'replay';
    const labels = replay ? [...page.labels, 'replayed'] : page.labels;
    const context: PageContext = { source: page.source, tenant: page.tenant, labels, processedTime: this.#deps.now() };
    const slotAt = lane.add(page);
    let next = 0;
    return () => {
      for (let record = page.records[next]; record !== undefined; record = page.records[next]) {
        const slot = slotAt(next);
        next += 1;
        const event = mapOnce(mapper, record, context, replay);
        this.#count(page.source, mapper.table, event.mapped);
        const isWanted = isSelected(event.mapped, page.only) && this.#passes(event.mapped);
        const item = isWanted ? this.#prepare(slot, record, event, sink) : undefined;
        if (item !== undefined) return item;
        slot.settle('not_routed');
      }
      return undefined;
    };
  }

  #count(source: string, table: string, { event, failed, action, actionKey }: Mapped): void {
    const { classes } = this.#deps;
    const name = String(event['class_name']);
    classes[name] = (classes[name] ?? 0) + 1;
    if (failed !== undefined) this.#deps.onMapFailed();
    if (action === undefined && actionKey !== undefined) this.#deps.unknown.add(source, table, actionKey);
  }

  #prepare(slot: Slot, record: StoredRecord, event: SharedEvent, sink: Sink): Item | Unsendable {
    const { mapped, mapper } = event;
    const facts = {
      uid: record.uid,
      source: slot.page.source,
      table: mapper.table,
      event: mapped.event,
      action: mapped.action,
      actionKey: mapped.actionKey,
    };
    try {
      const outgoing: OutgoingEvent = { ...facts, body: this.#bodyOf(event) };
      const encoded = sink.encode(outgoing);
      const bytes = Buffer.byteLength(encoded);
      if (bytes <= sink.maxEventBytes) return { slot, event: outgoing, encoded, bytes };
      return this.#unsendable(
        slot,
        record,
        facts,
        'too_large',
        `the event has ${bytes} bytes, the sink takes at most ${sink.maxEventBytes}`,
      );
    } catch (error) {
      return this.#unsendable(slot, record, facts, 'encode_failed', error instanceof Error ? error.message : String(error));
    }
  }

  #bodyOf({ mapped, bodies }: SharedEvent): string {
    const known = bodies?.get(this.#bodyKey);
    if (known !== undefined) return known;
    const { format, includeRaw } = this.#deps.settings;
    const body = this.#deps.encodeBody(format, mapped, { includeRaw });
    bodies?.set(this.#bodyKey, body);
    return body;
  }

  #unsendable(slot: Slot, record: StoredRecord, facts: EventFacts, code: string, text: string): Unsendable {
    const now = this.#deps.now();
    return { slot, letter: letterOf(slot, record, facts, { code, text, attempts: 0, first: now, last: now }) };
  }
}

/** The preparation of one sink's pages. */
export function createOutgoing(deps: OutgoingDeps): Outgoing {
  return new Preparing(deps);
}
