import { isIPv6, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { callbackify } from 'node:util';
import { buildConnector, Pool } from 'undici';
import type { Clock } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { connectFault, watchErrors } from './fault.ts';
import { passOverInterim } from './interim.ts';
import { patientLookup } from './lookup.ts';
import type { Proxy } from './proxy.ts';
import { retryAfterMs } from './retry-after.ts';
import { type LoadedTls, pinFault } from './tls.ts';

const connectTimeoutMs = 10_000;

/**
 * How long one address of a name may take before the next is tried. Node's 250 ms are too few for a receiver on another continent
 * (https://github.com/nodejs/node/issues/54359).
 */
export const attemptTimeoutMs = 2000;

/** undici's way to open a socket. */
export type Connect = buildConnector.connector;

/** Connects to an origin and checks the pin; every fault comes out as a PenstockError with `sent: false`. `what`: before the origin in its words. */
export function directConnect(tls: LoadedTls, what = ''): Connect {
  const { pin, insecure: _insecure, ...options } = tls;
  // A resumed session does not always carry the peer's certificate, which a pin is compared with.
  const sessions = pin === undefined ? {} : { maxCachedSessions: 0 };
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    autoSelectFamilyAttemptTimeout: attemptTimeoutMs,
    lookup: patientLookup(),
    allowH2: false,
    ...sessions,
    ...options,
  });
  return (target, callback) => {
    const origin = `${what}${target.protocol}//${target.host ?? target.hostname}`;
    connect(target, (...[error, socket]) => {
      if (error !== null) return callback(connectFault(error, origin), null);
      const fault = socket instanceof TLSSocket ? pinFault(socket, pin) : undefined;
      watchErrors(socket);
      passOverInterim(socket);
      if (fault === undefined) return callback(null, socket);
      socket.destroy();
      return callback(fault, null);
    });
  };
}

/** Whose connection failed is to be seen: the proxy's, or that of the service behind it. */
const ofProxy = 'the proxy ';

/** A way through a proxy. */
export interface Tunnel extends AsyncDisposable {
  readonly connect: Connect;
}

/** Connects through a proxy by CONNECT, then speaks TLS with the origin inside of it. */
export function openTunnel(proxy: Proxy, tls: LoadedTls, clock: Clock): Tunnel {
  const pool = new Pool(proxy.url.origin, {
    connect: proxyConnect(tls),
    headersTimeout: connectTimeoutMs,
    allowH2: false,
  });
  const inside = directConnect(tls);
  const connect: Connect = (target, callback) => {
    const secure = target.protocol === 'https:';
    const port = target.port === '' ? (secure ? '443' : '80') : target.port;
    const host = isIPv6(target.hostname) ? `[${target.hostname}]` : target.hostname;
    connectThrough(pool, proxy, `${host}:${port}`, clock, (error, httpSocket) => {
      if (error !== null) callback(connectFault(error, `${ofProxy}${proxy.url.origin}`), null);
      else if (secure) inside({ ...target, httpSocket }, callback);
      else callback(null, httpSocket);
    });
  };
  return { connect, [Symbol.asyncDispose]: () => pool.destroy() };
}

/** Connects to the proxy itself: the private CA may have signed it, the client certificate and the pin are not for it. */
export function proxyConnect({ secureContext, insecure }: LoadedTls): Connect {
  const trust = {
    ...(secureContext === undefined ? {} : { secureContext }),
    rejectUnauthorized: !insecure,
    insecure,
    pin: undefined,
  };
  return directConnect(trust, ofProxy);
}

const connectThrough = callbackify(openConnect);

async function openConnect(pool: Pool, proxy: Proxy, authority: string, clock: Clock): Promise<Socket> {
  const headers = {
    host: authority,
    ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
  };
  const { socket, statusCode, headers: answered } = await pool.connect({ path: authority, headers });
  if (statusCode === 200) return socket as Socket;
  socket.on('error', () => undefined).destroy();
  const refused = statusCode === 407 || statusCode === 401;
  throw new PenstockError(
    'PEN_HTTP_UNREACHABLE',
    `the proxy ${proxy.url.origin} answered ${statusCode} to CONNECT ${authority}`,
    {
      fix: refused
        ? `put user and password into ${proxy.setting}: http://user:password@host:port`
        : `allow ${authority} on the proxy, or name the host in NO_PROXY`,
      status: statusCode,
      sent: false,
      retryAfterMs: retryAfterMs(
        { 'retry-after': String(answered['retry-after'] ?? ''), date: String(answered['date'] ?? '') },
        clock,
      ),
    },
  );
}
