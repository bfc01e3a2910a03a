// What an auditor reads of what people gave up: which letters, when, and by what filter.
import { counted, iso } from '../../base/quantity.ts';
import type { Discard, DiscardedLetter, Forgotten, GivenUp, LetterFilter } from '../../journal/journal.ts';

/** One discard of letters of a sink and source, with how many and from when they are; times are milliseconds since the epoch. */
interface DiscardSummary extends Omit<Discard, 'letters'> {
  readonly letters: number;
  /** Event times. */
  readonly from: number;
  readonly to: number;
  readonly codes: readonly string[];
}

/** What `penstock ledger --json` says of it; field names are stable. */
interface GivenUpReport {
  readonly discarded: readonly DiscardSummary[];
  readonly forgotten: readonly Forgotten[];
}

/** Sums up each discard, also one that is noted down in parts. */
export function summarise({ discards, forgotten }: GivenUp): GivenUpReport {
  const parts = Map.groupBy(discards, ({ at, sink, source, filter }) => JSON.stringify([at, sink, source, filter]));
  const discarded = [...parts.values()].flatMap((same) => {
    const [first] = same;
    return first === undefined
      ? []
      : [
          summaryOf(
            first,
            same.flatMap(({ letters }) => letters),
          ),
        ];
  });
  return { discarded, forgotten };
}

function summaryOf({ letters: _letters, ...discard }: Discard, letters: readonly DiscardedLetter[]): DiscardSummary {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { eventTime } of letters) [from, to] = [Math.min(from, eventTime), Math.max(to, eventTime)];
  return { ...discard, letters: letters.length, from, to, codes: [...new Set(letters.map(({ code }) => code))].toSorted() };
}

/** A discarded letter with when and by what it went. */
interface Discarded extends DiscardedLetter, Pick<Discard, 'sink' | 'source'> {
  readonly discardedAt: number;
  readonly filter: LetterFilter;
}

/** Those of the discarded letters that a filter is about, oldest discard first. */
export function discardedLetters({ discards }: GivenUp, filter: LetterFilter): Discarded[] {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, ids } = filter;
  const isMeant = (one: Discarded): boolean =>
    (['sink', 'source', 'code', 'action'] as const).every((name) => filter[name] === undefined || filter[name] === one[name]) &&
    ids?.includes(one.id) !== false &&
    one.eventTime >= from &&
    one.eventTime <= to;
  return discards.flatMap(({ letters, at, ...of }) =>
    letters.map((letter): Discarded => ({ ...letter, ...of, discardedAt: at })).filter(isMeant),
  );
}

/** A filter as it was asked for on the command line. */
function wordsOf({ from, to, ids, uids: _uids, ...names }: LetterFilter): string {
  const parts = [
    ...Object.entries(names).map(([name, value]) => `--${name} ${value}`),
    ...(from === undefined ? [] : [`--from ${iso(from)}`]),
    ...(to === undefined ? [] : [`--to ${iso(to)}`]),
    ...(ids === undefined ? [] : [ids.length > 20 ? `--id (${ids.length} ids)` : `--id ${ids.join(' ')}`]),
  ];
  return parts.length === 0 ? 'without a filter' : `by ${parts.join(' ')}`;
}

/** A line for each discard, and each sink and source that was forgotten. */
export function givenUpLines({ discarded, forgotten }: GivenUpReport): string[] {
  return [
    ...discarded.map(
      ({ at, sink, source, letters, from, to, codes, filter }) =>
        `${iso(at)}: ${counted(letters, 'dead letter')} of ${source} at ${sink} ${letters === 1 ? 'was' : 'were'} discarded, ${wordsOf(filter)}; codes ${codes.join(', ')}, event times ${iso(from)} to ${iso(to)}`,
    ),
    ...forgotten.map(
      ({ at, sink, source, abandoned, discarded: letters }) =>
        `${iso(at)}: ${source === undefined ? `sink ${sink}` : `source ${source}`} was forgotten, with ${counted(abandoned, 'event')} not delivered and ${counted(letters, 'dead letter')}`,
    ),
  ];
}
