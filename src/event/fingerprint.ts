import { boundDepth } from './depth.ts';
import { compileCanonical, fingerprintOfText } from './identity.ts';
import { compilePath } from './path.ts';
import { isPlainText, redact } from './redact.ts';

/** What a record comes to when it is collected. */
interface Fingerprinted {
  /** As `fingerprintOf`, over the record before redaction. */
  readonly fingerprint: string;
  /** As `redact`: the same object when there was nothing to take out. */
  readonly record: unknown;
}

function isPlainValue(value: unknown): boolean {
  if (typeof value === 'string') return isPlainText(value);
  return value === undefined || isPlainText(JSON.stringify(value));
}

/**
 * Compiles fingerprint and redaction of records with these `volatile` paths. The text that is made for the fingerprint also tells that there
 * is nothing to redact; only what it leaves out has to be looked at apart.
 */
export function compileFingerprint(volatile: readonly string[] = []): (record: unknown) => Fingerprinted {
  const canonicalOf = compileCanonical(volatile);
  const leftOut = volatile.map((path) => compilePath(path));
  const mayBePlain = volatile.every(isPlainText);
  return (raw) => {
    const record = boundDepth(raw);
    const text = canonicalOf(record);
    const isPlain = mayBePlain && isPlainText(text) && leftOut.every((read) => isPlainValue(read(record)));
    return { fingerprint: fingerprintOfText(text), record: isPlain ? record : redact(record) };
  };
}
