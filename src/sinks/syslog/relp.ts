// Syslog over RELP: a message counts as accepted when the receiver answered 200 to its frame, and only then. What was written and not
// answered when the session broke is uncertain, what was not written is retried; `deliver` sends both again on the next session.
import { type Clock, deadline } from '../../base/clock.ts';
import type { Batch, ProbeReport, Sink, Verdict, Verdicts } from '../sink.ts';
import { closeTimeoutMs, stallMs, watchConnection } from './connection.ts';
import { describePeer, dial, failedProbe, verdictOfFailure } from './dial.ts';
import { nextSequence, withSequence } from './message.ts';
import { ask, type RelpAnswer, type RelpSession, relpWindow, startRelpSession } from './relp-session.ts';
import { isTooLarge, recycleMs, sharedOf, type Transport, tooLarge } from './transport.ts';

interface Session extends RelpSession {
  sequence: number;
}

type Refused = Extract<Verdict, { kind: 'hold' }>;

/** Opens the sink for `relp://` and `relps://`; connects with the first batch. */
export function openRelpSink(transport: Transport): Sink {
  const { address, options, context, maxBytes } = transport;
  const { clock } = context.seams;
  let session: Session | undefined;

  const ready = async (signal: AbortSignal): Promise<Session | Refused> => {
    if (session?.connection.isOpen === true && clock.monotonic() - session.connection.openedAt < recycleMs) return session;
    await closeSession(session, signal);
    const opened = await openSession(transport, signal);
    session = 'kind' in opened ? undefined : opened;
    return opened;
  };
  const flush = async (signal?: AbortSignal): Promise<void> => {
    const last = session;
    session = undefined;
    using limit = deadline(clock, closeTimeoutMs, signal);
    await closeSession(last, limit.signal);
  };

  return {
    ...sharedOf(transport),
    async send(batch, signal) {
      let opened: Session | Refused;
      try {
        opened = await ready(signal);
      } catch (error) {
        // Whatever it was, nothing of the batch has left.
        return { all: verdictOfFailure(error, address) };
      }
      if ('kind' in opened) return { all: opened };
      return await transmit(opened, batch, { maxBytes, numbered: options.rfc === 5424, clock }, signal);
    },
    flush,
    async reaches(_, signal) {
      const opened = await openSession(transport, signal);
      if ('kind' in opened) throw new Error(opened.reason);
      await closeSession(opened, signal);
      return true;
    },
    probe: (signal) => probe(transport, signal),
    [Symbol.asyncDispose]: () => flush(),
  };
}

/** Throws when there was no answer; a refusal is a hold. */
async function openSession(transport: Transport, signal: AbortSignal): Promise<Session | Refused> {
  const { address, context, trust } = transport;
  const { clock } = context.seams;
  const socket = await dial(address, trust, clock, signal);
  const session = startRelpSession((onData) => watchConnection(socket, clock, onData));
  const offer = `relp_version=0\nrelp_software=penstock,${context.version},https://www.rsyslog.com/doc/relp.html\ncommands=syslog`;
  const answer = await ask(session, 'open', offer, signal);
  signal.throwIfAborted();
  if (answer?.code === 200) return Object.assign(session, { sequence: 0 });
  session.connection.abandon('the session was not opened');
  const ending = await session.connection.ended;
  if (answer === undefined) throw ending.error ?? new Error(ending.reason);
  const reason = `${transport.options.address}: the receiver answered ${answer.code} "${answer.text}" to open`;
  return { kind: 'hold', reason, fix: 'make the receiver accept RELP version 0 with the command syslog' };
}

async function closeSession(session: Session | undefined, signal: AbortSignal): Promise<void> {
  if (session?.connection.isOpen !== true) return;
  await ask(session, 'close', '', signal);
  await session.connection.close(signal);
}

interface Form {
  readonly maxBytes: number;
  readonly numbered: boolean;
  readonly clock: Clock;
}

/** Keeps the window full until every message is answered, the session ends, nothing moves for {@link stallMs}, or the signal aborts. */
async function transmit(
  session: Session,
  batch: Batch,
  { maxBytes, numbered, clock }: Form,
  signal: AbortSignal,
): Promise<Verdicts> {
  const verdicts = batch.encoded
    .texts()
    .map((message) => (isTooLarge(message, maxBytes) ? tooLarge(message, maxBytes) : undefined));
  const queue = [...verdicts.keys()].filter((index) => verdicts[index] === undefined);
  const giveUp = (): void => session.connection.abandon('gave up waiting for the receiver');
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  using stall = createStallTimer(clock, () =>
    session.connection.abandon(`the receiver answered nothing for ${stallMs / 1000} s`),
  );
  // One frame at a time: what is unanswered when the session breaks is what broke it, for answers get lost with a reset.
  const window = batch.careful === true ? 1 : relpWindow;
  const sending = startSending(session, queue, window, {
    textOf: (index) => textOf(session, batch.encoded.textAt(index), numbered),
    onAnswer(index, answer) {
      verdicts[index] = verdictOfAnswer(answer);
      stall.restart();
    },
  });
  await Promise.race([sending.done, session.connection.ended]);
  signal.removeEventListener('abort', giveUp);
  if (verdicts.every((verdict) => verdict !== undefined)) return { each: verdicts };
  const { reason } = await session.connection.ended;
  const written = new Set(queue.slice(0, sending.written()));
  const unanswered = queue.slice(0, sending.written()).filter((index) => verdicts[index] === undefined);
  const suspect = unanswered.length === 1 ? unanswered[0] : undefined;
  const verdictOf = (index: number): Verdict =>
    written.has(index) ? { kind: 'uncertain', reason, suspect: index === suspect } : { kind: 'retry', reason };
  return { each: verdicts.map((verdict, index) => verdict ?? verdictOf(index)) };
}

interface Feed {
  textOf(index: number): string;
  onAnswer(index: number, answer: RelpAnswer): void;
}

/** Writes the queue in step with the answers; `done` resolves when all of it is answered. */
function startSending(
  session: Session,
  queue: readonly number[],
  window: number,
  feed: Feed,
): { readonly done: Promise<void>; written(): number } {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let next = 0;
  let unanswered = queue.length;
  let isPumpDue = false;
  const answered = (index: number, answer: RelpAnswer): void => {
    feed.onAnswer(index, answer);
    unanswered -= 1;
    if (unanswered === 0) resolve();
    if (isPumpDue) return;
    isPumpDue = true;
    queueMicrotask(pump);
  };
  const pump = (): void => {
    isPumpDue = false;
    // One write for all answers of a chunk, and at once: it carries the acknowledgement that a receiver with Nagle's algorithm waits for.
    const room = window - session.unanswered;
    if (next >= queue.length || !session.connection.isOpen || room === 0) return;
    const indexes = queue.slice(next, next + room);
    next += indexes.length;
    session.messages(indexes.map((index) => ({ text: feed.textOf(index), onAnswer: (answer) => answered(index, answer) })));
  };
  if (unanswered === 0) resolve();
  pump();
  return { done, written: () => next };
}

function textOf(session: Session, message: string, numbered: boolean): string {
  session.sequence = nextSequence(session.sequence);
  return numbered ? withSequence(message, session.sequence) : message;
}

function verdictOfAnswer({ code, text }: RelpAnswer): Verdict {
  if (code === 200) return { kind: 'accept' };
  return { kind: 'event', code: `relp_${code}`, reason: `the receiver answered ${code} "${text}"` };
}

function createStallTimer(clock: Clock, onStall: () => void): Disposable & { restart(): void } {
  let movedAt = clock.monotonic();
  const look = (): void => {
    const left = movedAt + stallMs - clock.monotonic();
    if (left <= 0) onStall();
    else timer = clock.timer(left, look);
  };
  let timer = clock.timer(stallMs, look);
  return {
    restart: () => {
      movedAt = clock.monotonic();
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  };
}

async function probe(transport: Transport, signal: AbortSignal): Promise<ProbeReport> {
  const { address, context } = transport;
  try {
    const session = await openSession(transport, signal);
    if ('kind' in session) return { ok: false, findings: [session.reason], fix: session.fix };
    const findings = [
      ...describePeer(session.connection.socket, address, context.seams.clock),
      'RELP session opened, syslog accepted',
    ];
    await closeSession(session, signal);
    return { ok: true, findings };
  } catch (error) {
    return failedProbe(error, address, signal);
  }
}
