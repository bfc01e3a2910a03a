// A log in parts: a list of organizations, workspaces or the like, each with an address of its own. A window is read in one after the other.
import { hash } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';
import { isObject, type Json, parseJson } from '../../base/json.ts';
import { boundDepth, compilePath } from '../../event/index.ts';
import type { Page, PageRequest, PageState, RawRecord } from '../connector.ts';
import type { GroupsSpec } from '../request-section.ts';
import { placeText, type WholePage } from './paging.ts';

/** A group as its JSON text: thousands of them take a fraction of what they do once they are built. */
interface Group {
  readonly id: string;
  readonly text: string;
}

/** Characters of all groups together, and how many there may be: they stay in memory while a window is read. */
const [mostCharacters, mostGroups] = [32 * 1024 * 1024, 100_000];

interface Asking {
  /** Pages of the list of groups. */
  readonly list: (request: PageRequest, signal: AbortSignal) => Promise<Page>;
  /** A page of one group. */
  readonly page: (request: PageRequest, group: Json, signal: AbortSignal) => Promise<WholePage>;
  /** True for an address at a storage host: its query is a proof, and another one each time. */
  readonly isStored: (link: string) => boolean;
  readonly maxPages: number;
}

/** Where a walk over groups stands: in which of them, where there, and how many records at least those before it lack. */
interface Place {
  readonly id: string;
  readonly state: PageState | null;
  readonly lacking: number;
  /** The largest total that a page of the group told. */
  readonly total?: number;
}

interface Placing {
  readonly total: number | undefined;
  readonly next: Group | undefined;
}

/** Reads windows group by group, in the order of their ids; groups that come or go meanwhile shift nothing. */
export class Groups {
  readonly #spec: GroupsSpec;
  readonly #asking: Asking;
  readonly #idOf: (value: Json) => unknown;
  /** An address that proves itself is another one in each list, and is stored nowhere: what comes before its query tells the file. */
  readonly #isAddress: boolean;
  #known: readonly Group[] | undefined;
  /** True where the list may hold further groups. */
  #mayLack = false;

  constructor(spec: GroupsSpec, asking: Asking) {
    this.#spec = spec;
    this.#asking = asking;
    this.#idOf = compilePath(spec.id);
    this.#isAddress = spec.link !== undefined && [spec.id].flat().join() === [spec.link].flat().join();
  }

  /** A page of the window; each window begins with a fresh list. The addresses of a list may end before they are asked: then there is another list. */
  async page(request: PageRequest, signal: AbortSignal): Promise<WholePage> {
    if (request.state === null) this.#known = undefined;
    if (this.#spec.link === undefined) return this.#page(request, signal);
    try {
      return await this.#page(request, signal);
    } catch (error) {
      if (!mayHaveEnded(error)) throw error;
      this.#known = undefined;
      return this.#page(request, signal);
    }
  }

  async #page(request: PageRequest, signal: AbortSignal): Promise<WholePage> {
    this.#known ??= await this.#listed(request, signal);
    const place = placeOf(request.state);
    const index = place === undefined ? 0 : this.#known.findIndex(({ id }) => id >= place.id);
    const group = this.#known[index];
    if (group === undefined) return { records: [], next: null, ...this.#cut(place?.lacking) };
    // One that is gone leaves no place in another.
    const state = place?.id === group.id ? place.state : null;
    const page = await this.#asking.page({ ...request, state }, parseJson(group.text), signal);
    const total = state === null ? 0 : place?.total;
    return this.#placed(page, group, { state, lacking: place?.lacking ?? 0, total, next: this.#known[index + 1] });
  }

  /** Where the walk goes on that leaves the rest of a group. */
  passed(state: PageState, records: number): { readonly next: PageState | null; readonly lacking: number } {
    const place = placeOf(state);
    const next = this.#known?.find(({ id }) => place !== undefined && id > place.id);
    const read = place?.state?.kind === 'offset' ? (place.state.read ?? 0) : 0;
    const lacking = (place?.lacking ?? 0) + Math.max(records, (place?.total ?? 0) - read);
    return { next: next === undefined ? null : tokenOf({ id: next.id, state: null, lacking }), lacking };
  }

  #placed(page: WholePage, group: Group, at: Pick<Place, 'state' | 'lacking'> & Placing): WholePage {
    const { total: told = 0, mayBeCut, toldCut, next: inner, ...plain } = page;
    const total = Math.max(told, at.total ?? 0);
    const rest = { ...plain, group: group.id };
    const read = (at.state?.kind === 'offset' ? (at.state.read ?? 0) : 0) + page.records.length;
    const unread = at.state === null || at.state.kind === 'offset' ? Math.max(0, total - read) : 0;
    const lacking = at.lacking + (inner === null ? Math.max(unread, mayBeCut !== undefined || toldCut !== undefined ? 1 : 0) : 0);
    const place =
      inner !== null ? { id: group.id, state: inner, lacking, total } : at.next && { id: at.next.id, state: null, lacking };
    const { into } = this.#spec;
    const records = into === undefined ? page.records : page.records.map((raw) => named(raw, into, group.id));
    return place === undefined
      ? { ...rest, records, next: null, ...this.#cut(lacking) }
      : { ...rest, records, next: tokenOf(place) };
  }

  /** What the last page says of the window. A list of what came up in it is shorter in a smaller one; another is the same in each. */
  #cut(lacking = 0): Pick<Page, 'mayBeCut' | 'lacking'> {
    const all = lacking + (this.#mayLack ? 1 : 0);
    if (all === 0) return {};
    return { mayBeCut: lacking === 0 && !isOfWindow(this.#spec) ? 'list' : true, lacking: all };
  }

  async #listed(request: PageRequest, signal: AbortSignal): Promise<readonly Group[]> {
    const found = new Map<string, Group>();
    const met = new Set<string>();
    let characters = 0;
    this.#mayLack = false;
    for (let state: PageState | null = null, isFirst = true; state !== null || isFirst; isFirst = false) {
      const page: Page = await this.#asking.list({ ...request, state }, signal);
      for (const raw of page.records) {
        const { value, text } = raw.read?.() ?? { value: raw.value, text: JSON.stringify(boundDepth(raw.value)) };
        characters += text.length;
        if (characters > mostCharacters || found.size > mostGroups) throw tooLong(found.size);
        this.#find(found, { id: this.#named(value), text });
      }
      this.#mayLack ||=
        page.toldCut !== undefined ||
        page.mayBeCut === 'unpaged' ||
        (page.mayBeCut === true && (this.#spec.page?.kind ?? 'none') === 'none');
      state = page.next;
      const mark = hash('sha256', JSON.stringify(state));
      if (met.has(mark) || met.size >= this.#asking.maxPages)
        throw new PenstockError(
          'PEN_SOURCE_BAD_REPLY',
          'the list of groups does not end: a page of it was named twice, or there are too many',
        );
      met.add(mark);
    }
    // With nothing to read a source would be well for ever.
    if (found.size === 0 && !isOfWindow(this.#spec))
      throw new PenstockError('PEN_SOURCE_REFUSED', 'the list of groups is empty', {
        fix: 'give the credential the right to see them; collection resumes from the last checkpoint by itself',
      });
    return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** A group that is listed twice is one, unless its name leaves out what tells two addresses apart. */
  #find(found: Map<string, Group>, group: Group): void {
    const known = found.get(group.id);
    if (
      known !== undefined &&
      this.#isAddress &&
      placeText(this.#idOf(parseJson(known.text))) !== placeText(this.#idOf(parseJson(group.text)))
    )
      throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'two files of the list differ only after the "?" of their addresses', {
        fix: 'write a path to the name of a file as groups.id of the connector',
      });
    found.set(group.id, group);
  }

  #named(value: Json): string {
    const id = placeText(this.#idOf(value));
    if (id !== undefined) return this.#isAddress && this.#asking.isStored(id) ? id.replace(/[?#].*$/s, '') : id;
    throw new PenstockError('PEN_SOURCE_BAD_REPLY', `a group has nothing at ${[this.#spec.id].flat().join(' or ')}`);
  }
}

function tooLong(groups: number): PenstockError {
  return new PenstockError('PEN_SOURCE_BAD_REPLY', `the list of groups is longer than memory should hold: ${groups} and more`, {
    fix: 'let groups.request of the connector ask for fewer of them, or for less of each',
  });
}

/** True for a list of what came up in a window, such as files: none is no fault. */
export function isOfWindow({ request }: Pick<GroupsSpec, 'request'>): boolean {
  return /\{\{\s*window\.from\s*\}\}/.test(JSON.stringify(request));
}

function mayHaveEnded(error: unknown): boolean {
  return error instanceof PenstockError && [400, 401, 403, 404, 410].includes(error.status ?? 0);
}

function named(raw: RawRecord, into: string, id: string): RawRecord {
  return isObject(raw.value) ? { ...raw, value: { ...raw.value, [into]: id } } : raw;
}

function tokenOf({ id, state, lacking, total = 0 }: Place): PageState {
  return {
    kind: 'token',
    token: JSON.stringify([id, state, lacking, ...(total > 0 ? [total] : [])]),
    ...(state?.kind === 'offset' ? { counts: true } : {}),
  };
}

/** Throws PEN_PAGE_TOKEN_REFUSED for a place that an older connector left. */
function placeOf(state: PageState | null): Place | undefined {
  if (state === null) return undefined;
  const parts = state.kind === 'token' ? parsed(state.token) : undefined;
  if (Array.isArray(parts) && typeof parts[0] === 'string' && (parts[1] === null || isObject(parts[1])))
    return { id: parts[0], state: parts[1] as PageState | null, lacking: Number(parts[2]) || 0, total: Number(parts[3]) || 0 };
  throw new PenstockError('PEN_PAGE_TOKEN_REFUSED', 'the stored place names no group');
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
