// Receivers that misbehave: what they stored survives every crash of Penstock, what they said may get lost on its way.
import { hash } from 'node:crypto';
import { PenstockError } from '../../src/base/errors.ts';
import type { Log } from '../../src/base/log.ts';
import type { Seams } from '../../src/base/seams.ts';
import type { Batch, Pending, Sink, Verdict, Verdicts } from '../../src/sinks/sink.ts';
import type { Dice } from './dice.ts';
import type { Fate } from './fate.ts';
import { type Endpoint, minute, type ReceiverFault, type SinkPlan } from './scenario.ts';
import type { SimTime } from './time.ts';
import { openWire } from './wires.ts';

/** One arrival of an event. */
export interface Copy {
  readonly uid: string;
  readonly source: string;
  /** When the request that brought it left its process, and when it arrived: true times, milliseconds since the epoch. */
  readonly leftAt: number;
  /** When its process was about to send it: earlier where it stalled in that moment. */
  readonly decidedAt: number;
  readonly at: number;
  /** Number of the process that sent it. A slow request arrives even when that process has ended meanwhile. */
  readonly process: number;
  readonly batch: string;
  readonly replay: boolean;
  /** False once a living process was told that it was taken. */
  doubt: boolean;
}

export interface ReceiverParts {
  readonly plan: SinkPlan;
  readonly time: SimTime;
  readonly dice: Dice;
  /** True when a fault of this kind strikes now what an endpoint is asked. */
  readonly strikes: (kind: ReceiverFault, endpoint?: Endpoint) => boolean;
  /** True when the receiver refuses the event for its content. */
  readonly refuses: (uid: string) => boolean;
  /** Told of every arrival before it is stored. */
  readonly onArrival: (copy: Copy, encoded: string) => void;
  /** Told of every batch that reached it whose bytes differ from those under the same id before. */
  readonly onChanged: (batch: string) => void;
  /** Told of what breaks a protocol, in words. */
  readonly problem: (text: string) => void;
}

export interface Receiver {
  readonly plan: SinkPlan;
  /** Every arrival, in order. */
  readonly copies: Copy[];
  readonly byUid: ReadonlyMap<string, Copy[]>;
  open(process: SinkProcess): Promise<Sink>;
}

/** The process that opens a sink. */
export interface SinkProcess {
  readonly fate: Fate;
  readonly number: number;
  readonly seams: Seams;
  readonly log: Log;
}

/** An event on its way to a receiver. */
export interface Letter {
  readonly uid: string;
  readonly source: string;
  readonly replay: boolean;
  readonly batch: string;
  /** The event as the receiver reads it. */
  readonly text: string;
}

/** Who sent a request, and when: true time, milliseconds since the epoch. */
export interface Sender {
  readonly process: number;
  readonly leftAt: number;
  readonly decidedAt?: number;
}

/** The code with which everything is refused while the receiver's configuration is wrong. */
export const wrongIndex = 'wrong_index';
/** The code of an event that is refused for its content. */
export const badContent = 'bad_content';

type Outcome = Verdict['kind'];

interface Reply {
  readonly verdicts: Verdicts;
  readonly copies: readonly (Copy | undefined)[];
}

const uncertain = (reason: string): Verdict => ({ kind: 'uncertain', reason });
const isTaken = (kind: Outcome): boolean => kind === 'accept' || kind === 'sent';

export function receiver(parts: ReceiverParts): Receiver {
  const { plan, time, dice, strikes } = parts;
  const copies: Copy[] = [];
  const byUid = new Map<string, Copy[]>();
  const texts = new Map<string, string>();

  /** A receiver may tell a repeated batch by its id: what comes under it again must be the same. */
  function compare(id: string, body: string): void {
    const text = hash('sha256', body);
    if ((texts.get(id) ?? text) !== text) parts.onChanged(id);
    texts.set(id, text);
  }

  function keep({ uid, source, batch, replay, text }: Letter, { process, leftAt, decidedAt = leftAt }: Sender): Copy {
    const copy: Copy = { uid, source, leftAt, decidedAt, at: time.now(), process, batch, replay, doubt: true };
    parts.onArrival(copy, text);
    copies.push(copy);
    byUid.set(uid, [...(byUid.get(uid) ?? []), copy]);
    return copy;
  }

  function store(batch: Batch, index: number, sender: Sender): Copy {
    const { uid, source } = batch.events[index] as (typeof batch.events)[number];
    return keep({ uid, source, replay: batch.replay, batch: batch.id, text: batch.encoded.textAt(index) }, sender);
  }

  function each(batch: Batch, sender: Sender, taken: Verdict): Reply {
    const refuseAll = strikes('refuse_all');
    const partial = strikes('partial');
    const stored: (Copy | undefined)[] = [];
    const verdicts = batch.events.map(({ uid }, index): Verdict => {
      if (refuseAll) return { kind: 'event', code: wrongIndex, reason: 'no such index' };
      if (parts.refuses(uid)) return { kind: 'event', code: badContent, reason: 'cannot be parsed' };
      if (partial && dice.chance(0.4)) return { kind: 'retry', reason: 'queue full' };
      if (!strikes('lie')) stored[index] = store(batch, index, sender);
      return taken;
    });
    const first = verdicts[0];
    const same = first !== undefined && verdicts.every(({ kind }) => kind === first.kind) && isTaken(first.kind);
    return { verdicts: same ? { all: first } : { each: verdicts }, copies: stored };
  }

  /** What the receiver does with a batch that reached it; throws where the connection breaks. */
  function take(batch: Batch, sender: Sender): Reply {
    compare(batch.id, batch.encoded.texts().join('\n'));
    if (strikes('down')) throw new PenstockError('PEN_HTTP_UNREACHABLE', 'connection refused', { sent: false });
    if (strikes('hold'))
      return { verdicts: { all: { kind: 'hold', reason: 'answered 401', fix: 'renew the token' } }, copies: [] };
    if (strikes('busy'))
      return {
        verdicts: { all: { kind: 'retry', reason: 'answered 503', retryAfterMs: dice.pick([0, 1_000, 30_000]) } },
        copies: [],
      };
    if (batch.events.length > (plan.mostEvents ?? Infinity))
      return { verdicts: { all: { kind: 'split', code: '413', reason: 'too large' } }, copies: [] };
    if (strikes('half')) {
      for (let index = 0; index < batch.events.length / 2; index += 1)
        if (!parts.refuses(batch.events[index]?.uid ?? '')) store(batch, index, sender);
      throw new PenstockError('PEN_HTTP_RESET', 'the connection was reset');
    }
    if (strikes('forget')) return { verdicts: { all: uncertain('restarted before the batch was stored') }, copies: [] };
    return each(batch, sender, plan.acknowledges === 'never' ? { kind: 'sent' } : { kind: 'accept' });
  }

  /** The answer reaches a process that lives and still listens: it knows now what was taken. */
  function told({ verdicts, copies: stored }: Reply): Verdicts {
    const verdictAt = (index: number): Outcome | undefined =>
      'all' in verdicts ? verdicts.all.kind : verdicts.each[index]?.kind;
    for (const [index, copy] of stored.entries())
      if (copy !== undefined && isTaken(verdictAt(index) ?? 'retry')) copy.doubt = false;
    return verdicts;
  }

  /** One request: whether or not its sender still lives, what left is taken; the answer reaches a sender that lives. */
  async function travel<T>(
    { fate, number }: SinkProcess,
    signal: AbortSignal | undefined,
    take: (sender: Sender) => T,
    endpoint?: Endpoint,
  ): Promise<T> {
    const decidedAt = time.now();
    await fate.step();
    const sender = { process: number, leftAt: time.now(), decidedAt };
    const ms = strikes('slow', endpoint) ? dice.between(5_000, minute) : dice.between(5, 300);
    await time.wait(ms / 2);
    let reply: T;
    try {
      reply = take(sender);
    } catch (error) {
      await time.wait(ms / 2);
      await fate.step();
      throw error;
    }
    await time.wait(ms / 2);
    await fate.step();
    if (signal?.aborted === true) throw signal.reason;
    if (strikes('lost_answer', endpoint)) throw new PenstockError('PEN_HTTP_RESET', 'the connection was reset before the answer');
    return reply;
  }

  async function send(batch: Batch, signal: AbortSignal, process: SinkProcess): Promise<Verdicts | Pending> {
    const reply = await travel(process, signal, (sender) => take(batch, sender));
    if (plan.acknowledges !== 'later' || !('all' in reply.verdicts) || reply.verdicts.all.kind !== 'accept') return told(reply);
    return { pending: acknowledgeLater(reply, process.fate) };
  }

  async function acknowledgeLater(reply: Reply, fate: Fate): Promise<Verdicts> {
    const isNever = strikes('never');
    await time.wait(isNever ? 3 * minute : dice.between(500, 20_000));
    await fate.step();
    return isNever ? { all: uncertain('no acknowledgement came') } : told(reply);
  }

  const wire = plan.wire === undefined ? undefined : openWire(plan.wire, { ...parts, keep, compare, travel });
  return {
    plan,
    copies,
    byUid,
    async open(process) {
      await process.fate.alive();
      if (strikes('cannot_open'))
        throw new PenstockError('PEN_CONFIG_INVALID', 'the certificate cannot be read', { fix: 'renew it' });
      if (wire !== undefined) return wire(process);
      return {
        endpoints: plan.inFlight > 1 ? ['a', 'b'] : ['a'],
        // Requests, not one stream of messages; how many at a time is configured.
        maxInFlight: 8,
        maxEventBytes: 1_000_000,
        encode: ({ body }) => body,
        send: (batch, signal) => send(batch, signal, process),
        probe: () => Promise.resolve({ ok: true, findings: [] }),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
  };
}
