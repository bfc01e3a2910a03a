// Members by which bodies with status 200 say that the request failed, whatever the vendor.
import { isObject, isRawNumber } from '../../base/json.ts';
import type { Meaning } from '../request-section.ts';

interface Failure {
  readonly meaning?: Meaning;
  /** A status that stands in the body. */
  readonly status?: number;
}

interface Context {
  /** The body has records; then only the clearest members count. */
  readonly holdsRecords: boolean;
  /** True for a body without any list of records: then a message is that of a failure, unless it says that nothing was found. Absent for what may be a record. */
  readonly lacksList?: boolean;
  /** Paths that the connector explains itself. */
  readonly said: ReadonlySet<string>;
  /** Where records stand: a list of records may be called `errors`. */
  readonly records: readonly string[];
}

const clear = new Set(['error', 'errors', 'fail']);
const further = new Set([
  'errormessage',
  'errordescription',
  'errorsummary',
  'errorcode',
  'errcode',
  'failure',
  'failures',
  'fault',
  'faultcode',
  'faultstring',
  'exception',
]);
const claims = new Set(['ok', 'success', 'succeeded', 'successful']);
const furtherClaims = new Set(['issuccess', 'issuccessful']);
const statusNames =
  /^(?:status|statuscode|code|httpstatus|result|rc|ret(?:urn)?code|result(?:code|status)|response(?:status|code))$/;
const messageNames = /^(?:message|msg|errormsg|responsemessage|statusmessage|details?|reason)$/;
const failureWords =
  /error|fail(?:ed|ure)|exceed|exception|denied|forbidden|unauthori[sz]ed|expired|invalid|unavailable|timed? ?out|throttl|too many|not allowed|login ?required/i;
/** `No events found` is no failure, `No permission` is one. */
const nothingFound =
  /^(?:no(?! (?:permission|access|right|auth|such))|0|zero|none|nothing|empty|ok|success\w*|done|completed?)\b/i;
const noes = new Set(['false', '0', 'no', 'n', 'off', 'f']);
const nothings = new Set(['', '0', '0.0', 'false', 'no', 'none', 'null', 'nil', 'ok', 'success', 'successful', 'no error']);
/** Where there is not even a list, whatever ends like this says that something is wrong, as does what does not say that all is well. */
const troubleNames = /(?:errors?|err|errno|errorflag|fault|exception|failed|failures?|warnings?|maintenance|loginrequired)$/;
const listlessClaims = /^(?:is)?(?:authenticated|authori[sz]ed|valid|loggedin)$/;
const codeNames = /^(?:returncode|retcode|rc|(?:status|result|response)?code)$/;
const wellTexts =
  /^(?:0\d*(?:\.0+)?|2\d\d|304|ok|okay|success\w*|succeeded|complet\w*|done|finished|ready|active|normal|available|true|yes|none|null|empty|no[ _-].*|not[ _-]?found)$/i;
const failedTexts = /^(?:errors?|fail|failed|failure|ko|nok|nack|denied|unauthorized|forbidden|exception|aborted)$/i;

/** How a body says by custom that it is a failure; undefined when it says nothing of the kind. */
export function customaryFailure(body: unknown, context: Context): Failure | undefined {
  if (!isObject(body)) return undefined;
  const found = failureIn(body, '', context);
  if (found !== undefined || context.holdsRecords) return found;
  for (const [name, inner] of Object.entries(body)) {
    const below = isObject(inner) ? failureIn(inner, `${name}.`, context) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

function failureIn(members: Record<string, unknown>, prefix: string, context: Context): Failure | undefined {
  const entries = Object.entries(members).filter(([name]) => !isExplained(`${prefix}${name}`, context));
  const status = entries.map(([name, value]) => statusOf(plain(name), value)).find((one) => one !== undefined);
  const isFailed = entries.some(
    ([name, value]) =>
      saysFailure(plain(name), value, context.holdsRecords) ||
      (prefix === '' && (speaksOfFailure(plain(name), value, context) || isTrouble(plain(name), value, context))),
  );
  if (isFailed) return status === undefined ? { meaning: 'failed' } : { status, ...meaningOf(status) };
  return status === undefined || context.holdsRecords ? undefined : { status, ...meaningOf(status) };
}

function isExplained(path: string, { said, records }: Context): boolean {
  if (said.has(path)) return true;
  return [...said, ...records].some((other) => other === path || other.startsWith(`${path}.`) || other.startsWith(`${path}[`));
}

function saysFailure(name: string, value: unknown, holdsRecords: boolean): boolean {
  if (clear.has(name)) return !isNothing(value);
  if (claims.has(name)) return isNo(value);
  if (holdsRecords) return false;
  if (further.has(name)) return !isNothing(value);
  if (furtherClaims.has(name)) return isNo(value);
  return statusNames.test(name) && typeof value === 'string' && failedTexts.test(value.trim());
}

/** True for what is said to people, or named like an error of a programming language, where there are no records. */
function speaksOfFailure(name: string, value: unknown, { holdsRecords, lacksList }: Context): boolean {
  if (holdsRecords || lacksList === undefined || typeof value !== 'string' || isNothing(value)) return false;
  if (name === 'type' || name === 'code') return /(?:exception|error|fault)$/i.test(value.trim());
  if (!messageNames.test(name) || nothingFound.test(value.trim())) return false;
  return lacksList || failureWords.test(value);
}

/** True for a body without a list that says anything but that all is well. */
function isTrouble(name: string, value: unknown, { lacksList }: Context): boolean {
  if (lacksList !== true) return false;
  if (troubleNames.test(name)) return !isNothing(value);
  if (listlessClaims.test(name)) return isNo(value);
  if (name === 'ack' || name === 'state') return failedTexts.test(textOf(value) ?? '');
  const text = textOf(value)?.trim() ?? '';
  return statusNames.test(name) && text !== '' && !wellTexts.test(text) && (text !== '1' || codeNames.test(name));
}

function statusOf(name: string, value: unknown): number | undefined {
  if (!statusNames.test(name)) return undefined;
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
}

function meaningOf(status: number): Failure {
  if (status === 429) return { meaning: 'rate_limit' };
  if (status === 401) return { meaning: 'refused' };
  // Like the status of an answer: of the credential or, behind a first page, of the place.
  if (status === 403) return {};
  return { meaning: status >= 500 ? 'unavailable' : 'failed' };
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]/g, '');
}

/** Text of a text, number or boolean. */
export function textOf(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function isNo(value: unknown): boolean {
  return noes.has(textOf(value)?.trim().toLowerCase() ?? '');
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.every(isNothing);
  // `{ code: 0, message: "" }` says nothing either.
  if (isObject(value)) return Object.values(value).every(isNothing);
  return nothings.has(textOf(value)?.trim().toLowerCase() ?? '');
}
