/** Knows every secret value of the configuration and takes it out of any text that leaves the process. */
export interface Secrets {
  /** Remembers a value; shorter ones than four characters would hollow out ordinary text and are ignored. */
  add(value: string): void;
  /** The text with every known secret, as written, percent-encoded or in base64, replaced by `[REDACTED]`. */
  scrub(text: string): string;
}

/** An empty set of secrets. */
export function createSecrets(): Secrets {
  const known = new Set<string>();
  let pattern: RegExp | undefined;
  return {
    add(value) {
      if (value.length < 4 || known.has(value)) return;
      for (const form of [
        value,
        encodeURIComponent(value),
        JSON.stringify(value).slice(1, -1),
        Buffer.from(value).toString('base64'),
      ])
        known.add(form);
      const longestFirst = [...known].sort((a, b) => b.length - a.length);
      pattern = new RegExp(longestFirst.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
    },
    scrub: (text) => (pattern === undefined ? text : text.replace(pattern, '[REDACTED]')),
  };
}
