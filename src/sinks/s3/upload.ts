import { type Clock, deadline } from '../../base/clock.ts';
import { sizeBytes } from '../../base/quantity.ts';
import type { HttpResponse } from '../../http/client.ts';
import { retryAfterMs } from '../../http/index.ts';
import { afterPause, describeAnswer, strangersVerdict } from '../exchange.ts';
import type { Verdict } from '../sink.ts';
import type { S3Options } from './options.ts';
import { checksumHeader, checksumOf, type Store } from './store.ts';
import { codeOf, element, type ObjectVerdict, refusedObject, verdictOf, wordsOf } from './verdicts.ts';

/** What uploading to one bucket needs. */
export interface Uploading {
  readonly store: Store;
  readonly options: S3Options;
  readonly clock: Clock;
}

/** An object with its bytes as stored. */
interface StoredObject {
  readonly key: string;
  readonly body: Buffer;
}

const contentTypes = { gzip: 'application/gzip', zstd: 'application/zstd', none: 'application/x-ndjson' } as const;
const accepted: Verdict = { kind: 'accept' };
// For an upload that is given up when the time of its batch is over.
const abortTimeoutMs = 5000;
// Some stores put all that they know of an upload into its id.
const longestId = 4096;

/** Writes an object, over what is there under its name. `accept`: the store said that it has all of it. */
export function upload(uploading: Uploading, object: StoredObject, signal: AbortSignal): Promise<ObjectVerdict> {
  const { multipart_above: most } = uploading.options;
  return object.body.length > sizeBytes(most) ? putInParts(uploading, object, signal) : putWhole(uploading, object, signal);
}

async function putWhole(
  { store, options, clock }: Uploading,
  { key, body }: StoredObject,
  signal: AbortSignal,
): Promise<ObjectVerdict> {
  const headers = { ...objectHeaders(options), ...checksumHeader(body, options.checksum) };
  const sent = await store.ask({ method: 'PUT', key, headers, body, signal });
  if ('failed' in sent) return sent.failed;
  return hasTaken(sent.response) ? accepted : refusal(sent.response, clock);
}

/** An upload in parts; what was begun is taken back when it fails, so that the store keeps no parts that nobody sees. */
async function putInParts(uploading: Uploading, object: StoredObject, signal: AbortSignal): Promise<ObjectVerdict> {
  const { store, options, clock } = uploading;
  const { key } = object;
  const { checksum } = options;
  const algorithm: Record<string, string> = checksum === 'md5' ? {} : { 'x-amz-checksum-algorithm': checksum.toUpperCase() };
  const headers = { ...objectHeaders(options), ...algorithm };
  const begun = await store.ask({ method: 'POST', key, query: { uploads: '' }, headers, signal });
  if ('failed' in begun) return unsent(begun.failed);
  const uploadId = begun.response.status === 200 ? element(begun.response, 'UploadId', longestId) : undefined;
  if (uploadId === undefined) return refusal(begun.response, clock);
  const verdict = await sendParts(uploading, object, uploadId, signal).catch(async (error: unknown) => {
    await abandon(uploading, key, uploadId);
    throw error;
  });
  if (verdict.kind !== 'accept') await abandon(uploading, key, uploadId);
  return verdict;
}

async function sendParts(
  { store, options, clock }: Uploading,
  { key, body }: StoredObject,
  uploadId: string,
  signal: AbortSignal,
): Promise<ObjectVerdict> {
  const partBytes = sizeBytes(options.multipart_above);
  const parts: string[] = [];
  for (let start = 0; start < body.length; start += partBytes) {
    const part = body.subarray(start, start + partBytes);
    const query = { partNumber: String(parts.length + 1), uploadId };
    const sent = await store.ask({
      method: 'PUT',
      key,
      query,
      headers: checksumHeader(part, options.checksum),
      body: part,
      signal,
    });
    if ('failed' in sent) return unsent(sent.failed);
    const { headers } = sent.response;
    if (!hasTaken(sent.response)) return unsent(refusal(sent.response, clock));
    parts.push(partXml(parts.length + 1, headers['etag'] ?? '', part, options.checksum));
  }
  const xml = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`;
  const headers = { 'content-type': 'application/xml' };
  const sent = await store.ask({ method: 'POST', key, query: { uploadId }, headers, body: Buffer.from(xml), signal });
  return 'failed' in sent ? sent.failed : completion(sent.response, clock);
}

function partXml(number: number, etag: string, part: Buffer, checksum: S3Options['checksum']): string {
  const name = `Checksum${checksum.toUpperCase()}`;
  const sum = checksum === 'md5' ? '' : `<${name}>${checksumOf(part, checksum)}</${name}>`;
  return `<Part><PartNumber>${number}</PartNumber><ETag>${escape(etag)}</ETag>${sum}</Part>`;
}

function escape(text: string): string {
  return text.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

/** A 200 may come before the work is done, with the outcome in the body: only the result's own element is a success. */
function completion(response: HttpResponse, clock: Clock): ObjectVerdict {
  const text = response.body.toString('utf8');
  if (response.status !== 200) return refusal(response, clock);
  if (/<CompleteMultipartUploadResult[\s>]/.test(text) && !/<Error[\s>]/.test(text)) return accepted;
  if (codeOf(response) !== undefined) return refusal(response, clock);
  const waitMs = retryAfterMs(response.headers, clock);
  return afterPause(
    strangersVerdict(response) ?? { kind: 'uncertain', reason: `the upload was not completed: ${wordsOf(response)}` },
    waitMs,
  );
}

/** Parts alone are no object: whatever became of one, nothing is stored yet. */
function unsent(verdict: ObjectVerdict): ObjectVerdict {
  if (verdict.kind !== 'uncertain') return verdict;
  const { reason, retryAfterMs, fix } = verdict;
  return {
    kind: 'retry',
    reason,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(fix === undefined ? {} : { fix }),
  };
}

async function abandon({ store, clock }: Uploading, key: string, uploadId: string): Promise<void> {
  using limit = deadline(clock, abortTimeoutMs);
  // A store that is away keeps the parts; a lifecycle rule of the bucket clears them.
  await store.ask({ method: 'DELETE', key, query: { uploadId }, signal: limit.signal }).catch(() => undefined);
}

function objectHeaders({ compression, headers }: S3Options): Record<string, string> {
  return { 'content-type': contentTypes[compression], ...headers };
}

/** Every store gives what it took a tag, and says nothing else: a page, or a weak tag, is somebody else's, a proxy's log-in form for example. */
function hasTaken({ status, headers, body }: HttpResponse): boolean {
  return status === 200 && body.length === 0 && /^(?!W\/)./.test(headers['etag'] ?? '');
}

function refusal(response: HttpResponse, clock: Clock): ObjectVerdict {
  const waitMs = retryAfterMs(response.headers, clock);
  const strange = codeOf(response) === undefined ? strangersVerdict(response) : undefined;
  if (strange?.kind === 'hold') {
    const byObject = response.status >= 300 ? refusedObject(response) : unclear(strange.reason);
    return { ...afterPause(strange, waitMs), byObject };
  }
  if (strange !== undefined) return afterPause(strange, waitMs);
  if (response.status >= 300 || codeOf(response) !== undefined) return verdictOf(response, waitMs);
  const fix = 'check "endpoint" of the sink: something other than an S3 store answers';
  const reason = `${describeAnswer(response)}, which is no store's answer`;
  return { kind: 'hold', reason, fix, maybeStored: true, byObject: unclear(reason) };
}

const unclear = (reason: string): Verdict => ({ kind: 'uncertain', reason, othersTaken: true });
