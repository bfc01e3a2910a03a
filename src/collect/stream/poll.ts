// A subscription: messages are committed, then acknowledged by the reader. Not committed means not acknowledged: the broker keeps them.
import { sleep } from '../../base/clock.ts';
import { asPenstockError, consequenceOf, PenstockError } from '../../base/errors.ts';
import { formatDuration } from '../../base/quantity.ts';
import { fullJitterMs } from '../../base/random.ts';
import type { Reader, StreamMessage, StreamReader, StreamState } from '../../connectors/connector.ts';
import { admit } from '../admit.ts';
import { type LiveCheckpoint, openLiveCheckpoint } from '../checkpoint.ts';
import { type SourceContext, untilRoom } from '../context.ts';
import { examineAll } from '../examine.ts';
import { type Kind, type Poll, readerOf } from '../kind.ts';
import { closeRow, receivedRow } from '../ledger-row.ts';

/** Quiet time after which `run --once` takes the backlog for drained. */
const drainedMs = 3_000;
/** How long a stream stands before that alone ends a hold: of several topics another one may be refused a moment later. */
const steadyMs = 10_000;
/** How long a topic may be away before `status` warns. */
const awayMs = 300_000;
/** How old the oldest message may be that is not acknowledged. */
const backlogMs = 900_000;

interface TopicFacts extends StreamState {
  /** Wall time of the last change between connected and not, and the same on the monotonic clock. */
  readonly since: number;
  readonly sinceMonotonic: number;
}

export class StreamKind implements Kind {
  readonly hasWindows = false;
  readonly isEndless = true;
  readonly #context: SourceContext;
  readonly #topics = new Map<string, TopicFacts>();

  constructor(context: SourceContext) {
    this.#context = context;
  }

  async poll(reader: Reader, poll: Poll): Promise<void> {
    await runStream(this.#context, readerOf('pulsar_websocket', reader), poll, this.#topics);
  }

  details(): Readonly<Record<string, unknown>> {
    return { topics: Object.fromEntries([...this.#topics].map(([name, facts]) => [name, shown(this.#context, facts)])) };
  }

  warnings(): readonly string[] {
    return [...this.#topics.values()].flatMap((facts) => notice(this.#context, facts));
  }
}

/** `backlog_age_seconds` is 0 when everything that came is acknowledged, and unknown while the topic is away. */
function shown({ seams }: SourceContext, { connected, since, error, oldestUnacked }: TopicFacts): Record<string, unknown> {
  const age = oldestUnacked === undefined ? 0 : Math.max(0, Math.floor((seams.clock.now() - oldestUnacked) / 1000));
  return {
    connected,
    since,
    ...(error === undefined ? {} : { error }),
    ...(oldestUnacked === undefined ? {} : { oldest_unacked: oldestUnacked }),
    ...(connected ? { backlog_age_seconds: age } : {}),
  };
}

function notice({ seams }: SourceContext, { topic, connected, sinceMonotonic, error, oldestUnacked }: TopicFacts): string[] {
  const now = seams.clock.now();
  const age = seams.clock.monotonic() - sinceMonotonic;
  if (connected && oldestUnacked !== undefined && now - oldestUnacked >= backlogMs) {
    const waits = formatDuration(now - oldestUnacked);
    return [
      `topic ${topic}: the oldest message that is not acknowledged waits for ${waits}; a full backlog stops the vendor's export`,
    ];
  }
  if (connected || age < awayMs) return [];
  return [`topic ${topic} is not connected for ${formatDuration(age)}${error === undefined ? '' : `: ${error}`}`];
}

async function runStream(
  context: SourceContext,
  reader: StreamReader,
  { once, halt }: Poll,
  topics: Map<string, TopicFacts>,
): Promise<void> {
  const { health, state, seams } = context;
  const hours: Hours = { current: undefined };
  const connected = new Set<string>();
  using drain = once ? new Drain(context, halt.soft) : undefined;
  let isSteady = false;
  using _steady = seams.clock.timer(steadyMs, () => {
    isSteady = true;
    if (connected.size > 0) void health.succeeded();
  });
  const outdated = new AbortController();
  let live = await openLiveCheckpoint(context, seams.clock.now());
  const handlers = {
    async onMessages(messages: readonly StreamMessage[]): Promise<void> {
      drain?.touch();
      await untilRoom(context, halt.soft);
      live = await untilCommitted(context, messages, live, hours, halt.soft);
      state.cursor = live.until;
      if (isSteady || health.hold === undefined) await health.succeeded();
    },
    onState(news: StreamState): void {
      noteState(context, topics, news);
      if (!news.connected) connected.delete(news.topic);
      else connected.add(news.topic);
      if (!news.connected) void endIfOutdated(reader, news, outdated);
      if (isSteady && news.connected) void health.succeeded();
    },
  };
  const ended = drain?.signal ?? halt.soft;
  await reader.run(handlers, AbortSignal.any([ended, outdated.signal]));
  if (!ended.aborted) outdated.signal.throwIfAborted();
}

/** The reader connects again and again with what it was opened with: where that has been replaced, it ends, and another one is opened. */
async function endIfOutdated(reader: StreamReader, { topic, error }: StreamState, outdated: AbortController): Promise<void> {
  if ((await reader.isOutdated?.()) !== true) return;
  const why = error === undefined ? '' : `: ${error}`;
  outdated.abort(new PenstockError('PEN_SOURCE_UNAVAILABLE', `topic ${topic} is not connected${why}`));
}

function noteState({ log, seams }: SourceContext, topics: Map<string, TopicFacts>, state: StreamState): void {
  const before = topics.get(state.topic);
  const isChange = before?.connected !== state.connected;
  const { clock } = seams;
  const { since, sinceMonotonic } = isChange ? { since: clock.now(), sinceMonotonic: clock.monotonic() } : before;
  topics.set(state.topic, { ...state, since, sinceMonotonic });
  if (!isChange) return;
  if (state.connected) log.info({ topic: state.topic }, 'topic connected');
  else log.warn({ topic: state.topic, reason: state.error }, 'topic disconnected, it is tried again');
}

/** The hour whose row in the ledger counts what comes. */
interface Hours {
  current: ReturnType<typeof receivedRow> | undefined;
}

/** Tries a commit until it stands: the messages wait unacknowledged, and giving up would only make the broker send them again. */
async function untilCommitted(
  context: SourceContext,
  messages: readonly StreamMessage[],
  live: LiveCheckpoint,
  hours: Hours,
  signal: AbortSignal,
): Promise<LiveCheckpoint> {
  const { seams, log } = context;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await commitMessages(context, messages, live, hours);
    } catch (thrown) {
      signal.throwIfAborted();
      if (consequenceOf(thrown).source === 'end') throw thrown;
      const waitMs = 500 + fullJitterMs(seams.random, attempt, 1_000, 30_000);
      log[attempt === 0 ? 'warn' : 'debug'](
        { err: asPenstockError(thrown), waitMs },
        'messages could not be committed, they wait unacknowledged',
      );
      await sleep(seams.clock, waitMs, signal);
    }
  }
}

async function commitMessages(
  context: SourceContext,
  messages: readonly StreamMessage[],
  live: LiveCheckpoint,
  hours: Hours,
): Promise<LiveCheckpoint> {
  const now = context.seams.clock.now();
  const row = receivedRow(now);
  if (hours.current !== undefined && hours.current.key !== row.key) await closeRow(context, hours.current);
  hours.current = row;
  const raws = messages.flatMap(({ records }) => records);
  const facts = await examineAll(context, raws);
  // A record that claims to come from the future must not make the cursor look fresh.
  const times = facts.flatMap(({ time }) => (time !== undefined && time <= now ? [time] : []));
  const until = times.reduce((a, b) => Math.max(a, b), live.until === live.start ? (times[0] ?? live.until) : live.until);
  const next = { ...live, until };
  await admit(context, facts, { lane: 'live', row, checkpoint: { name: 'live', value: next } });
  return next;
}

/** Ends a `run --once` when nothing came for a while. */
class Drain implements Disposable {
  readonly #controller = new AbortController();
  readonly #context: SourceContext;
  readonly #parent: AbortSignal;
  #timer: Disposable;

  constructor(context: SourceContext, parent: AbortSignal) {
    this.#context = context;
    this.#parent = parent;
    this.#timer = this.#arm();
    parent.addEventListener('abort', this.#end, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came. */
  touch(): void {
    this.#timer[Symbol.dispose]();
    this.#timer = this.#arm();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#parent.removeEventListener('abort', this.#end);
  }

  readonly #end = (): void => this.#controller.abort(this.#parent.reason);

  #arm(): Disposable {
    return this.#context.seams.clock.timer(drainedMs, () =>
      this.#controller.abort(new DOMException('nothing more came', 'AbortError')),
    );
  }
}
