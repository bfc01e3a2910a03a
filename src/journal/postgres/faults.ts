// What PostgreSQL answers and what its absence means, in the journal's codes.
import { DatabaseError } from 'pg';
import { type ErrorCode, PenstockError } from '../../base/errors.ts';

type Fault = readonly [code: ErrorCode, what: string, fix: string];

const away = 'see that the database runs and can be reached; what was collected stays where it is, and work resumes by itself';
const rights = 'give the role its rights on the schema and see that the database takes writes; work resumes by itself';
const space = 'free space on the disk of the database server; collection resumes by itself';
const memory = 'give the database server more memory, or fewer connections; collection resumes by itself';
const damaged = 'check the database server and its disks, and restore the database where it is damaged';

const unavailable: Fault = ['PEN_JOURNAL_UNAVAILABLE', 'the database did not answer', away];

const untrusted: Fault = [
  'PEN_JOURNAL_UNAVAILABLE',
  'the certificate of the database server is not trusted for the name in journal.url',
  'let journal.tls.ca_file name the authority that signed it, and journal.url the host as the certificate does',
];
const unreadable: Fault = [
  'PEN_JOURNAL_UNAVAILABLE',
  'the password of the database, or the certificate authority, could not be read',
  'see that the file is there, and that the user who runs penstock may read it',
];
const lacksPassword: Fault = [
  'PEN_JOURNAL_UNWRITABLE',
  'the database asks for a password, and there is none',
  'set journal.password, or --password-file where a command names the database',
];
const crowded: Fault = [
  'PEN_JOURNAL_UNAVAILABLE',
  'the database, or the pooler before it, takes no further connection',
  'let it take more (max_connections of PostgreSQL, max_client_conn of PgBouncer), or set journal.connections lower; work resumes by itself',
];
const certificate = /^(ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_)/;

/** By SQLSTATE, or its first two characters. Source: https://www.postgresql.org/docs/15/errcodes-appendix.html */
const faults: Readonly<Record<string, Fault>> = {
  '08': ['PEN_JOURNAL_UNAVAILABLE', 'the connection to the database was lost', away],
  '57': ['PEN_JOURNAL_UNAVAILABLE', 'the database ended the statement', away],
  '53': ['PEN_JOURNAL_UNAVAILABLE', 'the database has no connection or memory to spare', away],
  '40': ['PEN_JOURNAL_UNAVAILABLE', 'the database could not bring writers that met into an order', away],
  '55P03': ['PEN_JOURNAL_UNAVAILABLE', 'another connection holds a row of the journal', away],
  '25P03': ['PEN_JOURNAL_UNAVAILABLE', 'the database ended a transaction that stood still', away],
  '53100': ['PEN_JOURNAL_FULL', 'the disk of the database server is full', space],
  '53200': ['PEN_JOURNAL_FULL', 'the database server is out of memory', memory],
  XX001: ['PEN_JOURNAL_CORRUPT', 'the database is damaged', damaged],
  XX002: ['PEN_JOURNAL_CORRUPT', 'an index of the database is damaged', damaged],
  '25006': ['PEN_JOURNAL_UNWRITABLE', 'the database takes no writes', rights],
  '42501': ['PEN_JOURNAL_UNWRITABLE', 'the role of the database may not do this', rights],
  '28': ['PEN_JOURNAL_UNWRITABLE', 'the database refused the role or its password', 'see journal.url and journal.password'],
  '3D': ['PEN_JOURNAL_UNWRITABLE', 'there is no such database', 'make it, or correct journal.url'],
  '42': ['PEN_JOURNAL_CORRUPT', 'a table of the journal is not as it was made', damaged],
};

/** The SQLSTATE of an answer; undefined where nothing answered. */
export function sqlState(error: unknown): string | undefined {
  const { code } = error instanceof DatabaseError ? error : { code: undefined };
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

const isOurs = (error: unknown): boolean =>
  [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);

const isUntrusted = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && certificate.test(error.code);

/** What kept a connection from being made was a file of this machine, or that there is no password. */
function ownFault(error: unknown): Fault | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('syscall' in error && 'path' in error && (error.syscall === 'open' || error.syscall === 'read')) return unreadable;
  return /client password must be a (non-empty )?string/.test(error.message) ? lacksPassword : undefined;
}

/** True where it is not known whether the statement was done: the connection broke, or no answer came in time. */
export function isLost(error: unknown): boolean {
  if (error instanceof PenstockError) return error.cause !== undefined && isLost(error.cause);
  const state = sqlState(error);
  return state === undefined ? error instanceof Error && !isOurs(error) : state.startsWith('08') || state.startsWith('57P');
}

/** True for what the same transaction, tried again, gets over: it met another one. */
export function isCollision(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}

/** True where the server, or a pooler before it, takes no further connection. */
export function isCrowded(error: unknown): boolean {
  const state = sqlState(error);
  return state === '53300' || (state === '08P01' && error instanceof Error && error.message.includes('no more connections'));
}

/** What a failed statement means to who reads of it. */
export function faultOf(error: unknown): Fault {
  if (isCrowded(error)) return crowded;
  const state = sqlState(error);
  if (state === undefined) return ownFault(error) ?? (isUntrusted(error) ? untrusted : unavailable);
  return (
    faults[state] ?? faults[state.slice(0, 2)] ?? ['PEN_INTERNAL', 'the database refused a statement', 'report this with the log']
  );
}

/** Turns whatever a statement threw into a PenstockError; one stays as it is. */
export function databaseError(error: unknown, where: string): PenstockError {
  if (error instanceof PenstockError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (isOurs(error)) return new PenstockError('PEN_INTERNAL', detail, { where, cause: error, fix: 'report this with the log' });
  const state = sqlState(error);
  const [code, what, fix] = faultOf(error);
  return new PenstockError(code, `${what} (${state === undefined ? '' : `${state}: `}${detail})`, { where, cause: error, fix });
}

/** A unit is another replica's by now: nothing was written. */
export function fencedError(source: string): PenstockError {
  return new PenstockError('PEN_JOURNAL_FENCED', 'another replica has taken the source over', {
    where: `source ${source}`,
    fix: 'nothing is lost: the other replica goes on from what was written last',
  });
}
