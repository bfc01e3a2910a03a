import type { Log } from './log.ts';

type Level = 'debug' | 'warn' | 'error';

interface OutageWords {
  /** What fails, and what happens until it works again. */
  readonly begins: string;
  readonly ends: string;
}

/** Work that is tried again and again: says once that it fails, however often it is tried meanwhile, and once that it works again. */
export class Outage {
  readonly #log: Log;
  readonly #words: OutageWords;
  #said: Level | undefined;

  constructor(log: Log, words: OutageWords) {
    this.#log = log;
    this.#words = words;
  }

  /** The work failed. `error` where a person must act: that is said also of what only seemed to pass by itself until now. */
  failed(error: unknown, level: Level = 'warn'): void {
    const isNews = this.#said === undefined || (level === 'error' && this.#said !== 'error');
    this.#log[isNews ? level : 'debug']({ err: error }, this.#words.begins);
    if (isNews) this.#said = level;
  }

  /** The work was done. */
  worked(): void {
    if (this.#said !== undefined && this.#said !== 'debug') this.#log.info(this.#words.ends);
    this.#said = undefined;
  }
}
