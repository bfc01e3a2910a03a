import type { Json } from '../../base/json.ts';
import type { PageRequest, PageState } from '../connector.ts';
import type { Scope } from '../template.ts';
import { scopeWith } from './details.ts';
import { withSecrets } from './links.ts';
import type { WindowPlan } from './plan.ts';

/** A page of any walk. */
export type AnyPage = Pick<PageRequest, 'limit'> & {
  readonly state: PageState | null;
  /** True behind a token or link that a page of the same window named; undefined where no window is read. */
  readonly isPromised?: boolean;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly group?: Json;
};

/** A page of a window. */
export function promised(wanted: PageRequest): AnyPage {
  return { ...wanted, isPromised: wanted.state !== null && wanted.state.kind !== 'offset' };
}

/** The values that a page gives to the templates of its request. */
export function scopeOfPage(
  { from, to, state, group, limit }: AnyPage,
  { bound, spec }: WindowPlan,
  options: Scope,
  secrets: readonly string[],
): Scope {
  const offset = state?.kind === 'offset' ? state.offset : undefined;
  const values: Record<string, string | undefined> = {
    'window.from': from === undefined ? undefined : bound(from, 'from'),
    'window.to': to === undefined ? undefined : bound(to, 'to'),
    'page.limit': String(limit),
    'page.offset': String(offset ?? 0),
    'page.number': String(offset ?? spec.page.first ?? 1),
    'page.token': state?.kind === 'token' ? withSecrets(state.token, secrets) : undefined,
  };
  const scope = group === undefined ? options : scopeWith('group', group, options);
  return (name) => (Object.hasOwn(values, name) ? values[name] : scope(name));
}
