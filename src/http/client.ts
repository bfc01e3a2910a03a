import type { Socket } from 'node:net';
import type { Secrets } from '../base/secrets.ts';
import type { Wait } from '../base/waits.ts';
import type { ReplyMemory } from './reply-memory.ts';

/** One HTTP exchange. Redirects are never followed: a 3xx is an answer like any other. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Total time for the exchange, in milliseconds. Connecting gets at most 10 s of it. */
  readonly timeoutMs: number;
  /** Largest body, in bytes, on the wire and again after decompression. */
  readonly maxBytes: number;
  /** What of it proves who we are and has a name of its own, such as a signature; secrets, the client learns them as it learns the others. */
  readonly proofs?: readonly string[];
  /** A place in a list that the peer named: no secret, whatever the parameter is called that carries it. */
  readonly place?: string | undefined;
  /** Of a request for a token: where its answer holds that, a path in the body or the name of a header. No copy of the answer may be kept. */
  readonly tokenAt?: { readonly path: string } | { readonly header: string };
  /** A larger answer is cut there instead of refused: what its beginning says is enough. */
  readonly cut?: boolean;
  /** Until it is disposed of, the reply counts among those that take memory: whoever builds much of it says when that is done. Without it for a second. */
  readonly held?: DisposableStack;
  /** Is told how far the exchange has come. */
  readonly wait?: Pick<Wait, 'at'>;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; repeated headers joined by a comma, except set-cookie: joined by a line feed. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed (gzip, deflate, br, zstd) and whole, unless the request lets it be {@link HttpRequest.cut}. */
  readonly body: Buffer;
}

/**
 * The one way to speak HTTP. Nothing here retries.
 *
 * Rejects with PEN_HTTP_UNREACHABLE (`sent: false`: not connected), PEN_HTTP_TLS (`sent: false`), PEN_HTTP_TIMEOUT,
 * PEN_HTTP_RESET, PEN_HTTP_TOO_LARGE, PEN_HTTP_BAD_BODY (undecodable compression), or the signal's reason.
 */
export interface HttpClient extends AsyncDisposable {
  request(request: HttpRequest): Promise<HttpResponse>;
  /**
   * A connected socket to the host of a URL (http, https, ws, wss), with TLS where it asks for it, by the same way as requests take; for
   * protocols that only begin as HTTP. The caller owns it. Rejects with PEN_HTTP_UNREACHABLE or PEN_HTTP_TLS. A test double may lack it.
   */
  openSocket?(url: URL): Promise<Socket>;
  /** How a request to this URL travels, for `check`: `direct`, `proxy http://proxy:3128 (HTTPS_PROXY)`. Carries no credentials. */
  describeRoute(url: URL): string;
}

/** TLS as sources and sinks configure it; paths are read when the client opens. */
export interface TlsSettings {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
  readonly server_name?: string;
  /** SHA-256 of the peer certificate (DER), hex with or without colons. */
  readonly pin_sha256?: string;
  readonly insecure_skip_verify?: boolean;
}

export interface HttpClientSettings {
  readonly tls?: TlsSettings;
  /** Explicit proxy URL, may carry credentials; without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide. */
  readonly proxy?: string;
  readonly userAgent: string;
  /** Connections per origin, default 8. */
  readonly connections?: number;
  /** Learns every credential that a request carries, before it is sent. */
  readonly secrets?: Pick<Secrets, 'add' | 'addPassing'>;
  /** What the replies of all clients may take together; a client alone has the same for itself. */
  readonly memory?: ReplyMemory;
}
