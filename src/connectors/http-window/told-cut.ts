// What says that an answer does not hold everything, though no page follows it.
import { isObject } from '../../base/json.ts';
import { compilePath, compileSteps, parsePath } from '../../event/index.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { foldedName } from './lists-elsewhere.ts';
import { answerOf } from './reply.ts';

interface LastAnswer {
  readonly status?: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Records of the pages before. */
  readonly before: number;
}

// Names in lower case, letters only.
const cutWords = new RegExp(
  [
    '^(?:(?:is|results?|response)?truncated|(?:is)?incomplete(?:results)?|(?:is)?partial(?:results?)?|timedout',
    '(?:limit|max(?:results)?)(?:reached|exceeded|hit)|(?:has)?more(?:available|results|records|data|items|pages)?|hasnext(?:page)?)$',
  ].join('|'),
);
const nextWords = /^(?:odata)?next(?:page)?(?:token|cursor|link|url)?$/;
const none: ReadonlySet<string> = new Set();
const yes = new Set(['true', 'yes', '1']);

/**
 * Compiles what is looked for in a last answer: 206 and 207 that do not name its end, `read.page.more`, and members that say it by custom, at
 * the top, one level below it and beside the records. The place of the next page under another spelling is one of them; where `page.kind` is
 * `none` and nothing says that it is whole, so is any place of a next page.
 */
export function compileToldCut(spec: HttpWindowSpec): (reply: unknown, answer: LastAnswer) => string | undefined {
  const { page, statuses = {}, failures = {}, records } = spec;
  const more = page.more === undefined ? undefined : compilePath(page.more);
  const lists = [records].flat();
  const looked: Looked = {
    known: new Set([...lists, ...Object.keys(failures), ...[page.more ?? []].flat()]),
    lists,
    isOpen: page.kind === 'none' && page.whole !== true,
    misspelt: none,
  };
  const places = [page.token ?? page.link ?? []].flat();
  const isNamed = places.map((path) => compileSteps(parsePath(path) ?? []));
  const misspelt = new Set(places.map(foldedName));
  return (reply, { status = 200, headers, before }) => {
    if ((status === 206 || status === 207) && statuses[status] === undefined && !endsIn(headers, before))
      return `its status is ${status}`;
    const saysMore = more === undefined ? undefined : answerOf(more(reply));
    if (saysMore === true) return 'it says that there is more, and not where';
    // Where the reply is the record, or holds nothing else, its members are the vendor's.
    if (!isObject(reply) || lists.includes('$')) return undefined;
    const mayBeMisspelt = saysMore === undefined && isNamed.every((read) => read(reply) === undefined);
    const found = memberOf(reply, '', mayBeMisspelt ? { ...looked, misspelt } : looked);
    return found === undefined ? undefined : `its member ${found} says so`;
  };
}

/** True for `Content-Range: items 75-94/95` of a page behind 75 others. */
function endsIn(headers: LastAnswer['headers'], before: number): boolean {
  const [, first, last, total] = /(\d+)-(\d+)\/(\d+)\s*$/.exec(headers['content-range'] ?? '') ?? [];
  return total !== undefined && Number(last) + 1 >= Number(total) && Number(first) <= before;
}

interface Looked {
  /** Paths of members that the connector explains. */
  readonly known: ReadonlySet<string>;
  readonly lists: readonly string[];
  /** True where the place of a next page says that there is one. */
  readonly isOpen: boolean;
  /** Where the connector looks for the next page, and the reply has nothing: under another spelling it says where that is. */
  readonly misspelt: ReadonlySet<string>;
}

function memberOf(members: Record<string, unknown>, prefix: string, looked: Looked): string | undefined {
  for (const [name, value] of Object.entries(members)) {
    const path = `${prefix}${name}`;
    if (looked.known.has(path)) continue;
    const word = name.toLowerCase().replaceAll(/[^a-z]/g, '');
    if (cutWords.test(word) && yes.has(String(value).toLowerCase())) return path;
    if (looked.misspelt.has(foldedName(path)) && typeof value === 'string' && value !== '') return path;
    if (looked.isOpen && nextWords.test(word) && typeof value === 'string' && value !== '') return path;
  }
  for (const [name, value] of Object.entries(members)) {
    const path = `${prefix}${name}`;
    const leadsToList = looked.lists.some((list) => list.startsWith(`${path}.`));
    if (!isObject(value) || looked.known.has(path) || (prefix !== '' && !leadsToList)) continue;
    const found = memberOf(value, `${path}.`, looked);
    if (found !== undefined) return found;
  }
  return undefined;
}
