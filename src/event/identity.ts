// Ids that stay the same for the same record, whatever the source is called and whatever redaction will do (they are made before it).
import { hash } from 'node:crypto';
import { canonicalJson, isObject, setOwn } from '../base/json.ts';
import { boundDepth } from './depth.ts';
import { compilePath, parsePath, type Step } from './path.ts';
import { isPlainJson, isPlainText, redact, type Scrub } from './redact.ts';

/**
 * `metadata.uid`: the first 32 hex digits of SHA-256 over action table, tenant and native id, one per line as UTF-8. With a fingerprint
 * it names the second record that came under a known id.
 */
export function uidOf(table: string, tenant: string | undefined, nativeId: string, fingerprint?: string): string {
  const text = `${table}\n${tenant ?? ''}\n${nativeId}`;
  return hash('sha256', fingerprint === undefined ? text : `${text}\n${fingerprint}`, 'hex').slice(0, 32);
}

/** The native id of a record that could not be read: SHA-256 of its text, hex. */
export function hashText(text: string): string {
  return hash('sha256', text, 'hex');
}

function without(value: unknown, steps: readonly Step[], depth: number): unknown {
  const key = steps[depth];
  if (typeof key !== 'string' || !isObject(value) || !Object.hasOwn(value, key)) return value;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    if (name !== key) setOwn(copy, name, value[name]);
    else if (depth + 1 < steps.length) setOwn(copy, name, without(value[name], steps, depth + 1));
  }
  return copy;
}

/** A record as compact JSON with sorted keys, volatile paths left out; see {@link fingerprintOf}. The record must be bounded in depth. */
type CanonicalText = (record: unknown) => string;

/** Compiles the canonical text of records with these `volatile` paths (`message`, `meta.views`). */
function compileCanonical(volatile: readonly string[] = []): CanonicalText {
  const paths = volatile.map((path) => parsePath(path) ?? []);
  const nested = paths.filter((steps) => steps.length > 1);
  const members = new Set(paths.flatMap(([key, ...more]) => (typeof key === 'string' && more.length === 0 ? [key] : [])));
  return (record) => {
    let rest = record;
    for (const steps of nested) rest = without(rest, steps, 0);
    return canonicalJson(rest, members);
  };
}

/** The fingerprint of a record by its canonical text. */
function fingerprintOfText(canonical: string): string {
  return hash('sha256', canonical, 'hex').slice(0, 16);
}

/**
 * First 16 hex digits of SHA-256 over the record as compact JSON with sorted keys, `volatile` paths (`message`, `meta.views`) left out:
 * two copies of one record have the same. Any JSON value has one.
 */
export function fingerprintOf(record: unknown, volatile: readonly string[] = []): string {
  return fingerprintOfText(compileCanonical(volatile)(boundDepth(record)));
}

/** A field of a record that has no id: its canonical name or path, or those it may have with the canonical one first. */
export type HashField = string | readonly string[];

/**
 * Compiles the native id of records without one: compact JSON of the given fields under their canonical names in alphabetical order.
 * {@link uidOf} hashes it. Fields that the record lacks are left out, all others do not count.
 */
export function compileHashId(fields: readonly HashField[]): (record: unknown) => string {
  const named = fields.map((field): readonly string[] => (typeof field === 'string' ? [field] : field));
  named.sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1));
  const fieldsOf = named.map((names) => ({ name: names[0] ?? '', values: names.map(compileField) }));
  return (record) => {
    const row: Record<string, unknown> = {};
    if (isObject(record)) {
      for (const { name, values } of fieldsOf) {
        const found = values.map((valueOf) => valueOf(record)).find((value) => value !== undefined);
        if (found !== undefined) setOwn(row, name, boundDepth(found));
      }
    }
    return JSON.stringify(row);
  };
}

/** The member of that name, as columns have them, or else what the name leads to as a path. */
function compileField(name: string): (record: Readonly<Record<string, unknown>>) => unknown {
  const isPath = (parsePath(name)?.length ?? 0) > 1;
  const valueAt = isPath ? compilePath(name) : () => undefined;
  return (record) => (Object.hasOwn(record, name) ? record[name] : valueAt(record));
}

/** What is known of a record beside its value. */
interface Known {
  /** Takes out secrets by value. */
  readonly scrub?: Scrub | undefined;
  readonly text?: string | undefined;
  /** It is not nested beyond what {@link boundDepth} allows. */
  readonly isShallow?: boolean | undefined;
}

/** What a record comes to when it is collected. */
interface Fingerprinted {
  /** As `fingerprintOf`, over the record before redaction. */
  readonly fingerprint: string;
  /** As `redact`: the same object when there was nothing to take out. */
  readonly record: unknown;
  /** Nothing of the record was changed, and nothing of its text has to be. */
  readonly isAsItCame: boolean;
}

function isPlainValue(value: unknown, scrub: Scrub | undefined): boolean {
  if (typeof value === 'string') return isPlainText(value, scrub);
  return value === undefined || isPlainJson(JSON.stringify(value), scrub);
}

/**
 * Compiles fingerprint and redaction of records with these `volatile` paths. A record's text, where it is at hand, tells by itself that there is
 * nothing to redact; otherwise that which is made for the fingerprint does, and only what it leaves out has to be looked at apart.
 */
export function compileFingerprint(volatile: readonly string[] = []): (record: unknown, known?: Known) => Fingerprinted {
  const canonicalOf = compileCanonical(volatile);
  const leftOut = volatile.map((path) => compilePath(path));
  const mayBePlain = volatile.every((path) => isPlainText(path));
  return (raw, { scrub, text: json, isShallow = false } = {}) => {
    const record = isShallow ? raw : boundDepth(raw);
    const text = canonicalOf(record);
    const fingerprint = fingerprintOfText(text);
    const isPlain =
      json === undefined
        ? mayBePlain && isPlainJson(text, scrub) && leftOut.every((read) => isPlainValue(read(record), scrub))
        : isPlainJson(json, scrub);
    return { fingerprint, record: isPlain ? record : redact(record, scrub), isAsItCame: isPlain && record === raw };
  };
}
