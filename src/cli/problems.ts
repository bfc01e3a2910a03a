import type { Problem } from '../operate/report/status.ts';

/** What keeps everything from working stands before what keeps one thing from it. */
const places = ['daemon', 'journal', 'disk', 'replicas', 'configuration', 'ledger', 'sink', 'source', 'job'];

const mostNamed = 3;

function rankOf({ level, where }: Problem): number {
  const place = places.indexOf(where.split(' ')[0] ?? '');
  return (level === 'error' ? 0 : 100) + (place === -1 ? places.length : place);
}

/** A text without what differs where many say the same: their names, numbers, times and sizes. */
const general = (text: string, name: string): string =>
  text.replaceAll(name, '*').replaceAll(/(?:\d+(?:\.\d+)?(?: ?(?:ms|[dhms]|[KMGT]?i?B)\b)? ?)+/g, '#');

function placeOf(kind: string, names: readonly string[]): string {
  const [name] = names;
  if (names.length < 2) return `${kind} ${name}`;
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `${names.length} ${kind}s: ${names.slice(0, mostNamed).join(', ')}${more}`;
}

/** Problems as a person reads them: errors first, and as one what many sources or sinks say alike. */
export function readProblems(problems: readonly Problem[]): readonly Problem[] {
  const groups = new Map<string, { readonly first: Problem; readonly kind?: string; readonly names: string[] }>();
  for (const problem of problems.toSorted((one, other) => rankOf(one) - rankOf(other))) {
    const { level, where, what, fix = '' } = problem;
    const [, kind, name] = /^(source|sink) (.+)$/.exec(where) ?? [];
    const isNamed = kind !== undefined && name !== undefined;
    const key = JSON.stringify(isNamed ? [level, kind, general(what, name), general(fix, name)] : [level, where, what, fix]);
    const group = groups.get(key) ?? { first: problem, ...(isNamed && { kind }), names: [] };
    if (isNamed) group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ first, kind, names }) =>
    kind === undefined ? first : { ...first, where: placeOf(kind, names) },
  );
}
