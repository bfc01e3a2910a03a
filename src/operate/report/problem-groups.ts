// Problems as a person reads them: one rule for the status, its JSON and the page.
import { listed } from '../../base/quantity.ts';
import type { Problem } from './journal-status.ts';

/** One problem, or what many sources or sinks say alike. */
export interface ProblemGroup extends Problem {
  /** Stays the same while only names, numbers and times change. */
  readonly key: string;
  /** Of what has a name; absent where the problem is of the whole. */
  readonly kind?: 'source' | 'sink';
  /** Of the sources or sinks that say it. */
  readonly names: readonly string[];
}

/** What keeps everything from working stands before what keeps one thing from it. */
const places = ['daemon', 'journal', 'disk', 'replicas', 'configuration', 'ledger', 'sink', 'source', 'job'];

const mostNamed = 3;

function rankOf({ level, where }: Problem): number {
  const place = places.indexOf(where.split(' ')[0] ?? '');
  return (level === 'error' ? 0 : 100) + (place === -1 ? places.length : place);
}

/** The name where it stands as a word of its own: a source may be called "a". */
const asWord = (name: string): RegExp => new RegExp(`(?<![\\w-])${name.replaceAll(/\W/g, String.raw`\$&`)}(?![\\w-])`, 'g');

/** A text without what differs where many say the same: names, numbers, times and sizes. */
const general = (text: string): string =>
  text
    .replaceAll(/(?:\d+(?:\.\d+)?(?: ?(?:ms|[dhms]|[KMGT]?i?B)\b)? ?)+/g, '#')
    // One event waits, two wait.
    .replaceAll(/#(?:[a-z]+ ?){1,3}/g, (words) => words.replaceAll(/s\b/g, ''));

function placeOf(kind: string, names: readonly string[]): string {
  return `${names.length} ${kind}s: ${listed(names, mostNamed)}`;
}

interface Gathered {
  readonly first: Problem;
  readonly key: string;
  readonly kind: ProblemGroup['kind'];
  readonly names: string[];
}

/** Two of the journal or of jobs are never one: they differ in nothing but their numbers. */
function gather(problems: readonly Problem[]): Gathered[] {
  const groups = new Map<string, Gathered>();
  for (const problem of problems.toSorted((one, other) => rankOf(one) - rankOf(other))) {
    const { level, where, what, fix = '' } = problem;
    const [, kind, name] = (/^(source|sink) (.+)$/.exec(where) ?? []) as [string?, ProblemGroup['kind']?, string?];
    const nameless = (text: string): string => general(name === undefined ? text : text.replaceAll(asWord(name), '*'));
    const key = [level, kind ?? where, nameless(what), nameless(fix)].join('\n');
    const alike = name === undefined ? [key, what, fix].join('\n') : key;
    const group = groups.get(alike) ?? { first: problem, key, kind, names: [] };
    if (name !== undefined) group.names.push(name);
    groups.set(alike, group);
  }
  return [...groups.values()];
}

/** With several names, a command to type is one for each of them. */
function groupOf({ first, key, kind, names }: Gathered): ProblemGroup {
  if (kind === undefined) return { ...first, key, names };
  const [name = ''] = names;
  if (names.length < 2) return { ...first, key, kind, names };
  const fix = first.fix?.replaceAll(asWord(name), 'NAME');
  return { ...first, where: placeOf(kind, names), ...(fix !== undefined && { fix }), key, kind, names };
}

/** What a full disk, say, makes of sources is told with it: the same has to be done about both. */
function underTheirCause(groups: readonly ProblemGroup[]): ProblemGroup[] {
  const isCauseOf = (cause: ProblemGroup, { kind, fix, level }: ProblemGroup): boolean =>
    kind !== undefined && cause.kind === undefined && fix !== undefined && cause.fix === fix && cause.level === level;
  return groups
    .filter((group) => !groups.some((cause) => isCauseOf(cause, group)))
    .map((cause) => {
      const told = groups.filter((group) => isCauseOf(cause, group)).map(({ where, what }) => `. ${where}: ${what}`);
      return told.length === 0 ? cause : { ...cause, what: `${cause.what}${told.join('')}` };
    });
}

/** Errors first, as one what many sources or sinks say alike, and with their cause what only follows from it. */
export function groupProblems(problems: readonly Problem[]): ProblemGroup[] {
  const seen = new Map<string, number>();
  return underTheirCause(gather(problems).map(groupOf)).map((group) => {
    const before = seen.get(group.key) ?? 0;
    seen.set(group.key, before + 1);
    return before === 0 ? group : { ...group, key: `${group.key}\n${before + 1}` };
  });
}

/** A status as it is told to whoever asks. */
export const withGroups = <T extends { readonly problems: readonly Problem[] }>(
  report: T,
): T & { readonly problem_groups: readonly ProblemGroup[] } => ({ ...report, problem_groups: groupProblems(report.problems) });
