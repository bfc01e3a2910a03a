import { type Authenticator } from '../auth.ts';
import type { PageRequest, ReaderDeps, WindowReader } from '../connector.ts';
import type { Scope } from '../template.ts';
import type { WindowPlan } from './plan.ts';
import { Walker } from './walker.ts';

/**
 * Opens a reader for one source. `options` gives the values of templates, `secrets` those that no text may show; `auth` is what another reader
 * of the source has opened.
 */
export function openWindowReader(
  plan: WindowPlan,
  options: Scope,
  secrets: readonly string[],
  deps: ReaderDeps,
  auth?: Authenticator,
): WindowReader {
  const walker = new Walker(plan, options, secrets, deps, auth);
  const reader = {
    kind: 'http_window' as const,
    ...walker.details(),
    ...walker.pages(),
    get requestCount() {
      return walker.requestCount;
    },
    rest: () => walker.rest(),
    [Symbol.asyncDispose]: () => walker[Symbol.asyncDispose](),
  };
  const { sweep } = plan;
  if (sweep === undefined) return reader;
  // defineProperties keeps requestCount a getter, which a spread would freeze.
  return Object.defineProperties(
    {
      sweepPage: (request: Pick<PageRequest, 'state' | 'limit'>, signal: AbortSignal) => walker.page(sweep, request, signal),
    } as WindowReader,
    Object.getOwnPropertyDescriptors(reader),
  );
}
