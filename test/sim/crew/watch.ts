// What must hold at every moment where replicas share a journal, seen from beside it: the database says what became durable and whose it was then,
// receivers say what arrived and from whom.
import { goneAfterMs } from '../../../src/base/absence.ts';
import { mostPending } from '../../../src/deliver/endpoints/send-limit.ts';
import { isBalanced } from '../../../src/journal/counts.ts';
import type { Commit, Lane, StoredPage, StoredRecord } from '../../../src/journal/journal.ts';
import { laneKey } from '../../journal/memory/disk.ts';
import { ledgerRows } from '../../journal/memory/names.ts';
import type { Entry } from '../feed.ts';
import type { Copy } from '../receivers.ts';
import type { SinkPlan } from '../scenario.ts';
import { contentKey, owedKey, type Witness } from '../witness.ts';
import type { SharedServer } from './server.ts';
import type { Auditor, Settlement } from './tables.ts';

/** Something that happened to a process, true times in milliseconds since the epoch; `to` is open while it lasts. */
export interface Incident {
  readonly what: 'kill' | 'stall' | 'cut' | 'outage';
  /** undefined: to all. */
  readonly process: number | undefined;
  readonly from: number;
  to: number;
  /** Events whose copies it excuses, by sink. */
  readonly copies: Map<string, Set<string>>;
}

/** A stall or a cut has its consequences when it ends: until then what is under way may still be lost. */
const afterwardsMs = 60_000;

/** Whoever hands over or leaves waits longer for what is not taken; what was overtaken may leave in the end of that. */
const handingOverMs = 2_000;

interface Owning {
  readonly at: number;
  readonly process: number | undefined;
}

export class Watch implements Auditor {
  readonly incidents: Incident[] = [];
  readonly #now: () => number;
  readonly #leaseMs: number;
  readonly #sinks: ReadonlyMap<string, SinkPlan>;
  readonly #processes = new Map<string, number>();
  /** When a replica was last configured with a name, alive or about to come back. */
  readonly #named = new Map<string, number>();
  readonly #owners = new Map<string, Owning[]>();
  /** When the database heard of each process. */
  readonly #heard = new Map<number, number[]>();
  readonly #copies = new Map<string, Copy[]>();
  /** By sink and source. */
  readonly #sent = new Map<string, Copy[]>();
  /** When the offset behind an event became durable, and who wrote it. */
  readonly #settled = new Map<string, { readonly at: number; readonly by: number }>();
  /** What was not answered, or behind a gap, when its source changed hands: the answer may come later. */
  readonly #leftOpen = new WeakSet<Copy>();
  readonly #stored = new Map<string, number>();
  /** How often an event was sent once more by replays than there were. */
  readonly #more = new Map<string, number>();
  witness: Witness | undefined;
  /** By source. */
  entries: ReadonlyMap<string, readonly Entry[]> = new Map();
  server: SharedServer | undefined;

  constructor(now: () => number, leaseMs: number, sinks: readonly SinkPlan[]) {
    this.#now = now;
    this.#leaseMs = leaseMs;
    this.#sinks = new Map(sinks.map((plan) => [plan.name, plan]));
  }

  problem(text: string): void {
    this.witness?.problem(text);
  }

  /** What is told of arrivals passes here. */
  around(own: Witness): Witness {
    this.witness = own;
    const watched: Witness = Object.create(own, {
      problems: { value: own.problems },
      committed: { value: own.committed },
      ...Object.fromEntries(
        (['arrived', 'contentOf', 'placeOf', 'onForgotten', 'problem'] as const).map((name) => [
          name,
          { value: own[name].bind(own) },
        ]),
      ),
      onArrival: {
        value: (sink: string, copy: Copy, encoded: string) => {
          this.#arrives(sink, copy);
          // One process after the other knows what it sent; here copies are judged by what happened to their senders.
          own.onArrival(sink, { ...copy, doubt: true }, encoded);
        },
      },
    }) as Witness;
    return watched;
  }

  incident(what: Incident['what'], process: number | undefined, to = Number.POSITIVE_INFINITY): Incident {
    const incident: Incident = { what, process, from: this.#now(), to, copies: new Map() };
    this.incidents.push(incident);
    return incident;
  }

  processOf(member: string | null): number | undefined {
    return member === null ? undefined : this.#processes.get(member);
  }

  onJoined(member: string, process: number): void {
    this.#processes.set(member, process);
  }

  onHeard(process: number): void {
    const own = this.#heard.get(process) ?? [];
    this.#heard.set(process, own);
    own.push(this.#now());
  }

  onOwner(source: string, owner: string | null): void {
    const own = this.#owners.get(source) ?? [];
    this.#owners.set(source, own);
    for (const sink of this.#sinks.keys()) this.#leaveOpen(sink, this.#sent.get(`${sink}\n${source}`) ?? []);
    own.push({ at: this.#now(), process: this.processOf(owner) });
  }

  /** A replica is configured with these at this moment, or was when it came to grief. */
  onNames(names: ReadonlySet<string>): void {
    for (const name of names) this.#named.set(name, this.#now());
  }

  /** A process does not send to these sinks any more, or sends nothing of these sources. */
  onDropped(process: number, names: readonly string[]): void {
    for (const [key, sent] of this.#sent) {
      const [sink = '', source = ''] = key.split('\n');
      const own = sent.filter((copy) => copy.process === process);
      if (names.includes(sink) || names.includes(source)) this.#leaveOpen(sink, own);
    }
  }

  #leaveOpen(sink: string, sent: readonly Copy[]): void {
    for (const copy of sent)
      if (!this.#settled.has(`${sink}\n${copy.source}\n${copy.uid}`) && (copy.doubt || this.#isBehindGap(sink, copy)))
        this.#leftOpen.add(copy);
  }

  onStored(process: number, owner: string | null, { source, page }: Commit, before: number): void {
    if (this.processOf(owner) !== process)
      this.problem(`source ${source}: process ${process} appended, though it was process ${this.processOf(owner)}'s`);
    if (page === undefined) return;
    for (const { uid, record } of page.records) {
      if (this.#stored.has(`${source}\n${uid}`)) this.problem(`record ${uid} of ${source} was stored twice`);
      this.#stored.set(`${source}\n${uid}`, this.#now());
      const key = this.witness?.contentOf(source, uid, record);
      const entry = this.entries.get(source)?.find(({ facts }) => contentKey(facts) === key);
      if (entry === undefined) this.problem(`record ${uid} of ${source} was stored, which no vendor has`);
      else (this.witness?.committed.get(source) as Map<string, Entry> | undefined)?.set(contentKey(entry.facts), entry);
    }
    const positions = page.records.map((_record, index) => before + index + 1) as unknown as StoredPage['positions'];
    const stored = { source, records: page.records, positions } as unknown as StoredPage;
    this.witness?.onStored({ lane: { kind: page.lane, source }, before: before as never, page: stored, textBytes: 0 });
  }

  onSettled(process: number, owner: string | null, { sink, lane, upTo }: Settlement, from: number): void {
    if (this.processOf(owner) !== process)
      this.problem(`sink ${sink}: process ${process} settled ${lane.source}, though it was process ${this.processOf(owner)}'s`);
    const entries = this.server?.disk.lanes.get(laneKey(lane)) ?? [];
    // Without what was deleted.
    for (const { record } of Object.values(entries.slice(from, upTo)))
      this.#settled.set(`${sink}\n${lane.source}\n${record.uid}`, { at: this.#now(), by: process });
  }

  onDeleted(lane: Pick<Lane, 'kind' | 'source'>, last: number): void {
    const { sinks = new Map(), offsets, lanes } = this.server?.disk ?? {};
    const entries = Object.values(lanes?.get(laneKey(lane))?.slice(0, last) ?? []);
    for (const sink of this.#sinks.keys()) if (!sinks.has(sink)) this.#neverOwes(sink, lane.source, entries);
    for (const sink of sinks.keys())
      if ((offsets?.get(`${sink} ${laneKey(lane)}`) ?? 0) < last)
        this.problem(`source ${lane.source}: records up to ${last} (${lane.kind}) were deleted, which ${sink} has not taken`);
  }

  #neverOwes(sink: string, source: string, entries: readonly { readonly record: StoredRecord }[]): void {
    for (const { record } of entries) {
      const content = this.witness?.contentOf(source, record.uid, record.record);
      if (content !== undefined) this.witness?.notOwed.add(owedKey(sink, source, content));
    }
  }

  onPassed(sink: string, source: string, as: 'skipped' | 'abandoned'): void {
    const unnamedMs = this.#now() - (this.#named.get(sink) ?? 0);
    if (as === 'abandoned' && unnamedMs < goneAfterMs)
      this.problem(`sink ${sink}: records of ${source} were abandoned ${unnamedMs} ms after a replica was configured with it`);
    if (as === 'skipped' && this.#sinks.get(sink)?.skipsWhenFull !== true)
      this.problem(`sink ${sink}: records of ${source} were skipped, though it waits`);
  }

  /** Whose a source was around a time: clocks of receivers are read in whole milliseconds. */
  #ownersAt(source: string, at: number): (number | undefined)[] {
    const own = this.#owners.get(source) ?? [];
    const last = own.findLastIndex((owning) => owning.at < at - 1);
    return own.slice(Math.max(0, last)).flatMap((owning) => (owning.at <= at + 1 ? [owning.process] : []));
  }

  #arrives(sink: string, copy: Copy): void {
    // What a process was about to send when it stalled leaves when it wakes, and nothing can stop it.
    const { source, uid, process, decidedAt: sentAt } = copy;
    if (!this.#ownersAt(source, sentAt).includes(process))
      this.problem(`sink ${sink}: process ${process} sent ${uid} of ${source}, which was not its own`);
    const unheardMs = sentAt - (this.#heard.get(process)?.findLast((at) => at <= sentAt) ?? 0);
    if (unheardMs > this.#leaseMs + 2_000)
      this.problem(`sink ${sink}: process ${process} sent ${uid} of ${source} ${unheardMs} ms after it was last heard of`);
    const key = `${sink}\n${source}\n${uid}`;
    const others = this.#copies.get(key) ?? [];
    this.#copies.set(key, [...others, copy]);
    if (copy.replay) {
      this.#comesAgain(sink, copy, others);
      return;
    }
    const sent = this.#sent.get(`${sink}\n${source}`) ?? [];
    this.#sent.set(`${sink}\n${source}`, sent);
    sent.push(copy);
    if ((this.#settled.get(key)?.at ?? Number.POSITIVE_INFINITY) < sentAt)
      this.problem(`sink ${sink}: ${uid} of ${source} was sent again after its offset was durable`);
    // A slow request of the dead may arrive behind that of its successor.
    const sure = others.filter((other) => !other.doubt && !other.replay && other.decidedAt < sentAt);
    if (sure.length > 0) this.#excuse(sink, copy, sure);
  }

  /** Each replay brings an event once, and once more what a replica came to grief over or handed over. */
  #comesAgain(sink: string, copy: Copy, others: readonly Copy[]): void {
    const { source, uid, decidedAt } = copy;
    const begun = (this.server?.disk.jobs ?? []).filter(
      ({ args, started }) => started !== undefined && (args as { readonly sink?: string }).sink === sink,
    ).length;
    const sure = others.filter((other) => other.replay && !other.doubt && other.decidedAt < decidedAt);
    const event = `${source}\n${uid}\nreplay`;
    const more = this.#more.get(`${sink}\n${event}`) ?? 0;
    if (sure.length < begun + more) return;
    this.#more.set(`${sink}\n${event}`, more + 1);
    const excused = sure.filter((of) => this.#hits([of], decidedAt).length > 0 || this.#isLeft(sink, of));
    if (sure.length - excused.length >= begun)
      this.problem(`sink ${sink}: ${uid} of ${source} was sent ${sure.length + 1} times by ${begun} replays`);
    this.#charge(sink, this.#hits(excused, decidedAt), event);
  }

  /** A living process was told that it was taken: only what happened to that one lets it be sent again. */
  #excuse(sink: string, { uid, source, decidedAt }: Copy, sure: readonly Copy[]): void {
    const unexcused = sure.filter((of) => this.#hits([of], decidedAt).length === 0 && !this.#isLeft(sink, of));
    if (unexcused.length > 0) {
      this.problem(`sink ${sink}: ${uid} of ${source} was sent again, though nothing had happened to who sent it before`);
      return;
    }
    // What its receiver took behind an event without an outcome is sent again by the next owner, however much that is.
    const bounded = sure.filter((of) => !this.#isBehindGap(sink, of));
    this.#charge(sink, this.#hits(bounded, decidedAt), `${source}\n${uid}`);
  }

  /** What happened to the senders of copies, so that another one leaves at a time; in the order in which it began. */
  #hits(copies: readonly Copy[], decidedAt: number): readonly Incident[] {
    return this.incidents.filter(
      ({ process, from, to }) =>
        from <= decidedAt && copies.some((of) => (process ?? of.process) === of.process && to + afterwardsMs >= of.leftAt),
    );
  }

  /** Only so many copies come of one incident. Of several that may have been the cause, the last with room for one more was. */
  #charge(sink: string, incidents: readonly Incident[], event: string): void {
    const last = incidents.at(-1);
    if (last === undefined || incidents.some(({ copies }) => copies.get(sink)?.has(event) === true)) return;
    const incident = incidents.findLast((one) => (one.copies.get(sink)?.size ?? 0) < this.#mostCopies(sink, one)) ?? last;
    const events = incident.copies.get(sink) ?? new Set();
    incident.copies.set(sink, events);
    events.add(event);
    const most = this.#mostCopies(sink, incident);
    if (events.size === most + 1)
      this.problem(`sink ${sink}: more than ${most} events were sent again after one ${incident.what}`);
  }

  #mostCopies(sink: string, { what }: Incident): number {
    const { inFlight = 1, batchEvents = 1, acknowledges } = this.#sinks.get(sink) ?? {};
    const waiting = acknowledges === 'later' ? mostPending : 0;
    return (inFlight + 2 + waiting) * batchEvents * (what === 'outage' ? 3 : 1);
  }

  /** Its sender handed over or left, and waited in vain for what was not taken before it. */
  #isLeft(sink: string, copy: Copy): boolean {
    const { source, process, leftAt, at: arrivedAt, replay } = copy;
    const given = this.#owners.get(source)?.find((owning) => owning.at > leftAt && owning.process !== process);
    if (given !== undefined && given.at - leftAt < handingOverMs) return false;
    if (given !== undefined && given.at < arrivedAt) return true;
    // A replay has an order of its own.
    return replay ? given !== undefined : this.#leftOpen.has(copy) || this.#isBehindGap(sink, copy);
  }

  /** An offset passes nothing by: what is taken behind an event of which that is not known is not settled when its sender hands over or leaves. */
  #isBehindGap(sink: string, { source, uid, process, leftAt }: Copy): boolean {
    const place = this.witness?.placeOf(source, uid);
    const lane = this.server?.disk.lanes.get(place?.lane.split('/').reverse().join(' ') ?? '') ?? [];
    const sent = this.#sent.get(`${sink}\n${source}`) ?? [];
    const known = new Set(sent.flatMap((other) => (other.doubt || other.process !== process ? [] : [other.uid])));
    const isDone = (other: string): boolean => {
      const settled = this.#settled.get(`${sink}\n${source}\n${other}`);
      return known.has(other) || (settled !== undefined && (settled.by === process || settled.at <= leftAt));
    };
    return lane.slice(0, (place?.position ?? 1) - 1).some(({ record }) => !isDone(record.uid));
  }

  /** The ledger of a moment. */
  checkBalance(): void {
    if (this.server === undefined) return;
    for (const row of ledgerRows(this.server.disk))
      if (!isBalanced(row)) this.problem(`the ledger of ${row.sink} and ${row.source} does not balance`);
    this.server.pages.check();
  }
}
