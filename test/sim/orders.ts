// What operators do: jobs and other orders for a process that lives, and changes of the journal while none does.
import { PenstockError } from '../../src/base/errors.ts';
import { isObject, type Json } from '../../src/base/json.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { checkpointAt } from '../../src/collect/index.ts';
import { openJournal } from '../../src/journal/index.ts';
import type { Life } from './life.ts';
import { watchFiles } from './power.ts';
import { type Feed, settingsOf } from './runtime.ts';
import { hour, type JobPlan, type OfflinePlan, type Scenario } from './scenario.ts';
import type { SimTime } from './time.ts';
import { fileEnd, fileName } from './vendors.ts';
import type { Witness } from './witness.ts';

/** Something that an operator asks of a process. */
export interface Order {
  readonly at: number;
  readonly name: string;
  /** Rejects where the process does not take it, which costs no event. */
  give(life: Life): Promise<unknown>;
}

type Span = { readonly from: number; readonly to: number };

/** The orders of a history; `startMs` is the true time at which it began. */
export function ordersOf({ replays, jobs }: Scenario, startMs: number): Order[] {
  const span = ({ from, to }: Span): Span => ({ from: startMs + from, to: startMs + to });
  const job = (at: number, kind: string, args: Json): Order => ({
    at,
    name: kind,
    give: (life) => life.journal?.insertJob(kind, args) ?? Promise.resolve(),
  });
  const orderOf = (plan: JobPlan): Order => {
    const { at } = plan;
    switch (plan.kind) {
      case 'backfill':
      case 'verify':
        return job(at, plan.kind, { source: plan.source, ...span(plan) });
      case 'retry_dead_letters':
        return job(at, 'retry_dead_letters', { sink: plan.sink });
      case 'release':
        return job(at, 'release', { kind: plan.of, name: plan.name });
      case 'import':
        return job(at, 'import', { source: plan.source, files: [`/imported/${fileName(fileEnd(startMs + plan.shown))}`] });
      case 'discard':
        return { at, name: 'discard', give: async (life) => life.journal?.discardDeadLetters({ sink: plan.sink }) };
      case 'cancel':
        return { at, name: 'cancel', give: ({ journal }) => cancelJobs(journal, plan.sink) };
      default:
        return { at, name: 'reload', give: (life) => life.reload(plan.name, plan.value) };
    }
  };
  return [...replays.map((replay) => job(replay.at, 'replay', { sink: replay.sink, ...span(replay) })), ...jobs.map(orderOf)];
}

async function cancelJobs(journal: Life['journal'], sink: string): Promise<void> {
  const waiting = (await journal?.jobs({ states: ['queued', 'running'] })) ?? [];
  for (const { id, args } of waiting) if (isObject(args) && args['sink'] === sink) await journal?.cancelJob(id);
}

/** Does what an operator does between two lives, as the command does it: alone with the journal. */
export async function changeOffline(
  plans: readonly OfflinePlan[],
  dir: string,
  { maxBytes }: Scenario,
  { time, feeds, witness }: { readonly time: SimTime; readonly feeds: readonly Feed[]; readonly witness: Witness },
): Promise<void> {
  const clock = time.process();
  const seams = { clock, random: seededRandom(1), files: watchFiles() };
  const engine = { kind: 'sqlite', dataDir: dir } as const;
  try {
    await using journal = await openJournal({ engine, maxBytes, keepMs: 6 * hour, seams, log: silentLog(), lockWaitMs: 0 });
    for (const plan of plans) {
      if (plan.kind === 'rename') {
        // The simulated world knows one name: away and back is twice the work for the journal.
        const rename = (from: string, to: string): Promise<void> =>
          plan.of === 'source' ? journal.renameSource(from, to) : journal.renameSink(from, to);
        await rename(plan.name, `${plan.name}-moved`);
        await rename(`${plan.name}-moved`, plan.name);
        continue;
      }
      const feed = feeds.find((one) => one.plan.name === plan.source);
      const live = (await journal.checkpoint(plan.source, 'live')) as { readonly start: number } | null | undefined;
      if (feed === undefined || live === undefined || live === null) continue;
      const fresh = checkpointAt(settingsOf(feed), live.start);
      await journal.resetSource(plan.source, fresh);
      await journal.setHold('source', plan.source, null);
      witness.onReset(plan.source, fresh);
    }
  } catch (error) {
    // An earlier life may have ended before the journal knew the name.
    if (!(error instanceof PenstockError && error.code === 'PEN_NOT_FOUND'))
      witness.problem(`a change of the journal failed: ${String(error)}`);
  } finally {
    clock.kill();
  }
}
