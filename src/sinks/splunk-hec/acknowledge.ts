// Indexer acknowledgement. A batch is entered (posted, no answer yet), then outstanding (has an id), then accepted (a poll said true) or
// uncertain (time over, stickiness lost, id repeated, sink closed) or held (polls are refused). `false` never says "failed".
import { unlessCutOff } from '../../base/abort.ts';
import { sleep } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { uuid } from '../../base/random.ts';
import type { Seams } from '../../base/seams.ts';
import type { Verdict, Verdicts } from '../sink.ts';
import type { HecAnswer } from './answer.ts';
import {
  type Channel,
  freshChannel,
  keepCookies,
  lost,
  openPost,
  settle,
  settleAll,
  settleIndexed,
  type Ticket,
  unacknowledged,
} from './channel.ts';
import { type Endpoint, freshEndpoint, hasPlace, nextPoll, tidy } from './endpoint.ts';
import type { Ask, AskWhether, PollReply } from './request.ts';

/** A channel is replaced after this many ids, so that it remembers few. */
const maxIdsPerChannel = 10_000;
/** A channel that was idle for this long is not used again: splunkd removes one after 600 s (`maxIdleTime`) and counts its ids from 0 again. */
const longestRestMs = 240_000;
/** After this many failures in a row, waiting does not help. */
const alarmingStreak = 3;

/** Durations in milliseconds. */
interface AcknowledgeSettings {
  readonly pollMs: number;
  readonly timeoutMs: number;
  /** How long a batch waits for a place before it is handed back. */
  readonly patienceMs: number;
}

interface Questions {
  readonly ask: Ask;
  readonly askWhether: AskWhether;
}

/**
 * The channels of one open sink: one per endpoint that takes batches, and older ones that still wait.
 *
 * GUIDs are new with every opening: after ten idle minutes or a restart a server may count the ids of an old one from 0 again.
 */
export class Acknowledgements implements AsyncDisposable {
  readonly #settings: AcknowledgeSettings;
  readonly #seams: Seams;
  readonly #log: Log;
  readonly #ask: Ask;
  readonly #askWhether: AskWhether;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #closing = new AbortController();
  #changed = Promise.withResolvers<void>();

  constructor(settings: AcknowledgeSettings, seams: Seams, log: Log, { ask, askWhether }: Questions) {
    this.#settings = settings;
    this.#seams = seams;
    this.#log = log;
    this.#ask = ask;
    this.#askWhether = askWhether;
  }

  /**
   * A place on the endpoint's channel; undefined when none came free in `patienceMs`. The journal is not read while batches wait here.
   */
  async enter(endpoint: string, bytes: number, signal: AbortSignal): Promise<Ticket | undefined> {
    const until = this.#now() + this.#settings.patienceMs;
    const leftMs = (): number => until - this.#now();
    while (!hasPlace(this.#endpoint(endpoint), bytes) && leftMs() > 0) await this.#change(leftMs(), signal);
    // Who stood still meanwhile asks anew whether the batch is his to send.
    if (leftMs() <= 0) return undefined;
    return this.#openTicket(this.#awake(this.#endpoint(endpoint)), bytes);
  }

  /** Asks once more for all that is outstanding, and every second from then on. */
  async flush(signal: AbortSignal): Promise<void> {
    const waiting = [...this.#endpoints.values()]
      .flatMap(({ live }) => [...live])
      .filter(({ outstanding }) => outstanding.size > 0);
    for (const channel of waiting) channel.isHurried = true;
    if (signal.aborted) return;
    await unlessCutOff(Promise.all(waiting.map((channel) => this.#poll(channel))), signal);
    this.#ring();
  }

  /** Gives up what is outstanding: it is sent again by whoever opens the sink next. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException('the sink closed', 'AbortError'));
    for (const { live } of this.#endpoints.values())
      for (const channel of live) settleAll(channel, { all: lost('the sink closed before the acknowledgement came') });
    this.#ring();
    return Promise.resolve();
  }

  #now(): number {
    return this.#seams.clock.monotonic();
  }

  #ring(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Waits until something changes, at most `ms`; rejects when the signal aborts. */
  async #change(ms: number, signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    try {
      await Promise.race([this.#changed.promise, sleep(this.#seams.clock, ms, AbortSignal.any([signal, enough.signal]))]);
    } finally {
      enough.abort();
    }
  }

  #endpoint(name: string): Endpoint {
    const known = this.#endpoints.get(name);
    if (known !== undefined) return known;
    const made = freshEndpoint(name, uuid(this.#seams.random));
    this.#endpoints.set(name, made);
    return made;
  }

  /** The endpoint's channel, a new one after a long rest. */
  #awake(endpoint: Endpoint): Channel {
    const { current } = endpoint;
    const isIdle = current.state === 'open' && current.posts.size === 0 && current.outstanding.size === 0;
    if (isIdle && this.#now() - current.usedAt > longestRestMs) {
      this.#rotate(current);
      this.#tidy(current);
    }
    return endpoint.current;
  }

  #openTicket(channel: Channel, bytes: number): Ticket {
    channel.usedAt = this.#now();
    const post = openPost(channel, bytes);
    let isAnswered = false;
    return {
      channel,
      answered: () => void (isAnswered = true),
      hear: (setCookie, answer) => this.#hear(channel, setCookie, answer),
      learn: (signal) => {
        // Asked after a refusal, which gives no id out however this ends.
        isAnswered = true;
        return this.#learn(channel, signal);
      },
      wait: (ackId) => this.#wait(channel, ackId, bytes),
      [Symbol.dispose]: () => {
        post.end(isAnswered);
        this.#tidy(channel);
        this.#ring();
      },
    };
  }

  #hear(channel: Channel, setCookie: string | undefined, answer: HecAnswer): ReturnType<Ticket['hear']> {
    const endpoint = this.#endpoint(channel.endpoint);
    channel.usedAt = this.#now();
    if (answer.ackId !== undefined) endpoint.acknowledges = true;
    else if (answer.code === 0) endpoint.acknowledges ??= false;
    if (channel.state === 'fresh') channel.state = 'open';
    if (answer.code === 25 || answer.code === 27) channel.isHurried = true;
    const isMoved = !keepCookies(channel, setCookie);
    // Without acknowledgements it does not matter which indexer answers.
    if (isMoved && endpoint.acknowledges === true) this.#loseStickiness(channel);
    return { isSticky: channel.state !== 'lost', acknowledges: endpoint.acknowledges };
  }

  async #learn(channel: Channel, signal: AbortSignal): Promise<boolean | undefined> {
    const endpoint = this.#endpoint(channel.endpoint);
    return (endpoint.acknowledges ??= await this.#askWhether(channel, signal));
  }

  #wait(channel: Channel, ackId: number, bytes: number): Promise<Verdicts> {
    const { promise, resolve } = Promise.withResolvers<Verdicts>();
    if (this.#closing.signal.aborted) return Promise.resolve({ all: lost('the sink closed') });
    if (channel.seen.has(ackId)) {
      const verdict = lost(`acknowledgement id ${ackId} came twice: the server restarted its count`);
      if (channel.outstanding.has(ackId)) {
        this.#lose(channel, verdict);
        return Promise.resolve({ all: verdict });
      }
      // The server forgot what it had; this batch came after that, and its id means nothing else any more.
      settleAll(channel, { all: verdict });
      channel.seen.clear();
      this.#rotate(channel);
    }
    channel.seen.add(ackId);
    const deadline = this.#now() + this.#settings.timeoutMs;
    channel.outstanding.set(ackId, { bytes, deadline, unansweredBefore: channel.unanswered, isTold: false, settle: resolve });
    if (channel.seen.size >= maxIdsPerChannel) this.#rotate(channel);
    void this.#watch(channel);
    return promise;
  }

  /** Polls a channel until nothing is outstanding. */
  async #watch(channel: Channel): Promise<void> {
    if (channel.isWatched) return;
    channel.isWatched = true;
    channel.polledAt = this.#now();
    const { signal } = this.#closing;
    try {
      while (channel.outstanding.size > 0) {
        const restMs = nextPoll(channel, this.#settings.pollMs) - this.#now();
        if (restMs > 0) await this.#change(restMs, signal);
        else await this.#poll(channel);
      }
    } catch (error) {
      if (!signal.aborted) this.#lose(channel, lost(`acknowledgements cannot be asked for: ${(error as Error).message}`));
    } finally {
      channel.isWatched = false;
      this.#tidy(channel);
    }
  }

  #poll(channel: Channel): Promise<void> {
    channel.polledAt = this.#now();
    channel.polling ??= this.#ask(channel, this.#closing.signal)
      .then((reply) => {
        this.#apply(channel, reply);
        this.#expire(channel);
      })
      .finally(() => {
        channel.polling = undefined;
      });
    return channel.polling;
  }

  #apply(channel: Channel, reply: PollReply): void {
    channel.usedAt = this.#now();
    if (reply.kind === 'refused') return this.#lose(channel, reply.verdict);
    if (reply.kind === 'silent') return this.#onSilence(channel, reply.verdict);
    channel.silence = undefined;
    // What this answer says is true for the indexer that gave it, so it is used before a change of cookies ends the channel.
    for (const ackId of reply.indexed) void settleIndexed(channel, ackId).then(() => this.#ring());
    if (reply.indexed.size > 0) this.#endpoint(channel.endpoint).lossesInARow = 0;
    if (!keepCookies(channel, reply.setCookie)) this.#loseStickiness(channel);
    this.#ring();
  }

  #onSilence(channel: Channel, verdict: Verdict): void {
    const { endpoint, silence } = channel;
    channel.silence = verdict;
    if ('retryAfterMs' in verdict) channel.restsUntil = this.#now() + (verdict.retryAfterMs ?? 0);
    if (verdict.kind !== 'hold') return this.#log.debug({ endpoint, answer: verdict }, 'asking for acknowledgements failed');
    if (silence?.kind !== 'hold')
      this.#log.warn(
        { endpoint, reason: verdict.reason, fix: verdict.fix },
        'the request for acknowledgements is refused; batches that wait for one are kept until ack_timeout',
      );
  }

  #expire(channel: Channel): void {
    const now = this.#now();
    const expired = [...channel.outstanding].flatMap(([id, { deadline, isTold }]) => (deadline <= now && !isTold ? [id] : []));
    if (expired.length === 0) return;
    const verdict = unacknowledged(this.#settings.timeoutMs, channel.silence);
    for (const ackId of expired) settle(channel, ackId, { all: verdict });
    this.#rotate(channel);
  }

  /** Lets a new channel take the batches to come; what is outstanding on this one is still waited for. */
  #rotate(channel: Channel): void {
    const endpoint = this.#endpoint(channel.endpoint);
    if (channel.state !== 'lost') channel.state = 'retired';
    if (endpoint.current !== channel) return;
    endpoint.current = freshChannel(channel.endpoint, uuid(this.#seams.random));
    endpoint.live.add(endpoint.current);
    this.#ring();
  }

  /** Gives up a channel with all that is outstanding on it. */
  #lose(channel: Channel, verdict: Verdict): void {
    channel.state = 'lost';
    this.#rotate(channel);
    settleAll(channel, { all: verdict });
    this.#tidy(channel);
    this.#ring();
  }

  #loseStickiness(channel: Channel): void {
    const endpoint = this.#endpoint(channel.endpoint);
    endpoint.lossesInARow += 1;
    const reason = 'the load balancer changed its cookie: later answers come from another indexer';
    this.#log.warn({ endpoint: channel.endpoint }, reason);
    if (endpoint.lossesInARow < alarmingStreak) return this.#lose(channel, lost(reason));
    const fix =
      'give the balancer a session cookie that stays the same, list the indexers themselves as endpoints, or set acknowledge: off';
    this.#lose(channel, { kind: 'hold', reason: `${reason}, ${endpoint.lossesInARow} times without an acknowledgement`, fix });
  }

  #tidy(channel: Channel): void {
    tidy(this.#endpoint(channel.endpoint), channel);
  }
}
