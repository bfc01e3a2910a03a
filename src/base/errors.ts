/** What is done about an error of a code, by whoever meets it first. */
interface Consequence {
  /** Exit code of a command that ends with it; 1 when absent. */
  readonly exit?: 1 | 2;
  /** `again`: a request that is made for a page is tried again at once, after a pause. */
  readonly request?: 'again';
  /** `reconnect`: a stream connects again, after a pause; any other error ends it. */
  readonly stream?: 'reconnect';
  /**
   * What the reading under way does: `halve` reads half of the window, `restart` begins the window again without its page token,
   * `restart_stored` does so where an earlier poll had left the token, `drop_and_halve` forgets how far the window was read and makes the next
   * one half as long, `skip_file` continues with the next file.
   */
  readonly walk?: 'halve' | 'restart' | 'restart_stored' | 'drop_and_halve' | 'skip_file';
  /**
   * What a source does that its reading could not help: `hold` waits for a person, `fail_poll` tries again at the next poll, and a job
   * after a pause; `end` ends its loop, because another process goes on with it. Absent: a job ends with it.
   */
  readonly source?: 'hold' | 'fail_poll' | 'end';
  /** `hold`: a sink waits for a person. */
  readonly sink?: 'hold';
}

const codes = {
  PEN_USAGE: { exit: 2 },
  PEN_CONFIG_INVALID: { exit: 2, source: 'hold', sink: 'hold' },
  PEN_CONNECTOR_INVALID: { exit: 2, source: 'hold' },
  PEN_ABORTED: {},
  PEN_INTERNAL: { source: 'fail_poll' },
  PEN_HTTP_UNREACHABLE: { request: 'again', stream: 'reconnect', source: 'fail_poll' },
  PEN_HTTP_TIMEOUT: { request: 'again', stream: 'reconnect', walk: 'restart_stored', source: 'fail_poll' },
  PEN_HTTP_RESET: { request: 'again', stream: 'reconnect', walk: 'restart_stored', source: 'fail_poll' },
  PEN_HTTP_TLS: { stream: 'reconnect', source: 'fail_poll', sink: 'hold' },
  PEN_HTTP_TOO_LARGE: { walk: 'restart_stored', source: 'fail_poll' },
  PEN_HTTP_BAD_BODY: { walk: 'restart_stored', source: 'fail_poll' },
  PEN_SOURCE_REFUSED: { source: 'hold', sink: 'hold' },
  PEN_SOURCE_BAD_REPLY: { walk: 'restart', source: 'fail_poll', sink: 'hold' },
  PEN_SOURCE_UNAVAILABLE: { request: 'again', stream: 'reconnect', walk: 'restart_stored', source: 'fail_poll' },
  PEN_DETAIL_UNAVAILABLE: { source: 'fail_poll' },
  PEN_WINDOW_TOO_LARGE: { walk: 'halve' },
  PEN_PAGE_TOKEN_REFUSED: { walk: 'restart', source: 'fail_poll' },
  PEN_PAGE_LOOP: { walk: 'drop_and_halve', source: 'fail_poll' },
  PEN_WALK_INCOMPLETE: { walk: 'drop_and_halve', source: 'fail_poll' },
  PEN_FOREIGN_ORIGIN: { walk: 'restart', source: 'fail_poll' },
  PEN_FILE_UNREADABLE: { walk: 'skip_file', source: 'fail_poll' },
  PEN_IDENTITY_CHANGED: { source: 'hold' },
  PEN_JOURNAL_LOCKED: { exit: 1 },
  PEN_JOURNAL_CORRUPT: { exit: 1 },
  PEN_JOURNAL_FOREIGN: { exit: 1 },
  PEN_JOURNAL_UNWRITABLE: { exit: 1, source: 'fail_poll' },
  PEN_JOURNAL_FULL: { source: 'fail_poll' },
  PEN_JOURNAL_UNAVAILABLE: { exit: 1, source: 'fail_poll' },
  PEN_JOURNAL_FENCED: { exit: 1, source: 'end' },
  PEN_DATA_DIR_UNSAFE: { exit: 1 },
  PEN_NOT_FOUND: { exit: 1 },
  PEN_OPERATION_FAILED: { exit: 1 },
} as const satisfies Record<string, Consequence>;

export type ErrorCode = keyof typeof codes;

/** What to do about a fault of the other side that may pass by itself. */
export const passingFix =
  "nothing needs to be done while it passes: it is tried again; where it goes on, look at the vendor's status page and at what lies between";

/** What is done about anything thrown; nothing of its own for what has no code. */
export function consequenceOf(error: unknown): Consequence {
  return error instanceof PenstockError ? codes[error.code] : {};
}

interface ErrorDetails {
  /** The place: `config/penstock.yaml:6:5 (sinks.soc.tokn)`, `source acme-prod`. */
  readonly where?: string;
  /** What to do about it, one imperative sentence without a full stop. */
  readonly fix?: string;
  readonly cause?: unknown;
  /** HTTP status that led here, when there was one. */
  readonly status?: number;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** False when not a byte of the request can have left this machine. */
  readonly sent?: boolean;
}

/**
 * The one error class: a code from the table, what happened, where, and the fix.
 *
 * The message never carries a secret; whoever throws scrubs what a peer said.
 */
export class PenstockError extends Error {
  override readonly name = 'PenstockError';
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly fix: string | undefined;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly sent: boolean;

  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.where = details.where;
    this.fix = details.fix;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.sent = details.sent ?? true;
  }
}

/** Renders an error for people: `where: what`, then `fix:` on a line of its own. */
export const explain = (error: unknown): string => render(error, '\n  fix: ');

/** The same on one line, for a reason that stands inside a sentence or a list. */
export const explainInLine = (error: unknown): string => render(error, '; ');

function render(error: unknown, beforeFix: string): string {
  if (!(error instanceof PenstockError)) return error instanceof Error ? error.message : String(error);
  const what = error.where === undefined ? error.message : `${error.where}: ${error.message}`;
  return error.fix === undefined ? what : `${what}${beforeFix}${error.fix}`;
}

/** Turns anything thrown into a PenstockError, keeping it as the cause. */
export function asPenstockError(error: unknown, code: ErrorCode = 'PEN_INTERNAL'): PenstockError {
  if (error instanceof PenstockError) return error;
  return new PenstockError(code, error instanceof Error ? error.message : String(error), { cause: error });
}
