const lastEvents = 200;
const fewest = 20;
const fewestAtFirst = 3;
const share = 0.1;
/** With one code, whatever the causes: most events are refused. */
const shareOfCode = 0.5;

interface Refused {
  readonly uid: string;
  readonly code: string;
  readonly cause: string | undefined;
}

/**
 * Distinguishes a wrong configuration from bad data. Systematic are, of the last 200 events, 20 or more different ones refused with one code:
 * over 10 % for one cause, or over half for any; so are three different ones when nothing was ever taken and all had that code.
 */
export class RefusalRate {
  readonly #forgiven = new Set<string>();
  #hasAccepted = false;
  #recent: (Refused | undefined)[] = [];

  accepted(count: number): void {
    this.#hasAccepted ||= count > 0;
    for (let step = 0; step < Math.min(count, lastEvents); step += 1) this.#recent.push(undefined);
    if (this.#recent.length > lastEvents) this.#recent = this.#recent.slice(-lastEvents);
  }

  /**
   * True when this refusal makes it systematic; such a one is not remembered, so that it may be asked again. `isFinal`: asking again is
   * forbidden, so that it takes many.
   */
  refused(
    uid: string,
    code: string,
    { cause, isFinal = false }: { readonly cause?: string | undefined; readonly isFinal?: boolean | undefined } = {},
  ): boolean {
    if (this.#recent.length >= lastEvents) this.#recent = this.#recent.slice(1 - lastEvents);
    if (!this.#forgiven.has(code) && this.#isSystematic({ uid, code, cause }, isFinal)) return true;
    this.#recent.push({ uid, code, cause });
    return false;
  }

  #isSystematic({ uid, code, cause }: Refused, isFinal: boolean): boolean {
    const sameCode = this.#recent.filter((event) => event?.code === code);
    const sameCause = sameCode.filter((event) => event?.cause === cause);
    if (this.#isMany(sameCause, uid, share) || this.#isMany(sameCode, uid, shareOfCode)) return true;
    const isAll = !this.#hasAccepted && sameCode.length === this.#recent.length;
    return !isFinal && isAll && countWith(sameCode, uid) >= fewestAtFirst;
  }

  #isMany(same: readonly (Refused | undefined)[], uid: string, above: number): boolean {
    const count = countWith(same, uid);
    return count >= fewest && count > (this.#recent.length + 1) * above;
  }

  /** An operator wants the refusals of this code as dead letters, until the process ends. */
  forgive(code: string): void {
    this.#forgiven.add(code);
  }

  /** The cause is gone: what was refused no longer counts. */
  clear(): void {
    this.#recent = [];
  }
}

/** Different events, the one with this uid included. */
function countWith(refused: readonly (Refused | undefined)[], uid: string): number {
  return new Set(refused.map((event) => event?.uid)).add(uid).size;
}
