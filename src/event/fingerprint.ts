import { boundDepth } from './depth.ts';
import { compileCanonical, fingerprintOfText } from './identity.ts';
import { compilePath } from './path.ts';
import { isPlainText, redact, type Scrub } from './redact.ts';

/** What a record comes to when it is collected. */
interface Fingerprinted {
  /** As `fingerprintOf`, over the record before redaction. */
  readonly fingerprint: string;
  /** As `redact`: the same object when there was nothing to take out. */
  readonly record: unknown;
}

function isPlainValue(value: unknown, scrub: Scrub | undefined): boolean {
  if (typeof value === 'string') return isPlainText(value, scrub);
  return value === undefined || isPlainText(JSON.stringify(value), scrub);
}

/**
 * Compiles fingerprint and redaction of records with these `volatile` paths. The text that is made for the fingerprint also tells that there
 * is nothing to redact; only what it leaves out has to be looked at apart.
 */
export function compileFingerprint(volatile: readonly string[] = []): (record: unknown, scrub?: Scrub) => Fingerprinted {
  const canonicalOf = compileCanonical(volatile);
  const leftOut = volatile.map((path) => compilePath(path));
  const mayBePlain = volatile.every((path) => isPlainText(path));
  return (raw, scrub) => {
    const record = boundDepth(raw);
    const text = canonicalOf(record);
    const isPlain = mayBePlain && isPlainText(text, scrub) && leftOut.every((read) => isPlainValue(read(record), scrub));
    return { fingerprint: fingerprintOfText(text), record: isPlain ? record : redact(record, scrub) };
  };
}
