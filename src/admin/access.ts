import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../base/loopback.ts';

/** Where the server listens. */
export interface Listen {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/**
 * Why a request is refused whatever it asks for; undefined when it is not.
 *
 * A page of another site must not reach us through its visitor's browser: it would send its Origin, or, after its name was pointed at this
 * machine (DNS rebinding), its own name as Host. We cannot know by which names other machines reach this one, so beyond loopback
 * any Host is accepted. Our own page sends an Origin too, when it asks for something to be done.
 */
function foreignness({ headers, isLocal, isEncrypted }: Approach): string | undefined {
  const own = `${isEncrypted ? 'https' : 'http'}://${headers.host}`;
  if (headers.origin !== undefined && headers.origin !== own) return 'requests from web pages are not answered';
  if (headers.host === undefined || headers.host === '') return 'the Host header is missing';
  return isLocal && !isLoopback(headers.host.replace(/:\d+$/, '')) ? 'the Host header names another machine' : undefined;
}

/** True when the request carries the token as a bearer token; takes the same time wherever the two differ. */
function isAuthorised(headers: IncomingHttpHeaders, token: string): boolean {
  const [, given] = /^Bearer +([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? [];
  if (given === undefined) return false;
  const [one, other] = [Buffer.from(given), Buffer.from(token)];
  return one.length === other.length && timingSafeEqual(one, other);
}

interface Approach {
  readonly headers: IncomingHttpHeaders;
  /** Without the query. */
  readonly path: string;
  /** It came over a loopback address. */
  readonly isLocal: boolean;
  readonly isEncrypted: boolean;
}

/** How the server knows who may ask for what. */
interface Keys {
  readonly token: string;
  readonly metrics: 'open' | 'token';
}

const wrongToken = { status: 401, error: 'send the token of data_dir/admin.token: Authorization: Bearer TOKEN' };
const healthPaths = new Set(['/healthz', '/readyz']);

/** Why a request is not let in, and the HTTP status that says so. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
}

/** Why a request is not let in, with the HTTP status that says so; undefined when it is. The page at `/` holds nothing worth a token. */
export function refusalOf(approach: Approach, { token, metrics }: Keys): Refusal | undefined {
  const { headers, path, isLocal, isEncrypted } = approach;
  const foreign = foreignness(approach);
  if (foreign !== undefined) return { status: 403, error: foreign };
  if (healthPaths.has(path) || (path === '/metrics' && metrics === 'open')) return undefined;
  if (!isLocal && !isEncrypted)
    return {
      status: 403,
      error: `without TLS other machines are answered on /healthz${metrics === 'open' ? ', /readyz and /metrics' : ' and /readyz'} only`,
    };
  return path === '/' || isAuthorised(headers, token) ? undefined : wrongToken;
}
