import { consequenceOf, PenstockError } from '../../base/errors.ts';
import type { HttpResponse } from '../../http/client.ts';
import { afterPause, describeAnswer, isRedirect } from '../exchange.ts';
import type { Verdict } from '../sink.ts';

const longestText = 200;

/** The text of an element of the store's XML, on one line and at most so many characters; undefined when it has none. */
export function element({ body }: HttpResponse, name: string, most = longestText): string | undefined {
  const text = new RegExp(`<${name}(?: [^<>]*)?>([^<]*)</${name}>`).exec(body.toString('utf8'))?.[1];
  if (text === undefined) return undefined;
  return unescape(text)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .slice(0, most)
    .trim();
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|#34|#39);/g, (whole, name: string) => {
    if (name.startsWith('#')) return String.fromCharCode(Number(name.slice(1)));
    return entities[name] ?? whole;
  });
}

/** The store's own code, `NoSuchBucket`; undefined where the answer is no error of a store. */
export function codeOf(response: HttpResponse): string | undefined {
  return /<Error(?: [^<>]*)?>/.test(response.body.subarray(0, 2000).toString('utf8')) ? element(response, 'Code') : undefined;
}

/** `answered 403 AccessDenied: Access Denied`; of a redirect with the host that it names, which is the store's word only. */
export function wordsOf(response: HttpResponse): string {
  const code = codeOf(response);
  if (code === undefined) return describeAnswer(response);
  const said = `answered ${response.status} ${code}: ${element(response, 'Message') ?? ''}`.replace(/: $/, '');
  const host = isRedirect(response) ? element(response, 'Endpoint') : undefined;
  return host === undefined ? said : `${said} (it names ${host})`;
}

const keyFix = 'check the credentials of the sink, and that they may write to the bucket below "prefix"';
const bucketFix = 'check "bucket", "endpoint", "region" and "path_style" of the sink';
const headersFix = 'check "headers", "checksum" and "layout" of the sink against what the store takes';
const quotaFix = 'raise the quota of the bucket, or delete from it';
const cipherFix = 'check the KMS key of "headers" or of the bucket: that it is enabled, and that the credentials may use it';
const clockFix = "set this machine's clock: it is more than 15 minutes off, and the store gives no usable time of its own";

/** `object`: refused for what it is, or everything is; only another object shows which. `damaged`: what arrived is not what was sent. */
type Meaning = 'hold' | 'retry' | 'uncertain' | 'split' | 'object' | 'damaged';

/** What the store's own codes mean, where they say more than the status. */
const codes: Readonly<Record<string, readonly [Meaning, string?]>> = {
  EntityTooLarge: ['split'],
  MaxMessageLengthExceeded: ['split'],
  RequestTimeout: ['uncertain'],
  BadDigest: ['damaged'],
  InvalidDigest: ['damaged'],
  IncompleteBody: ['damaged'],
  XAmzContentSHA256Mismatch: ['damaged'],
  XAmzContentChecksumMismatch: ['damaged'],
  NoSuchUpload: ['uncertain'],
  InvalidPart: ['uncertain'],
  OperationAborted: ['retry'],
  SlowDown: ['retry'],
  RequestTimeTooSkewed: ['hold', clockFix],
  NoSuchBucket: ['hold', bucketFix],
  InvalidBucketName: ['hold', bucketFix],
  AccessDenied: ['hold', keyFix],
  ExpiredToken: ['hold', keyFix],
  InvalidToken: ['hold', keyFix],
  TokenRefreshRequired: ['hold', keyFix],
  'KMS.DisabledException': ['hold', cipherFix],
  'KMS.NotFoundException': ['hold', cipherFix],
  'KMS.KMSInvalidStateException': ['hold', cipherFix],
  QuotaExceeded: ['hold', quotaFix],
  XMinioAdminBucketQuotaExceeded: ['hold', quotaFix],
  // Of versitygw: an access key that it does not know, with a 404.
  XAdminUserNotFound: ['hold', keyFix],
};

/**
 * True of a code that asks for fewer requests, whatever its status: AWS says so with 400, too, for the keys of KMS and for who gives out tokens,
 * and other stores have words of their own.
 */
export const isThrottling = (code: string): boolean =>
  /throttl|slow ?down|too ?many ?requests|(?:request|rate|bandwidth|qps) ?limit ?exceeded|\bserver ?busy/i.test(code);

const statuses: readonly (readonly [from: number, to: number, Meaning, string?])[] = [
  // A store that has answered already says so inside of a success.
  [200, 299, 'uncertain'],
  [401, 402, 'hold', keyFix],
  [403, 403, 'object', keyFix],
  [404, 405, 'hold', bucketFix],
  [407, 407, 'hold', 'put user and password into "proxy" of the sink'],
  [408, 408, 'uncertain'],
  [409, 409, 'retry'],
  [413, 413, 'split'],
  [425, 425, 'retry'],
  [429, 429, 'retry'],
  [400, 499, 'object', headersFix],
  [501, 501, 'object', headersFix],
  [503, 503, 'retry'],
  [507, 507, 'retry'],
  [500, 599, 'uncertain'],
];

/** A verdict on one object. `byObject`: how it is meant if the store takes others. */
export type ObjectVerdict = Verdict & { readonly byObject?: Verdict };

/** What an answer means that is no success. */
export function verdictOf(response: HttpResponse, waitMs: number | undefined): ObjectVerdict {
  const reason = wordsOf(response);
  const region = regionOf(response);
  if (region !== undefined)
    return { kind: 'hold', reason: `${reason} (the bucket is in ${region})`, fix: `set "region: ${region}"` };
  const { status } = response;
  const code = codeOf(response) ?? '';
  const known = codes[code] ?? (isThrottling(code) ? (['retry'] as const) : undefined);
  const [, , ...byStatus] = statuses.find(([from, to]) => status >= from && status <= to) ?? [0, 0, 'hold', bucketFix];
  const [meaning, fix = bucketFix] = known ?? byStatus;
  if (meaning === 'hold' || meaning === 'object') {
    const hold = afterPause({ kind: 'hold', reason, fix }, waitMs);
    // What the credentials may not do is no matter of one object, unless something before the store says so.
    const isAll = meaning === 'hold' || (status === 403 && code !== '');
    return isAll ? hold : { ...hold, byObject: refusedObject(response) };
  }
  if (meaning === 'split') return { kind: 'split', code: 'too_large', reason };
  if (meaning === 'uncertain') return afterPause({ kind: 'uncertain', reason }, waitMs);
  const retry = afterPause({ kind: 'retry', reason }, waitMs);
  return meaning === 'damaged' ? { ...retry, byObject: { kind: 'retry', reason, othersTaken: true } } : retry;
}

/** The verdict on an object that is refused for what is in it: by a firewall that reads along, for example. */
export function refusedObject(response: HttpResponse): Verdict {
  const code = `s3_${response.status}`;
  const reason = wordsOf(response);
  return { kind: 'event', code, reason, ...(codeOf(response) !== undefined && { cause: codeOf(response) }) };
}

/** Where the bucket is, when the answer says that it is not here. Redirects are not followed: what they name is the store's word only. */
function regionOf(response: HttpResponse): string | undefined {
  const { headers } = response;
  const isElsewhere = isRedirect(response) || codeOf(response) === 'AuthorizationHeaderMalformed';
  const region = element(response, 'Region') ?? headers['x-amz-bucket-region'];
  return isElsewhere && region !== undefined && /^[a-z0-9-]{1,40}$/.test(region) ? region : undefined;
}

/** What follows when no credentials can be had: nothing was sent to the store. */
export function verdictOfFault(error: PenstockError): Verdict {
  const { message: reason, retryAfterMs } = error;
  const isHold = consequenceOf(error).sink === 'hold';
  return afterPause(isHold ? { kind: 'hold', reason, fix: error.fix ?? keyFix } : { kind: 'retry', reason }, retryAfterMs);
}
