const lastEvents = 200;
const fewest = 20;
const fewestAtFirst = 3;
const share = 0.1;

/**
 * Distinguishes a wrong configuration from bad data: of the last 200 events, 20 or more different ones and over 10 % refused with one code are
 * systematic; so are three different ones when nothing was ever taken and all had that code.
 */
export class RefusalRate {
  readonly #forgiven = new Set<string>();
  #hasAccepted = false;
  #recent: ({ readonly uid: string; readonly code: string } | undefined)[] = [];

  accepted(count: number): void {
    this.#hasAccepted ||= count > 0;
    for (let step = 0; step < Math.min(count, lastEvents); step += 1) this.#recent.push(undefined);
    if (this.#recent.length > lastEvents) this.#recent = this.#recent.slice(-lastEvents);
  }

  /** True when this refusal makes it systematic; such a one is not remembered, so that it may be asked again. */
  refused(uid: string, code: string): boolean {
    if (this.#recent.length >= lastEvents) this.#recent = this.#recent.slice(1 - lastEvents);
    const same = new Set(this.#recent.filter((event) => event?.code === code).map((event) => event?.uid)).add(uid);
    if (!this.#forgiven.has(code) && same.size >= fewest && same.size > (this.#recent.length + 1) * share) return true;
    if (!this.#forgiven.has(code) && same.size >= fewestAtFirst && this.#isAll(code)) return true;
    this.#recent.push({ uid, code });
    return false;
  }

  #isAll(code: string): boolean {
    return !this.#hasAccepted && this.#recent.every((event) => event?.code === code);
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
