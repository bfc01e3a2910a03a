// What became of a source's records at its sinks, as far as the journal can say it of each.
import { compileActionFilter } from '../../event/action-key.ts';
import { zeroTotals } from '../../journal/counts.ts';
import type { Discard, Journal, Lane } from '../../journal/journal.ts';
import type { RunningSink, RunningSource } from '../../runtime/runtime.ts';

export type SourceSettings = RunningSource['settings'];
export type SinkSettings = RunningSink['settings'];

/** OCSF captions to severity_id, as far as tables use them. */
const severityIds: Readonly<Record<string, number>> = { Informational: 1, Low: 2, Medium: 3, High: 4, Critical: 5, Fatal: 6 };
const letterPage = 1000;
const readLimit = 2000;

async function lettersOf(
  journal: Journal,
  sink: string,
  source: string,
  range: { from: number; to: number },
): Promise<Set<string>> {
  const uids = new Set<string>();
  for (let after: number | undefined; ; ) {
    const letters = await journal.deadLetters({ sink, source, ...range }, letterPage, after);
    // An event that had been settled before its replay was refused counts as what it was then, as in the ledger.
    for (const { record, replayed } of letters) if (replayed !== true) uids.add(record.uid);
    after = letters.at(-1)?.id;
    if (letters.length < letterPage) return uids;
  }
}

async function pendingOf(journal: Journal, sink: string, source: string): Promise<Set<string>> {
  const uids = new Set<string>();
  const lanes = (await journal.lanes(sink)).filter(({ lane }) => lane.source === source && lane.kind !== 'replay');
  for (const { lane, offset } of lanes) {
    for await (const uid of unsettled(journal, sink, lane, offset)) uids.add(uid);
  }
  return uids;
}

async function* unsettled(
  journal: Journal,
  sink: string,
  lane: Lane,
  from: Parameters<Journal['read']>[2],
): AsyncGenerator<string> {
  for (let after = from; ; ) {
    const pages = await journal.read(sink, lane, after, readLimit);
    for (const { records } of pages) for (const { uid } of records) yield uid;
    const last = pages.at(-1)?.positions.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

/** True when a sink takes records of this action, as far as its action filters say. */
function takes({ filter }: SinkSettings, source: SourceSettings): (key: string | undefined) => boolean {
  const takesAction = compileActionFilter(filter);
  const severe = filter.min_severity;
  const severities = new Map(source.connector.actions.map(({ key, severity }) => [key, severityIds[severity] ?? 0]));
  return (key) => {
    if (key === undefined) return true;
    return takesAction(key) && (severe === undefined || (severities.get(key) ?? severe) >= severe);
  };
}

/** What the journal says of a sink and the records of a source. */
export interface SinkView {
  readonly name: string;
  readonly takes: (key: string | undefined) => boolean;
  readonly pending: ReadonlySet<string>;
  readonly letters: ReadonlySet<string>;
  readonly discarded: ReadonlySet<string>;
  /** Since when it is there, milliseconds, where it was not given everything of the source. */
  readonly since: number | undefined;
  /** Of all time, by the ledger. */
  readonly notRouted: number;
  /** What was skipped, abandoned or discarded without a word of which, of all time. */
  readonly givenUp: number;
}

interface Viewed {
  readonly journal: Journal;
  readonly source: SourceSettings;
  readonly sinks: readonly SinkSettings[];
  readonly from: number;
  readonly to: number;
}

/** The sinks that take a source, each with what became of its records. */
export async function viewSinks({ journal, source, sinks, from, to }: Viewed): Promise<SinkView[]> {
  const routed = sinks.filter(({ sources }) => sources?.includes(source.name) !== false);
  const [{ rows }, { discards }, starts] = await Promise.all([journal.ledger(), journal.givenUp(), journal.sinkStarts()]);
  return await Promise.all(
    routed.map(async (sink) => {
      const { name } = sink;
      const totals = rows.find((row) => row.source === source.name && row.sink === name)?.totals ?? zeroTotals();
      const discarded = discardedOf(discards, name, source.name);
      return {
        name,
        takes: takes(sink, source),
        pending: await pendingOf(journal, name, source.name),
        letters: await lettersOf(journal, name, source.name, { from, to }),
        discarded,
        since: starts.find((start) => start.sink === name && start.source === source.name)?.at,
        notRouted: totals.not_routed,
        givenUp: totals.skipped + totals.abandoned + Math.max(0, totals.discarded - discarded.size),
      };
    }),
  );
}

/** Ids of events whose letters were discarded; one that had been settled before its replay was refused counts as what it was then. */
function discardedOf(discards: readonly Discard[], sink: string, source: string): Set<string> {
  const own = discards.filter((one) => one.sink === sink && one.source === source);
  return new Set(own.flatMap(({ letters }) => letters.flatMap(({ uid, replayed }) => (replayed === true ? [] : [uid]))));
}
