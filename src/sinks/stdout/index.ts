import type { Writable } from 'node:stream';
import { type Static, Type } from 'typebox';
import { isObject } from '../../base/json.ts';
import { iso } from '../../base/quantity.ts';
import { OneWriter } from '../one-writer.ts';
import type { OutgoingEvent, Sink, SinkType, Verdict, Verdicts } from '../sink.ts';

/** Options of `type: stdout`. */
const StdoutOptions = Type.Object(
  {
    lines: Type.Enum(['auto', 'body', 'readable'], {
      default: 'body',
      description: 'body: the event in its format; readable: a short line for people; auto: readable on a terminal.',
    }),
  },
  { additionalProperties: false },
);
type StdoutOptions = Static<typeof StdoutOptions>;

/** `type: stdout`: one line per event on standard output. */
export const stdout: SinkType = {
  name: 'stdout',
  options: StdoutOptions,
  defaultFormat: 'ocsf',
  acknowledges: 'written',
  open: async (options) => openLines(process.stdout, chooseLine(options as unknown as StdoutOptions, process.stdout.isTTY)),
  urls: () => [],
};

function chooseLine({ lines }: StdoutOptions, isTerminal: boolean): (event: OutgoingEvent) => string {
  const isReadable = lines === 'readable' || (lines === 'auto' && isTerminal);
  return isReadable ? readableLine : (event) => event.body;
}

const pipeGone = {
  kind: 'hold',
  reason: 'nobody reads standard output any longer',
  fix: 'restart the daemon with its output piped to a reader, or use a file sink',
} as const satisfies Verdict;

/** A sink that writes one line per event to `stream` and waits until it took them. The stream is not closed with the sink. */
export function openLines(stream: Writable, line: (event: OutgoingEvent) => string): Sink {
  guard(stream);
  // A pipe without a reader never gets one again, and process.stdout still calls itself writable.
  let isGone = false;
  const writer = new OneWriter(() => 'standard output takes nothing: whoever reads it stands still');
  const put = async (text: string): Promise<Verdicts> => {
    const verdict = isGone ? pipeGone : await write(stream, text);
    isGone = verdict === pipeGone;
    return { all: verdict };
  };
  return {
    endpoints: ['stdout'],
    maxInFlight: 1,
    isStream: true,
    maxEventBytes: Number.MAX_SAFE_INTEGER,
    encode: (event) => `${line(event)}\n`,
    send: (batch, signal) => writer.send(batch, signal, () => put(batch.encoded.texts().join(''))),
    probe: async () =>
      isGone || !stream.writable
        ? { ok: false, findings: [pipeGone.reason], fix: pipeGone.fix }
        : { ok: true, findings: ['standard output is open'] },
    async [Symbol.asyncDispose]() {
      // Nothing to release: the stream is the process's own.
    },
  };
}

const guarded = new WeakSet<Writable>();

// The write's callback says what went wrong; without a listener the same error, which may come late, would end the process.
function guard(stream: Writable): void {
  if (guarded.has(stream)) return;
  guarded.add(stream);
  stream.on('error', () => undefined);
}

function write(stream: Writable, text: string): Promise<Verdict> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(error === undefined || error === null ? { kind: 'accept' } : verdictOfError(error)));
  });
}

function verdictOfError(error: NodeJS.ErrnoException): Verdict {
  const isGone = error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED' || error.code === 'ERR_STREAM_WRITE_AFTER_END';
  return isGone ? pipeGone : { kind: 'retry', reason: `standard output: ${error.message}` };
}

const shownSeverities: Readonly<Record<number, string>> = {
  1: 'info',
  2: 'low',
  3: 'medium',
  4: 'high',
  5: 'critical',
  6: 'fatal',
};

/** An event as a person reads it on a terminal: time, source, severity, what happened, by whom, from where. */
export function readableLine({
  event,
  source,
  action,
  actionKey,
}: Pick<OutgoingEvent, 'event' | 'source' | 'action' | 'actionKey'>): string {
  const actor =
    read(event, 'actor', 'user', 'name') ?? read(event, 'actor', 'user', 'email_addr') ?? read(event, 'actor', 'user', 'uid');
  const address = read(event, 'src_endpoint', 'ip');
  const outcome = event['status_id'] === 2 ? 'FAILED' : undefined;
  const what = action?.title ?? actionKey ?? 'unreadable record';
  const parts = [
    Number.isFinite(event.time) && Math.abs(event.time) <= 8.64e15 ? iso(event.time) : '-',
    source.padEnd(16),
    (shownSeverities[event.severity_id] ?? '-').padEnd(8),
    what,
    outcome,
    actor === undefined ? undefined : `by ${actor}`,
    address === undefined ? undefined : `from ${address}`,
  ];
  return oneLine(parts.filter((part) => part !== undefined).join('  '));
}

// A vendor's text must not move the cursor or forge a line.
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, ' ');
}

function read(event: unknown, ...path: string[]): string | undefined {
  let value: unknown = event;
  for (const name of path) value = isObject(value) ? value[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
