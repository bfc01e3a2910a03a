import { compileActionFilter } from '../event/action-key.ts';
import type { Mapped, Mapper } from '../event/event.ts';
import { compileDrop, encodeBody } from '../event/index.ts';
import type { ReplaySelection, StoredPage } from '../journal/journal.ts';
import { type Piece, Slabs } from '../sinks/encoded.ts';
import type { OutgoingEvent, Place, SentEvent, Sink } from '../sinks/sink.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import type { LoopContext } from './context.ts';
import { type OpenLane, OpenRecord } from './lane.ts';
import { type SharedEvent, sharedEvents } from './shared-events.ts';

/** A record's event, mapped and encoded, ready to be put into a batch: its bytes, and what is needed beside them until it has its outcome. */
export class PreparedEvent implements SentEvent, Piece {
  readonly open: OpenRecord;
  readonly time: number;
  readonly actionKey: string | undefined;
  slab: Buffer;
  start: number;
  end: number;
  /** UTF-8 length of what the sink encoded, and what the protocol adds. */
  readonly bytes: number;

  constructor(open: OpenRecord, { event, actionKey }: Mapped, { slab, start, end }: Piece, bytesAround: number) {
    this.open = open;
    this.time = event.time;
    this.actionKey = actionKey;
    this.slab = slab;
    this.start = start;
    this.end = end;
    this.bytes = end - start + bytesAround;
  }

  get uid(): string {
    return this.open.record.uid;
  }

  get source(): string {
    return this.open.page.source;
  }

  get place(): Place {
    return this.open.place;
  }
}

/** A record whose event cannot even be sent: it becomes a dead letter. */
export interface Unsendable {
  readonly open: OpenRecord;
  readonly time: number;
  readonly actionKey: string | undefined;
  readonly code: string;
  readonly text: string;
}

/** Gives the page's events one by one, so that nothing piles up; undefined at its end. */
export type NextEvent = () => PreparedEvent | Unsendable | undefined;

/** True for events that the sink's filter lets pass. What could not be read passes: a filter cannot tell what it is. */
export function compileFilter(filter: SinkSettings['filter']): (mapped: Mapped) => boolean {
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

/** Makes events of records for one sink: filters, maps, encodes. */
export class Preparer {
  readonly #context: LoopContext;
  readonly #passes: (mapped: Mapped) => boolean;
  readonly #drop: ReturnType<typeof compileDrop>;
  readonly #bodyKey: string;
  readonly #slabs = new Slabs();

  constructor(context: LoopContext) {
    const { filter, format, includeRaw, drop } = context.settings;
    this.#context = context;
    this.#passes = compileFilter(filter);
    this.#drop = compileDrop(drop);
    this.#bodyKey = `${format}${includeRaw ? '+raw' : ''}-${drop.toSorted().join('-')}`;
  }

  /** A batch begins: its events are to lie behind each other, first those that did not fit into the one before, the last of them next to what follows. */
  beginBatch(waiting: readonly PreparedEvent[]): void {
    this.#slabs.begin();
    for (const event of waiting) Object.assign(event, this.#slabs.copy(event));
  }

  /** Opens the records of a page; those that the sink does not take have their outcome at once. */
  events(lane: OpenLane, page: StoredPage, mapper: Mapper, sink: Sink): NextEvent {
    const isReplay = lane.kind === 'replay';
    const { settings, clock } = this.#context;
    const labels = [...page.labels, ...settings.labels, ...(isReplay ? ['replayed'] : [])];
    const pageContext = { source: page.source, tenant: page.tenant, labels, processedTime: clock.now() };
    const isShared = !isReplay && sharedEvents.isSharing(settings);
    const open = lane.add(page);
    let index = -1;
    return () => {
      for (let record = page.records[++index]; record !== undefined; record = page.records[++index]) {
        const event = sharedEvents.mapOnce(mapper, record, pageContext, isShared);
        this.#count(page.source, mapper.table, event.mapped);
        if (isSelected(event.mapped, page.only) && this.#passes(event.mapped))
          return this.#prepare(new OpenRecord(open, index, record), event, sink);
        open.settle(index, 'not_routed');
      }
      return undefined;
    };
  }

  #count(source: string, table: string, { event, failed, action, actionKey, faults }: Mapped): void {
    const { tally, unknownActions, invalidEvents } = this.#context;
    const name = String(event['class_name']);
    tally.classes[name] = (tally.classes[name] ?? 0) + 1;
    if (failed !== undefined) tally.mapFailed += 1;
    if (faults !== undefined) invalidEvents.add(source, actionKey, faults);
    if (action === undefined && actionKey !== undefined) unknownActions.add(source, table, actionKey);
  }

  #prepare(open: OpenRecord, shared: SharedEvent, sink: Sink): PreparedEvent | Unsendable {
    const { mapped, mapper } = shared;
    const said = { open, time: mapped.event.time, actionKey: mapped.actionKey };
    try {
      const event: OutgoingEvent = {
        uid: open.record.uid,
        source: open.page.source,
        place: open.place,
        table: mapper.table,
        event: mapped.event,
        action: mapped.action,
        actionKey: mapped.actionKey,
        body: this.#bodyOf(shared),
      };
      const prepared = new PreparedEvent(open, mapped, this.#slabs.write(sink.encode(event)), sink.bytesAround?.(event) ?? 0);
      const { bytes } = prepared;
      this.#context.largest.saw(bytes);
      if (bytes <= sink.maxEventBytes) return prepared;
      return { ...said, code: 'too_large', text: `the event has ${bytes} bytes, the sink takes at most ${sink.maxEventBytes}` };
    } catch (error) {
      return { ...said, code: 'encode_failed', text: error instanceof Error ? error.message : String(error) };
    }
  }

  #bodyOf({ mapped, bodies }: SharedEvent): string {
    const known = bodies?.get(this.#bodyKey);
    if (known !== undefined) return known;
    const { format, includeRaw } = this.#context.settings;
    const body = encodeBody(format, mapped, { includeRaw, drop: this.#drop });
    bodies?.set(this.#bodyKey, body);
    return body;
  }
}
