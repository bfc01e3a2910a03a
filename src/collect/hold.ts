// A hold: free -> held (a person must act) -> probing every 15 s, doubling to 5 min -> free. Durable, so that commands show it.
import type { PenstockError } from '../base/errors.ts';
import type { HoldNote } from '../journal/journal.ts';
import type { SourceContext } from './context.ts';

const firstProbeMs = 15_000;
const slowestProbeMs = 300_000;

/** The hold of one source. */
export interface Hold {
  readonly note: HoldNote | undefined;
  /** Reads what an earlier process held; then the first poll is a probe. */
  restore(): Promise<void>;
  /** Begins or confirms a hold; returns when to probe, in milliseconds. Says so loudly once, then quietly. */
  begin(error: PenstockError): Promise<number>;
  /** Ends it, if there is one. */
  end(): Promise<void>;
}

/** A hold that is free. */
export function createHold({ settings, deps, log }: SourceContext): Hold {
  let note: HoldNote | undefined;
  let probeMs = firstProbeMs;
  let isWritten = false;
  return {
    get note() {
      return note;
    },
    async restore() {
      const holds = await deps.journal.holds();
      note = holds.find(({ kind, name }) => kind === 'source' && name === settings.name)?.hold;
      isWritten = note !== undefined;
    },
    async begin(error) {
      const isNews = note?.reason !== error.message;
      const waitMs = note === undefined ? firstProbeMs : probeMs;
      probeMs = Math.min(slowestProbeMs, waitMs * 2);
      if (isNews) {
        note = { since: note?.since ?? deps.seams.clock.now(), reason: error.message, fix: error.fix };
        log.error({ err: error }, 'source on hold: it waits for a person, nothing is lost');
        isWritten = false;
      } else {
        log.debug({ err: error, probeMs: waitMs }, 'still on hold');
      }
      if (!isWritten) await deps.journal.setHold('source', settings.name, note ?? null);
      isWritten = true;
      return waitMs;
    },
    async end() {
      const ended = note;
      if (ended === undefined) return;
      await deps.journal.setHold('source', settings.name, null);
      // Each page that is answered ends it, and so does the poll behind them.
      if (note !== ended) return;
      const heldMs = deps.seams.clock.now() - ended.since;
      note = undefined;
      probeMs = firstProbeMs;
      log.info({ heldMs }, 'hold ended, collection goes on');
    },
  };
}
