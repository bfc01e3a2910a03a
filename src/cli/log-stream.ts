// Where the log goes: standard error, which ends where whoever reads it goes away, and has no room on a full disk. Neither ends the daemon.

import { fstatSync, writeSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { LogLoss } from '../base/log.ts';
import { iso } from '../base/quantity.ts';

/** Of lines that nobody takes from the pipe; more would grow without end. */
const mostWaitingBytes = 2 ** 20;

/** What of a stream is needed. */
interface Out {
  readonly fd: number;
  readonly destroyed: boolean;
  readonly writableLength: number;
  write(text: string): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Lines that cannot be written are lost, counted, and told of as soon as one can be again. */
export class LogStream {
  readonly #out: Out;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #isFile: boolean;
  readonly #writeSync: typeof writeSync;
  #loss: LogLoss | undefined;
  #reason = 'nobody reads it';

  constructor(out: Out, clock: Pick<Clock, 'now'>, write = writeSync) {
    this.#out = out;
    this.#clock = clock;
    this.#writeSync = write;
    this.#isFile = fstatSync(out.fd).isFile();
    out.on('error', (error) => {
      this.#reason = error.message;
      this.#lose();
    });
  }

  /** What is lost at the moment; undefined while every line is written. */
  get loss(): LogLoss | undefined {
    return this.#loss;
  }

  write(line: string): void {
    const told = this.#loss === undefined ? line : `\n${this.#lossLine(this.#loss)}${line}`;
    const isWritten = this.#isFile ? this.#writeToFile(told) : this.#writeToStream(told);
    if (isWritten) this.#loss = undefined;
    else this.#lose();
  }

  /** A stream of Node ends with its first error, and a disk may have room again. */
  #writeToFile(text: string): boolean {
    try {
      const bytes = Buffer.from(text);
      return this.#writeSync(this.#out.fd, bytes) === bytes.length;
    } catch (error) {
      this.#reason = (error as Error).message;
      return false;
    }
  }

  #writeToStream(text: string): boolean {
    if (this.#out.destroyed || this.#out.writableLength > mostWaitingBytes) return false;
    this.#out.write(text);
    return true;
  }

  #lose(): void {
    const { since, lines } = this.#loss ?? { since: this.#clock.now(), lines: 0 };
    this.#loss = { since, lines: lines + 1, reason: this.#reason };
  }

  #lossLine({ since, lines, reason }: LogLoss): string {
    const [time, from] = [this.#clock.now(), since].map((at) => iso(at));
    return `${JSON.stringify({ level: 40, time, since: from, lines, reason, msg: 'lines of the log could not be written and are lost' })}\n`;
  }
}
