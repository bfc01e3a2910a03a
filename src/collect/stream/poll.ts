// A subscription: messages are committed, then acknowledged by the reader. Not committed means not acknowledged: the broker keeps them.
import { sleep } from '../../base/clock.ts';
import { asPenstockError } from '../../base/errors.ts';
import { formatDuration } from '../../base/quantity.ts';
import { fullJitterMs } from '../../base/random.ts';
import type { RawRecord, StreamMessage, StreamReader, StreamState } from '../../connectors/connector.ts';
import { zeroCounts } from '../../journal/counts.ts';
import { admit, examineAll } from '../admit.ts';
import type { LiveCheckpoint } from '../checkpoint.ts';
import type { SourceContext } from '../context.ts';
import { openLiveCheckpoint } from '../live-checkpoint.ts';
import type { KindLoop, PollSession } from '../loop.ts';

const hourMs = 3_600_000;
/** Quiet time after which `run --once` takes the backlog for drained. */
const drainedMs = 3_000;
/** How long a topic may be away before `status` warns. */
const awayMs = 300_000;
/** How old the oldest message may be that is not acknowledged. */
const backlogMs = 900_000;

interface TopicFacts extends StreamState {
  /** Wall time of the last change between connected and not. */
  readonly since: number;
}

/** The loop of a stream source. */
export function streamKind(c: SourceContext): KindLoop<StreamReader> {
  const topics = new Map<string, TopicFacts>();
  return {
    hasWindows: false,
    isEndless: true,
    poll: (reader, session) => runStream(c, reader, session, topics),
    details: () => ({ topics: Object.fromEntries([...topics].map(([name, facts]) => [name, shown(c, facts)])) }),
    warnings: () => [...topics.values()].flatMap((facts) => notice(c, facts)),
  };
}

/** `backlog_age_seconds` is 0 when everything that came is acknowledged, and unknown while the topic is away. */
function shown({ deps }: SourceContext, { connected, since, error, oldestUnacked }: TopicFacts): Record<string, unknown> {
  const age = oldestUnacked === undefined ? 0 : Math.max(0, Math.floor((deps.seams.clock.now() - oldestUnacked) / 1000));
  return {
    connected,
    since,
    ...(error === undefined ? {} : { error }),
    ...(oldestUnacked === undefined ? {} : { oldest_unacked: oldestUnacked }),
    ...(connected ? { backlog_age_seconds: age } : {}),
  };
}

function notice({ deps }: SourceContext, { topic, connected, since, error, oldestUnacked }: TopicFacts): string[] {
  const now = deps.seams.clock.now();
  const age = now - since;
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
  c: SourceContext,
  reader: StreamReader,
  session: PollSession,
  topics: Map<string, TopicFacts>,
): Promise<void> {
  const { clock } = c.deps.seams;
  let live = await openLiveCheckpoint(c, clock.now());
  const hours = { current: undefined as number | undefined };
  const drain = session.once ? createDrain(c, session.halt.soft) : undefined;
  const handlers = {
    async onMessages(messages: readonly StreamMessage[]): Promise<void> {
      drain?.touch();
      session.onAnswer();
      await session.waitForRoom();
      live = await untilCommitted(c, () => commitMessages(c, messages, live, hours), session.halt.soft);
      session.onCursor(live.until);
    },
    onState(state: StreamState): void {
      noteState(c, topics, state);
      if (state.connected) session.onAnswer();
    },
  };
  try {
    await reader.run(handlers, drain?.signal ?? session.halt.soft);
  } finally {
    drain?.[Symbol.dispose]();
  }
}

function noteState({ log, deps }: SourceContext, topics: Map<string, TopicFacts>, state: StreamState): void {
  const before = topics.get(state.topic);
  const isChange = before?.connected !== state.connected;
  topics.set(state.topic, { ...state, since: isChange ? deps.seams.clock.now() : before.since });
  if (!isChange) return;
  if (state.connected) log.info({ topic: state.topic }, 'topic connected');
  else log.warn({ topic: state.topic, reason: state.error }, 'topic disconnected, it is tried again');
}

async function commitMessages(
  c: SourceContext,
  messages: readonly StreamMessage[],
  live: LiveCheckpoint,
  hours: { current: number | undefined },
): Promise<LiveCheckpoint> {
  const now = c.deps.seams.clock.now();
  const hour = Math.floor(now / hourMs) * hourMs;
  if (hours.current !== undefined && hours.current !== hour) await closeHour(c, hours.current);
  hours.current = hour;
  const raws: RawRecord[] = messages.flatMap(({ records }) => records);
  const facts = await examineAll(c, raws);
  // A record that claims to come from the future must not make the cursor look fresh.
  const times = facts.flatMap(({ time }) => (time !== undefined && time <= now ? [time] : []));
  const until = times.reduce((a, b) => Math.max(a, b), live.until === live.start ? (times[0] ?? live.until) : live.until);
  const next = { ...live, until };
  await admit(c, facts, { lane: 'live', window: hourWindow(hour), checkpoint: { name: 'live', value: next } });
  return next;
}

function hourWindow(hour: number): { key: string; from: number; to: number } {
  return { key: `received ${new Date(hour).toISOString().slice(0, 13)}`, from: hour, to: hour + hourMs - 1 };
}

async function closeHour({ deps, settings }: SourceContext, hour: number): Promise<void> {
  await deps.journal.append({
    source: settings.name,
    window: { ...hourWindow(hour), lane: 'live', ...zeroCounts(), complete: true },
  });
}

/** Tries a commit until it stands: the messages wait unacknowledged, and giving up would only make the broker send them again. */
async function untilCommitted<T>({ deps, log }: SourceContext, commit: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await commit();
    } catch (thrown) {
      signal.throwIfAborted();
      const waitMs = 500 + fullJitterMs(deps.seams.random, attempt, 1_000, 30_000);
      log[attempt === 0 ? 'warn' : 'debug'](
        { err: asPenstockError(thrown), waitMs },
        'messages could not be committed, they wait unacknowledged',
      );
      await sleep(deps.seams.clock, waitMs, signal);
    }
  }
}

interface Drain extends Disposable {
  readonly signal: AbortSignal;
  touch(): void;
}

/** Ends a `run --once` when nothing came for a while. */
function createDrain({ deps }: SourceContext, parent: AbortSignal): Drain {
  const controller = new AbortController();
  const end = (): void => controller.abort(parent.reason);
  const arm = (): Disposable =>
    deps.seams.clock.timer(drainedMs, () => controller.abort(new DOMException('nothing more came', 'AbortError')));
  let timer = arm();
  parent.addEventListener('abort', end, { once: true });
  return {
    signal: controller.signal,
    touch() {
      timer[Symbol.dispose]();
      timer = arm();
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      parent.removeEventListener('abort', end);
    },
  };
}
