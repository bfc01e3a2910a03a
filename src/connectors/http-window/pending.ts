// What a vendor answers that has begun to look and is not ready: where to ask again, how soon, and for how long.
import { PenstockError } from '../../base/errors.ts';
import { durationMs } from '../../base/quantity.ts';
import { compilePath } from '../../event/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import { compileUrl } from '../origin.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import type { Scope } from '../template.ts';
import { scopeWith } from './details.ts';
import { linkState, linkUrl } from './links.ts';
import { compileStorage, type StoredRequest, storedRequest } from './storage.ts';

interface Asked {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** The body of the answer, if it is one. */
  readonly reply: unknown;
}

/** Compiled `read.pending`. */
export interface Pending {
  readonly everyMs: number;
  readonly mostMs: number;
  /** The next request after an answer that says to ask again. */
  again(asked: Asked, options: Scope, secrets: readonly string[]): StoredRequest;
}

/** Compiles `read.pending`; without it the same request is sent again. Throws a SyntaxError for a wrong path. */
export function compilePending({
  pending = {},
  page,
  storage: hosts,
}: Pick<HttpWindowSpec, 'pending' | 'page' | 'storage'>): Pending {
  const { link, header, url, every = '2s', at_most: most = '5m' } = pending;
  const address = url === undefined ? undefined : compileUrl(url);
  const storage = compileStorage(hosts);
  const linkOf = link === undefined ? undefined : compilePath(link);
  return {
    everyMs: durationMs(every),
    mostMs: durationMs(most),
    again({ request, response, reply }, options, secrets) {
      if (address !== undefined) {
        const named = namedUrl(() => address.render(scopeWith('reply', reply, options)));
        return named === undefined ? request : plainGet(request, named);
      }
      const told = header === undefined ? linkOf?.(reply) : response.headers[header.toLowerCase()];
      // Where the answers behind the first name no address, theirs is the one that was asked.
      if (typeof told !== 'string' || told === '') return request;
      const stored = storage(options).at(told, request.url);
      if (stored !== undefined) return storedRequest(request, stored);
      const state = linkState(told, { kind: 'link', ...hostOf(page) }, { url: request.url, secrets });
      return state.kind === 'link' ? plainGet(request, linkUrl(state.path, request.url, secrets)) : request;
    },
  };
}

/** Undefined where the answer lacks what the address names. */
function namedUrl(render: () => URL): URL | undefined {
  try {
    return render();
  } catch (error) {
    if (error instanceof PenstockError && error.code === 'PEN_CONFIG_INVALID') return undefined;
    throw error;
  }
}

const hostOf = ({ link_host: host }: HttpWindowSpec['page']): Pick<HttpWindowSpec['page'], 'link_host'> =>
  host === undefined ? {} : { link_host: host };

function plainGet({ headers = {}, ...request }: HttpRequest, url: URL): HttpRequest {
  const { 'content-type': _type, ...rest } = headers as Record<string, string>;
  return { ...request, headers: rest, method: 'GET', url, body: undefined };
}

/** What was begun may be forgotten before it is fetched, and the address of a file may have ended: then it is begun anew. */
export function goneMeanwhile(error: unknown, { isStored }: StoredRequest): unknown {
  const gone = isStored === true ? [400, 401, 403, 404, 410] : [404, 410];
  return error instanceof PenstockError && gone.includes(error.status ?? 0)
    ? new PenstockError('PEN_SOURCE_UNAVAILABLE', error.message, { cause: error, status: error.status ?? 404 })
    : error;
}

/** What became of an answer that never came. */
export function notReady(what: string, { mostMs }: Pick<Pending, 'mostMs'>): PenstockError {
  return new PenstockError('PEN_SOURCE_UNAVAILABLE', `the answer to ${what} was not ready after ${mostMs / 1000} s`, {
    fix: 'nothing is lost: it is asked for again; where the vendor always takes so long, let read.pending.at_most of the connector be longer, or window.max shorter',
  });
}
