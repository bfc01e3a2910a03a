import { sleep } from '../base/clock.ts';
import type { RecordFacts } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import { compileActionFilter } from '../event/action-key.ts';
import { zeroCounts } from '../journal/counts.ts';
import { Health } from './health.ts';
import { memoryOf, type SourceMemory } from './memory/source-memory.ts';
import type { SourceEnvironment } from './source.ts';

/** What the live loop and the jobs of one source share. Each of them has a context of its own; the memory is one. */
export interface SourceContext extends SourceEnvironment {
  readonly settings: SourceSettings;
  readonly memory: SourceMemory;
  readonly health: Health;
  readonly state: SourceState;
  readonly counts: ReturnType<typeof zeroCounts>;
  /** True for an action that the source's filter lets pass. */
  readonly takesAction: (action: string | undefined) => boolean;
}

/** What a loop is at; times are milliseconds since the epoch. */
interface SourceState {
  phase: 'starting' | 'idle' | 'polling' | 'waiting_for_room' | 'stopped';
  /** When this process began to watch the source, on the monotonic clock. */
  readonly since: number;
  cursor: number | undefined;
  /** Failed attempts in a row of a job; what fails of the live loop is its health. */
  failures: number;
  lastPoll: number | undefined;
}

/** Stops work in two steps: `soft` between requests, `hard` in the middle of one. */
export interface Halt {
  readonly soft: AbortSignal;
  readonly hard: AbortSignal;
}

/** Puts together what a loop or a job of the source works with. */
export function openContext(settings: SourceSettings, environment: SourceEnvironment): SourceContext {
  return {
    ...environment,
    settings,
    memory: memoryOf(environment.journal, settings.name),
    health: new Health(settings.name, environment),
    state: { phase: 'starting', since: environment.seams.clock.monotonic(), cursor: undefined, failures: 0, lastPoll: undefined },
    counts: zeroCounts(),
    takesAction: compileActionFilter(settings.filter),
  };
}

/** True for a record that the source's filter keeps out. What cannot be read cannot be judged by its action, and every record counts. */
export function isFiltered({ takesAction }: Pick<SourceContext, 'takesAction'>, { actionKey, unreadable }: RecordFacts): boolean {
  return unreadable === undefined && !takesAction(actionKey);
}

/** What time it is for the vendor as far as its Date header said within the last 15 minutes: never ahead of our own clock, unless that is proven wrong. */
export function vendorNow({ memory, seams: { clock } }: Pick<SourceContext, 'memory' | 'seams'>): number {
  return memory.vendorClock.now(clock);
}

/** How long a source waits between two looks, at first and at most: a sink that is away is away for hours, and each look searches for what may go. */
const roomCheckMs = { first: 1_000, most: 10_000 };

/** Resolves when the journal has room; rejects with the signal's reason. */
export async function untilRoom({ journal, seams, state, log }: SourceContext, signal: AbortSignal): Promise<void> {
  if (journal.hasRoom()) return;
  const { phase } = state;
  state.phase = 'waiting_for_room';
  log.warn({ cursor: state.cursor }, 'the journal takes no events now, collection pauses; the vendor keeps them meanwhile');
  for (let ms = roomCheckMs.first; !journal.hasRoom(); ms = Math.min(1.5 * ms, roomCheckMs.most))
    await sleep(seams.clock, ms, signal);
  state.phase = phase;
  log.info('the journal takes events again, collection goes on');
}
