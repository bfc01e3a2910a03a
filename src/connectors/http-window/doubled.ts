// Members of a reply that come twice: the list of records, and what says how the walk goes on.
import { any, type Doubled, doubledMembers, type KeyPath } from '../../base/doubled-members.ts';
import { PenstockError } from '../../base/errors.ts';
import { shortened } from '../../base/foreign.ts';
import { parsePath } from '../../event/index.ts';
import type { HttpWindowSpec } from '../read-section.ts';

/** Gives the text of a reply with each member once, as far as the connector reads it. */
export type Settle = (text: string) => string;

type Read = Pick<HttpWindowSpec, 'records' | 'records_are' | 'page' | 'failures' | 'columns'>;

/**
 * Compiles what becomes of members that come twice. Equal ones and null are one; of several lists of records all are taken. Throws
 * PEN_SOURCE_BAD_REPLY for two values of anything else: records would be lost, or a page, whichever of them was believed.
 */
export function compileSettle({ records, records_are: form, page, failures = {}, columns }: Read): Settle {
  const lists = [records].flat().map(keysOf);
  const named = typeof columns === 'string' ? columns : undefined;
  const others = [page.total, page.more, page.token, page.link, named, ...Object.keys(failures)]
    .flat()
    .flatMap((path) => (path === undefined ? [] : [keysOf(path)]));
  const entries = form === 'map' ? lists.map((path): KeyPath => [...path, any]) : [];
  const paths = [...lists, ...others, ...entries].filter((path) => path.length > 0);
  const isList = (path: readonly string[]): boolean => lists.some((list) => list.join('\n') === path.join('\n'));
  if (paths.length === 0) return (text) => text;
  return (text) => {
    const doubled = doubledMembers(text, paths);
    if (doubled.length === 0) return text;
    const edits = doubled.flatMap((one) => settled(text, one, isList(one.path)) ?? []).toSorted((a, b) => a.start - b.start);
    const ends = [0, ...edits.map(({ end }) => end)];
    return edits.map(({ start, by }, index) => text.slice(ends[index], start) + by).join('') + text.slice(ends.at(-1));
  };
}

/** The keys before the first step that leads into a list. */
function keysOf(path: string): KeyPath {
  const steps = parsePath(path) ?? [];
  const end = steps.findIndex((step) => typeof step !== 'string');
  return (end === -1 ? steps : steps.slice(0, end)).map(String);
}

/** What takes the place of the last value, which is the one that counts; undefined where it may stay. */
function settled(
  text: string,
  { path, spans }: Doubled,
  isList: boolean,
): { readonly start: number; readonly end: number; readonly by: string } | undefined {
  const values = spans.map(({ start, end }) => text.slice(start, end).trim());
  const different = [...new Set(values.filter((value) => value !== 'null'))];
  const last = spans.at(-1) ?? { start: 0, end: 0 };
  const [only] = different;
  if (only === undefined) return undefined;
  if (different.length === 1) return values.at(-1) === only ? undefined : { ...last, by: only };
  if (isList && different.every((value) => value.startsWith('[') && value.endsWith(']'))) {
    const parts = different.map((value) => value.slice(1, -1).trim()).filter((part) => part !== '');
    return { ...last, by: `[${parts.join(',')}]` };
  }
  throw new PenstockError(
    'PEN_SOURCE_BAD_REPLY',
    `the reply has "${shortened(path.join('.'), 'a name')}" twice, with different values`,
    { fix: 'ask the vendor which of them counts; nothing is lost meanwhile, the poll is repeated' },
  );
}
