import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { HttpRequest } from '../../http/client.ts';
import { answeredAt } from '../../http/index.ts';
import { type Exchange, exchange } from '../exchange.ts';
import type { SinkContext } from '../sink.ts';
import { type CredentialSource, openCredentials } from './credentials.ts';
import type { S3Options } from './options.ts';
import { codeOf } from './verdicts.ts';

/** One request to the store. */
interface StoreRequest {
  readonly method: HttpRequest['method'];
  /** Of the object, without the bucket. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal: AbortSignal;
}

type Checksum = S3Options['checksum'];

const emptyBody = Buffer.alloc(0);
/** For one exchange, unless it is configured. */
export const defaultTimeoutMs = 120_000;
/** Answers are short: an object is never read back. */
const maxAnswerBytes = 65_536;

/** A bucket: signs what it is asked and sends it. Nothing here retries, but for a clock that is wrong. */
export class Store {
  readonly origin: string;
  readonly #context: SinkContext;
  readonly #credentials: CredentialSource;
  readonly #region: string;
  readonly #base: URL;
  /** What the store's clock is ahead of ours, milliseconds; 0 until it refuses a request for its time. */
  #aheadMs = 0;

  constructor(options: S3Options, context: SinkContext) {
    this.#context = context;
    this.#region = options.region ?? 'us-east-1';
    this.#base = baseOf(options, this.#region);
    this.#credentials = openCredentials(options, context);
    this.origin = this.#base.origin;
  }

  /** Sends a request; once more when the store says that our clock is wrong, with its time. Throws what {@link CredentialSource} throws. */
  async ask(request: StoreRequest): Promise<Exchange> {
    const sent = await this.#send(request);
    if (!('response' in sent) || codeOf(sent.response) !== 'RequestTimeTooSkewed') return sent;
    const theirs = answeredAt(sent.response.headers);
    if (theirs === undefined) return sent;
    this.#aheadMs = theirs - this.#context.seams.clock.now();
    this.#context.log.warn(
      { seconds: Math.round(this.#aheadMs / 1000) },
      "requests are signed by the store's clock: ours is off by so much",
    );
    return await this.#send(request);
  }

  async #send({ method, key, query = {}, headers = {}, body = emptyBody, signal }: StoreRequest): Promise<Exchange> {
    signal.throwIfAborted();
    const url = new URL(this.#base);
    url.pathname = `${this.#base.pathname}${key.split('/').map(encode).join('/')}`;
    url.search = Object.entries(query)
      .map(([name, value]) => `${name}=${encode(value)}`)
      .join('&');
    const credentials = await this.#credentials();
    const { sign } = await import('./sign.ts');
    const signable = { method, url, query, headers: { ...headers, 'x-amz-content-sha256': digest(body) } };
    return exchange(this.#context.http, {
      method,
      url,
      headers: await sign(signable, credentials, this.#region, this.#context.seams.clock.now() + this.#aheadMs),
      ...(method === 'PUT' || method === 'POST' ? { body } : {}),
      timeoutMs: this.#context.timeoutMs ?? defaultTimeoutMs,
      maxBytes: maxAnswerBytes,
      signal,
    });
  }
}

/** Of a body, in hex. */
function digest(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Path style: `https://host/bucket/`; else `https://bucket.host/`. */
function baseOf({ bucket, endpoint, path_style }: S3Options, region: string): URL {
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL(endpoint ?? `https://s3.${region}.${domain}`);
  if (path_style ?? (endpoint !== undefined || !isHostName(bucket))) url.pathname = `/${bucket}/`;
  else url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

/**
 * True for a bucket that can stand in front of the store's host: its certificate covers no name with further dots, and a host knows neither
 * capitals, which would lead to another bucket, nor underscores.
 */
function isHostName(bucket: string): boolean {
  return /^[a-z0-9-]{3,63}$/.test(bucket);
}

// As signatures want it, RFC 3986.
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The header by which the store checks a body. Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
export function checksumHeader(body: Buffer, checksum: Checksum): Readonly<Record<string, string>> {
  if (checksum === 'md5') return { 'content-md5': createHash('md5').update(body).digest('base64') };
  return { [`x-amz-checksum-${checksum}`]: checksumOf(body, checksum) };
}

/** In base64. */
export function checksumOf(body: Buffer, checksum: 'crc32' | 'sha256'): string {
  if (checksum === 'sha256') return createHash('sha256').update(body).digest('base64');
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64');
}
