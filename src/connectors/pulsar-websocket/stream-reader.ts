// One loop per topic: connecting -> receiving -> waiting -> connecting ... until aborted; a refused token ends all of them. A connection on
// which nothing arrived for minutes is reopened without waiting.
import { sleep } from '../../base/clock.ts';
import { asPenstockError, consequenceOf, explainInLine, PenstockError } from '../../base/errors.ts';
import { fullJitterMs } from '../../base/random.ts';
import { createSecrets } from '../../base/secrets.ts';
import type { ReaderDeps, StreamHandlers, StreamMessage, StreamReader } from '../connector.ts';
import type { PulsarWebsocketSpec } from '../read-section.ts';
import { compileTemplate, type Scope } from '../template.ts';
import { type Subscription, subscriptionsOf } from './address.ts';
import { type Dialling, openWebSocket } from './handshake.ts';
import { probeTopic } from './probe.ts';
import { renewal, runSession } from './session.ts';

const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
/** A connection that lasted this long was a good one: the next wait is the first one again. */
const goodMs = 60_000;

/** Opens a reader of one or several topics. Throws PEN_CONFIG_INVALID for an invalid address or topic. */
export function openStreamReader(
  spec: PulsarWebsocketSpec,
  options: Scope,
  secrets: readonly string[],
  deps: ReaderDeps,
): StreamReader {
  const value = (text: string): string => compileTemplate(text).render(options) ?? '';
  const token = spec.token === undefined ? undefined : compileTemplate(spec.token).render(options);
  const subscriptions = subscriptionsOf({
    service: value(spec.url),
    // An option that is a list gives its elements with commas between them.
    topics: spec.topics.flatMap((text) => value(text).split(',')),
    subscription: value(spec.subscription),
    token,
    queryPorts: spec.token_in_query_ports ?? [],
    tokenIn: spec.token_in === undefined ? undefined : compileTemplate(spec.token_in).render(options),
    receiverQueue: spec.receiver_queue ?? 500,
  });
  const dialling: Dialling = { http: deps.http, seams: deps.seams, userAgent: deps.userAgent, hints: spec.hints ?? {} };
  const hidden = createSecrets();
  for (const secret of secrets) hidden.add(secret);
  return {
    kind: 'pulsar_websocket',
    run: (handlers, signal) =>
      runAll(subscriptions, { dialling, deps, scrub: (text) => hidden.scrub(text), ...oneAtATime(handlers) }, signal),
    async probe(signal, { createSubscription = false } = {}) {
      const admin = spec.admin === undefined ? undefined : compileTemplate(spec.admin).render(options);
      const probing = { dialling, subscription: value(spec.subscription), admin, token };
      const asked = await Promise.all(subscriptions.map((target) => probeTopic(target, probing, createSubscription, signal)));
      const fault = asked.find((topic) => topic.fault !== undefined)?.fault;
      return { findings: [...new Set(asked.flatMap(({ findings }) => findings))], fault };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

interface Running extends StreamHandlers {
  readonly dialling: Dialling;
  readonly deps: ReaderDeps;
  scrub(text: string): string;
}

/** Topics receive at the same time and hand over one after the other: whoever commits keeps one place. */
function oneAtATime(handlers: StreamHandlers): StreamHandlers {
  let last: Promise<unknown> = Promise.resolve();
  return {
    onMessages(messages) {
      const turn = last.then(() => handlers.onMessages(messages));
      last = turn.catch(() => undefined);
      return turn;
    },
    onState: (state) => handlers.onState(state),
  };
}

async function runAll(subscriptions: readonly Subscription[], running: Running, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const loops = subscriptions.map(async (subscription) => {
    try {
      await runTopic(subscription, running, both);
    } catch (error) {
      ended.abort(error);
      throw error;
    }
  });
  const outcomes = await Promise.allSettled(loops);
  if (signal.aborted) return;
  // The first cause, not what its abort did to the other topics.
  if (ended.signal.aborted) throw ended.signal.reason as Error;
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason as Error;
}

async function runTopic(subscription: Subscription, running: Running, signal: AbortSignal): Promise<void> {
  const { clock, random } = running.deps.seams;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const began = clock.monotonic();
    const fault = await receive(subscription, running, signal);
    if (signal.aborted) return;
    if (fault.text === renewal) {
      attempt = -1;
      continue;
    }
    running.onState({ topic: subscription.topic, connected: false, error: fault.text });
    if (fault.received || clock.monotonic() - began > goodMs) attempt = 0;
    const waitMs = Math.max(firstWaitMs, fault.waitMs, fullJitterMs(random, attempt + 1, firstWaitMs, longestWaitMs));
    await sleep(clock, waitMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

interface Fault {
  readonly text: string;
  readonly received: boolean;
  readonly waitMs: number;
}

/** One connection from its beginning to its end; throws only what a person must mend, or what the commit threw. */
async function receive(subscription: Subscription, running: Running, signal: AbortSignal): Promise<Fault> {
  const { topic } = subscription;
  let received = false;
  try {
    const socket = await openWebSocket(subscription, running.dialling, signal);
    running.onState({ topic, connected: true });
    const commit = async (messages: readonly StreamMessage[]): Promise<void> => {
      received = true;
      await running.onMessages(messages);
    };
    const onBacklog = (oldest: number | undefined): void => running.onState({ topic, connected: true, oldestUnacked: oldest });
    const why = await runSession(socket, topic, { commit, onBacklog }, running.deps.seams.clock, signal);
    return { text: running.scrub(why), received, waitMs: 0 };
  } catch (thrown) {
    if (signal.aborted) return { text: 'stopped', received, waitMs: 0 };
    const error = asPenstockError(thrown);
    if (consequenceOf(error).stream !== 'reconnect')
      throw new PenstockError(error.code, running.scrub(error.message), detailsOf(error));
    return { text: running.scrub(explainInLine(error)), received, waitMs: error.retryAfterMs ?? 0 };
  }
}

function detailsOf({ cause, fix, status }: PenstockError): { cause: unknown; fix?: string; status?: number } {
  return { cause, fix, status };
}
