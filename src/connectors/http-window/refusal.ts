import { type ErrorCode, PenstockError } from '../../base/errors.ts';
import type { Meaning } from '../read-section.ts';

interface Refusal {
  readonly status: number;
  /** What the connector or the body say that the answer means; absent where the status decides. */
  readonly meaning?: Meaning | undefined;
  /** What the vendor said, without secrets; may be empty. */
  readonly words: string;
  /** `GET https://host/path`, without a query. */
  readonly request: string;
  /** Where the walk stands. */
  readonly at: 'first' | 'offset' | 'cursor';
  readonly retryAfterMs: number | undefined;
  /** From the connector, by status. */
  readonly hints: Readonly<Record<string, string>>;
  /** Origin of a redirect's target. */
  readonly redirect: string | undefined;
}

const fixes: Readonly<Record<number, string>> = {
  401: 'renew the credential: it may have expired or been revoked; collection resumes from the last checkpoint by itself',
  402: 'the plan of this tenant does not include the audit log API',
  403: 'give the credential the right to read audit logs; collection resumes from the last checkpoint by itself',
  404: 'check the URL, organization or workspace in the options, and that the audit log is enabled for it',
  422: 'the API does not take our parameters: check the options, and whether the vendor has changed its API',
};

/** True for an answer that may be different in a moment. */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** Turns an answer other than 2xx into the error that says what the loop does. */
export function refusalError(refusal: Refusal): PenstockError {
  const { status, words, request, hints, redirect, retryAfterMs } = refusal;
  const code = codeOf(refusal);
  const said = words === '' ? '' : ` "${words}"`;
  const target = redirect === undefined ? '' : ` with a redirect to ${redirect}`;
  const fix =
    hints[String(status)] ??
    fixOf(refusal) ??
    (redirect === undefined ? fixes[status] : 'check the URL in the options: redirects are not followed with credentials');
  return new PenstockError(code, `answered ${status}${said}${target} to ${request}`, {
    status,
    fix,
    retryAfterMs,
  });
}

/** What a meaning that the status does not tell asks people to do. */
function fixOf({ status, meaning }: Refusal): string | undefined {
  if (meaning === 'refused') return fixes[401];
  if (meaning === 'rate_limit' || meaning === 'unavailable') return 'nothing needs to be done: the request is repeated';
  if (meaning !== 'failed' || status >= 300) return undefined;
  return 'the vendor says so in the body: if it is no failure, say in read.failures of the connector what the member means';
}

const codes: Partial<Record<Meaning, ErrorCode>> = {
  refused: 'PEN_SOURCE_REFUSED',
  rate_limit: 'PEN_SOURCE_UNAVAILABLE',
  unavailable: 'PEN_SOURCE_UNAVAILABLE',
  window_too_large: 'PEN_WINDOW_TOO_LARGE',
  failed: 'PEN_SOURCE_BAD_REPLY',
};

function codeOf({ status, at, meaning, retryAfterMs }: Refusal): ErrorCode {
  if (meaning === 'page_token_refused') return at === 'first' ? 'PEN_SOURCE_BAD_REPLY' : 'PEN_PAGE_TOKEN_REFUSED';
  const said = meaning === undefined ? undefined : codes[meaning];
  if (said !== undefined) return said;
  if (status === 504 && at === 'first') return 'PEN_WINDOW_TOO_LARGE';
  if (isPassing(status) || (status === 403 && retryAfterMs !== undefined)) return 'PEN_SOURCE_UNAVAILABLE';
  // Only a first page says something about credential and options: what comes after it was asked for with a place that the vendor gave us.
  if (at !== 'first' && status >= 400 && status !== 401)
    return at === 'cursor' ? 'PEN_PAGE_TOKEN_REFUSED' : 'PEN_WINDOW_TOO_LARGE';
  if ([400, 413, 414].includes(status)) return 'PEN_WINDOW_TOO_LARGE';
  return [401, 402, 403, 404, 422].includes(status) ? 'PEN_SOURCE_REFUSED' : 'PEN_SOURCE_BAD_REPLY';
}
