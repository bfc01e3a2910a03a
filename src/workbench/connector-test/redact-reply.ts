// A recorded answer without its secrets, by the rules of records. What was taken out keeps apart from what else was, and empty stays empty:
// a walk over the recording has to take the turns of the walk that was recorded.
import { PenstockError } from '../../base/errors.ts';
import { parseForeignJson } from '../../base/foreign.ts';
import { isObject, setOwn } from '../../base/json.ts';
import { redact } from '../../event/index.ts';
import type { HttpResponse } from '../../http/client.ts';

export interface Redaction {
  /** `page-N.json` */
  body(reply: HttpResponse): string;
  /** `page-N.headers` */
  head(reply: HttpResponse): string;
  /** Any other value, without the secrets that are known. */
  plain(value: unknown): unknown;
}

const mark = '[REDACTED]';
/** Headers that a connector may read besides those that it names. */
const kept = /^(?:content-type|link|retry-after)$|page|cursor|next|total|count|more|rate-?limit/;

/** Gives what was taken out a number for each different value; the same value has the same number. */
class Numbering {
  readonly #numbers = new Map<string, number>();

  /** `clean` is what the value became; empty texts stay as they are. */
  apply(value: unknown, clean: unknown): unknown {
    if (clean === value || value === '') return value;
    if (typeof clean === 'string') return clean.replaceAll(mark, () => `REDACTED-${this.#numberOf(value)}`);
    if (Array.isArray(clean) && Array.isArray(value)) return clean.map((item, at) => this.apply(value[at], item));
    return isObject(clean) && isObject(value) ? this.#members(value, clean) : clean;
  }

  #members(value: Record<string, unknown>, clean: Record<string, unknown>): Record<string, unknown> {
    const [before, after] = [Object.values(value), Object.entries(clean)];
    // Keys may have been cleaned too, and then fall together.
    if (before.length !== after.length) return clean;
    const copy: Record<string, unknown> = {};
    for (const [at, [key, member]] of after.entries()) setOwn(copy, key, this.apply(before[at], member));
    return copy;
  }

  #numberOf(value: unknown): number {
    const key = JSON.stringify(value);
    const number = this.#numbers.get(key) ?? this.#numbers.size + 1;
    this.#numbers.set(key, number);
    return number;
  }
}

/** `spec` is the connector's text: headers that it names are kept. */
export function openRedaction(scrub: (text: string) => string, spec: string): Redaction {
  const numbering = new Numbering();
  const named = spec.toLowerCase();
  const without = (value: unknown): unknown => numbering.apply(value, redact(value, scrub));
  return {
    plain: (value) => (typeof value === 'string' ? scrub(value) : value),
    body: (reply) => bodyOf(reply, without),
    head({ status, headers }) {
      const lines = Object.entries(headers)
        .filter(([name]) => name !== 'set-cookie' && (kept.test(name) || named.includes(`"${name}"`)))
        .map(([name, value]) => `${name}: ${String(Object.values(without({ [name]: value }) as object)[0])}\n`);
      return `HTTP/1.1 ${status}\n${lines.join('')}`;
    },
  };
}

function bodyOf({ status, body }: HttpResponse, without: (value: unknown) => unknown): string {
  const text = decoded(body);
  const values = text === undefined ? undefined : jsonValues(text);
  if (values !== undefined)
    return values.map((value) => `${JSON.stringify(without(value), null, values.length === 1 ? 2 : 0)}\n`).join('');
  // A failure counts by its status.
  if (status < 200 || status > 299) return '';
  throw new PenstockError('PEN_OPERATION_FAILED', 'the answer is neither JSON nor NDJSON, and was not saved', {
    fix: 'save it by hand (curl -o page-1.json), and take out what is secret',
  });
}

function decoded(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}

/** One value of JSON, or a value a line. */
function jsonValues(text: string): readonly unknown[] | undefined {
  const parsed = (one: string): readonly [unknown] | undefined => {
    try {
      return [parseForeignJson(one)];
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  };
  const whole = parsed(text);
  if (whole !== undefined) return whole;
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const values = lines.map(parsed);
  return values.every((value) => value !== undefined) ? values.flat() : undefined;
}
