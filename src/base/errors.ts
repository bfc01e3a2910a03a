/** What the process or the source does when an error of a code reaches the place that decides. */
export interface Consequence {
  /** Exit code of a command that ends with it; 1 when absent. */
  readonly exit?: 1 | 2;
  /**
   * What a source does: `hold` waits for a person, `fail_poll` tries again at the next poll, `halve` reads half of the window,
   * `restart_walk` begins the window again without its page token.
   */
  readonly source?: 'hold' | 'fail_poll' | 'halve' | 'restart_walk';
}

const codes = {
  PEN_USAGE: { exit: 2 },
  PEN_CONFIG_INVALID: { exit: 2 },
  PEN_CONNECTOR_INVALID: { exit: 2 },
  PEN_ABORTED: {},
  PEN_INTERNAL: { source: 'fail_poll' },
  PEN_HTTP_UNREACHABLE: { source: 'fail_poll' },
  PEN_HTTP_TIMEOUT: { source: 'fail_poll' },
  PEN_HTTP_RESET: { source: 'fail_poll' },
  PEN_HTTP_TLS: { source: 'fail_poll' },
  PEN_HTTP_TOO_LARGE: { source: 'fail_poll' },
  PEN_HTTP_BAD_BODY: { source: 'fail_poll' },
  PEN_SOURCE_REFUSED: { source: 'hold' },
  PEN_SOURCE_BAD_REPLY: { source: 'fail_poll' },
  PEN_SOURCE_UNAVAILABLE: { source: 'fail_poll' },
  PEN_WINDOW_TOO_LARGE: { source: 'halve' },
  PEN_PAGE_TOKEN_REFUSED: { source: 'restart_walk' },
  PEN_PAGE_LOOP: { source: 'fail_poll' },
  PEN_WALK_INCOMPLETE: { source: 'fail_poll' },
  PEN_FOREIGN_ORIGIN: { source: 'fail_poll' },
  PEN_FILE_UNREADABLE: { source: 'fail_poll' },
  PEN_IDENTITY_CHANGED: { source: 'hold' },
  PEN_JOURNAL_LOCKED: { exit: 1 },
  PEN_JOURNAL_CORRUPT: { exit: 1 },
  PEN_JOURNAL_FOREIGN: { exit: 1 },
  PEN_JOURNAL_UNWRITABLE: { exit: 1, source: 'fail_poll' },
  PEN_JOURNAL_FULL: { source: 'fail_poll' },
  PEN_NOT_FOUND: { exit: 1 },
  PEN_OPERATION_FAILED: { exit: 1 },
} as const satisfies Record<string, Consequence>;

export type ErrorCode = keyof typeof codes;

/** Says what the daemon does about a code. */
export function consequenceOf(code: ErrorCode): Consequence {
  return codes[code];
}

export interface ErrorDetails {
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
export function explain(error: unknown): string {
  if (!(error instanceof PenstockError)) return error instanceof Error ? error.message : String(error);
  const what = error.where === undefined ? error.message : `${error.where}: ${error.message}`;
  return error.fix === undefined ? what : `${what}\n  fix: ${error.fix}`;
}

/** Turns anything thrown into a PenstockError, keeping it as the cause. */
export function asPenstockError(error: unknown, code: ErrorCode = 'PEN_INTERNAL'): PenstockError {
  if (error instanceof PenstockError) return error;
  return new PenstockError(code, error instanceof Error ? error.message : String(error), { cause: error });
}
