import { explainInLine } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Verdicts } from '../../sinks/sink.ts';
import type { OpenRecord } from '../lane.ts';

type Prepared = readonly { readonly open: OpenRecord }[];

const sourceOf = (lane: string): string => lane.split('\n')[1] ?? '';
const laneOf = ({ lane }: OpenRecord): string => `${lane.name}\n${lane.lane.source}`;

/**
 * Keeps in the journal how far the batch under way reaches in each lane, for a sink with {@link Sink.settlesFirst}. A request of a process that
 * died may be carried out long after the next process wrote under the same name. So that process first sends what it was about, no more:
 * whichever of the two is carried out last, nothing is missing.
 */
export class SendPlan {
  readonly #journal: Pick<Journal, 'note' | 'changeNote' | 'ownership'>;
  readonly #name: string;
  /** By lane: the last position of what an earlier process sent last. */
  readonly #earlier = new Map<string, number>();
  #noted: object | undefined;

  constructor(journal: Pick<Journal, 'note' | 'changeNote' | 'ownership'>, sink: string) {
    this.#journal = journal;
    this.#name = `under_way:${sink}`;
  }

  /** At the start, and where sources come from another replica. */
  async recall(): Promise<void> {
    const note = await this.#journal.note('', this.#name);
    if (!isObject(note)) return;
    for (const [lane, position] of Object.entries(note)) if (typeof position === 'number') this.#earlier.set(lane, position);
  }

  /** Groups of a batch's indexes: what an earlier process had under way, then the rest; one group where it had none of them, or all. */
  groups(prepared: Prepared): number[][] {
    const known: number[] = [];
    const others: number[] = [];
    for (const [index, { open }] of prepared.entries())
      (open.place.position <= (this.#earlier.get(laneOf(open)) ?? -1) ? known : others).push(index);
    return [known, others].filter((group) => group.length > 0);
  }

  /** Notes what is about to be sent; gives the verdicts in place of an answer where that fails. */
  async note(batch: { readonly prepared: Prepared }): Promise<Verdicts | undefined> {
    if (this.#noted === batch) return undefined;
    const positions: Record<string, number> = {};
    for (const { open } of batch.prepared) {
      const { position } = open.place;
      positions[laneOf(open)] = position;
      if (position > (this.#earlier.get(laneOf(open)) ?? -1)) this.#earlier.delete(laneOf(open));
    }
    try {
      await this.#journal.changeNote('', this.#name, (note) => ({ ...this.#kept(note), ...this.#own(positions) }));
    } catch (error) {
      return { all: { kind: 'retry', reason: `the journal could not note what is sent: ${explainInLine(error)}` } };
    }
    this.#noted = batch;
    return undefined;
  }

  /** Without what another replica may send by now, and has noted. */
  #own(positions: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    return Object.fromEntries(Object.entries(positions).filter(([lane]) => this.#journal.ownership.owns(sourceOf(lane))));
  }

  /** What stays in the note: lanes that other replicas send from, and what an earlier process had under way and this one did not send yet. */
  #kept(note: Json): Readonly<Record<string, unknown>> {
    const lanes = Object.entries(isObject(note) ? note : {});
    const isKept = (lane: string): boolean => this.#earlier.has(lane) || !this.#journal.ownership.owns(sourceOf(lane));
    return Object.fromEntries(lanes.filter(([lane]) => isKept(lane)));
  }
}
