// A write to a pipe or a file obeys no signal: it goes on when nobody waits for it any more. Begun once more, what it carries would be there
// twice, and on a disk that stands still every attempt would keep one more of the few threads that the whole process shares.
import { unlessCutOff } from '../base/abort.ts';
import type { Batch, Verdict, Verdicts } from './sink.ts';

interface UnderWay {
  readonly id: string;
  readonly done: Promise<Verdicts>;
  /** Somebody was told that it may be taken. */
  isDoubted: boolean;
}

/** Writes one batch at a time, and each once, however often it comes while its write is under way. */
export class OneWriter {
  readonly #reason: () => string;
  readonly #isBegun: () => boolean;
  #underWay: UnderWay | undefined;
  /** By id: what was taken when nobody waited for that any more, and who comes again is to hear of. */
  readonly #takenLate = new Map<string, Verdicts>();

  /** `reason`: why a write has not ended in time; `isBegun`: false while nothing of it can have been taken. */
  constructor(reason: () => string, isBegun: () => boolean = () => true) {
    this.#reason = reason;
    this.#isBegun = isBegun;
  }

  /** What became of a batch. Rejects with the signal's reason where that is no time-out: what is under way may be taken all the same. */
  async send({ id }: Pick<Batch, 'id'>, signal: AbortSignal, write: () => Promise<Verdicts>): Promise<Verdicts> {
    const late = this.#takenLate.get(id);
    if (late !== undefined) {
      this.#takenLate.delete(id);
      return late;
    }
    while (this.#underWay !== undefined && this.#underWay.id !== id)
      if ((await unlessCutOff(this.#underWay.done, signal)) === undefined)
        return { all: { kind: 'retry', reason: this.#reason() } };
    const underWay = this.#underWay ?? this.#begin(id, write);
    const verdicts = await unlessCutOff(underWay.done, signal);
    if (verdicts !== undefined) this.#takenLate.delete(id);
    // Cut off by the end of the process, it may be taken all the same.
    if (verdicts === undefined && !isTimeout(signal)) throw signal.reason;
    return verdicts ?? { all: this.#unended(underWay) };
  }

  /** Said once, that it may be taken counts its events as possible duplicates: by the next process they are written again. */
  #unended(underWay: UnderWay): Verdict {
    const reason = this.#reason();
    if (underWay.isDoubted || !this.#isBegun()) return { kind: 'retry', reason };
    underWay.isDoubted = true;
    return { kind: 'uncertain', reason, blameless: true };
  }

  /** Resolves when no write is under way. */
  async idle(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay.done;
  }

  #begin(id: string, write: () => Promise<Verdicts>): UnderWay {
    const done = write()
      .finally(() => (this.#underWay = undefined))
      .then((verdicts) => {
        if (isTaken(verdicts)) this.#takenLate.set(id, verdicts);
        return verdicts;
      });
    this.#underWay = { id, done, isDoubted: false };
    return this.#underWay;
  }
}

/** True where some of it was taken: what was not may be written once more. */
function isTaken(verdicts: Verdicts): boolean {
  return 'all' in verdicts ? verdicts.all.kind === 'accept' : verdicts.each.some(({ kind }) => kind === 'accept');
}

const isTimeout = ({ reason }: AbortSignal): boolean => reason instanceof DOMException && reason.name === 'TimeoutError';
