import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/client.ts';

/** Options by their path: `{ 'batch.events': 7 }`. */
export type Values = Readonly<Record<string, unknown>>;

/** A value of an option and, where one alone is refused or does nothing, what stands beside it before and after. */
export type Case = readonly [value: unknown, beside?: Values];

/** The same options as a tree. */
export function nested(flat: Values): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(flat)) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let at = root;
    for (const step of steps) at = (at[step] ??= {}) as Record<string, unknown>;
    at[last] = value;
  }
  return root;
}

/**
 * A test that shows what an option does, where that takes more than one look: its file below `test/`, its name, and the word by which it
 * sets the option, where that is not the option's own name.
 */
export type Elsewhere = readonly [file: string, name: string, word?: string];

const test = resolve(import.meta.dirname, '..');

/** Why a test elsewhere shows nothing of an option: it is not there, or its text does not set the option; undefined when it does. */
export function faultOfElsewhere(option: string, [file, name, word]: Elsewhere): string | undefined {
  const text = readFileSync(join(test, file), 'utf8');
  const starts = [...text.matchAll(/^[ \t]*(?:it|itInLongTests|test)(?:\.\w+)*\(/gm)].map(({ index }) => index);
  const bodies = starts.map((start, at) => text.slice(start, starts[at + 1]));
  const body = bodies.find((one) => [`'${name}'`, `"${name}"`, `\`${name}\``].some((title) => one.includes(title)));
  if (body === undefined) return `${option}: no test "${name}" in ${file}`;
  const key = word ?? (option.split('.').at(-1) ?? '').replaceAll('_', '_?');
  // The title alone sets nothing.
  const isSet = new RegExp(`\\b${key}(Ms)?\\b`, 'i').test(body.replace(name, ''));
  return isSet ? undefined : `${option}: the test "${name}" in ${file} does not set it`;
}

export interface RecordedClient extends HttpClient {
  /** What was asked, in the order of the requests: everything but signals. */
  readonly seen: unknown[];
}

/** An HTTP client without a network that answers as told and remembers what it was asked. */
export function recordingClient(
  answer: (request: HttpRequest) => {
    readonly status?: number;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
  },
): RecordedClient {
  const seen: unknown[] = [];
  return {
    seen,
    request(request) {
      const { signal: _signal, body, ...rest } = request;
      seen.push({ ...rest, url: request.url.href, body: body === undefined ? undefined : Buffer.from(body).toString('latin1') });
      const { status = 200, body: reply = {}, headers = {} } = answer(request);
      const response: HttpResponse = { status, headers, body: Buffer.from(JSON.stringify(reply)) };
      return Promise.resolve(response);
    },
    describeRoute: () => 'direct',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
