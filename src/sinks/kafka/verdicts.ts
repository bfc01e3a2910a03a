import { consequenceOf, PenstockError } from '../../base/errors.ts';
import type { Verdict } from '../sink.ts';
import { verdictOfFailure } from '../syslog/dial.ts';
import { authFix, holdFix, meaningOf, topicFix } from './codes.ts';
import { parseBroker } from './options.ts';

/** What the client throws, and what stands in it: errors of attempts, of brokers, of partitions, and their causes. */
interface Fault extends Error {
  /** `PLT_KFK_...` of the client, `E...` of the machine; a number of something else. */
  readonly code?: unknown;
  /** Name of the broker's error code. */
  readonly apiId?: string;
  /** The broker's own words on it. */
  readonly serverErrorMessage?: string | null;
  /** The client would ask again. */
  readonly canRetry?: boolean;
  /** TopicPartition in the answer, `/responses/0/partition_responses/1`. */
  readonly path?: string;
  readonly errors?: readonly unknown[];
  readonly response?: { readonly responses?: readonly TopicAnswer[] };
  /** What was stored elsewhere. */
  readonly produced?: { readonly offsets?: readonly { readonly topic: string; readonly partition: number }[] };
}

interface TopicAnswer {
  readonly name: string;
  readonly partitionResponses: readonly {
    readonly index: number;
    readonly errorCode: number;
    readonly recordErrors?: readonly { readonly batchIndex: number; readonly batchIndexErrorMessage?: string | null }[];
  }[];
}

/** Where a record went. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** What is known of a partition after a failed request. */
interface PartitionOutcome {
  stored: boolean;
  fault?: Fault | undefined;
  /** The broker's words by the record's place among those of the partition. */
  refused: ReadonlyMap<number, string>;
}

/** Everything that stands in an error, itself first. */
function faultsIn(error: unknown): Fault[] {
  if (!(error instanceof Error)) return [];
  const { errors = [], cause } = error as Fault;
  return [error, ...errors.flatMap(faultsIn), ...faultsIn(cause)];
}

const codeOf = ({ code }: Fault): string => (typeof code === 'string' ? code : '');

function wordsOf({ apiId, serverErrorMessage, message }: Fault): string {
  const words = (serverErrorMessage ?? message).replace(/\.$/, '');
  return apiId === undefined ? words : `${apiId}: ${words}`;
}

/** What a broker's code means; undefined of what is none. */
function meaningIn(fault: Fault): Verdict | undefined {
  const { apiId, canRetry = false } = fault;
  return apiId === undefined ? undefined : meaningOf(apiId, wordsOf(fault), canRetry);
}

// Said of a client that the sink itself has closed.
const ownClosing = /^(Connection pool is closed|Client is closed|Client closed while)/;

/** What was said, once each; the frames around it only where nothing else was. */
function reasonOf(faults: readonly Fault[]): string {
  const inner = faults.filter(({ errors, response }) => errors === undefined && response === undefined);
  const words = [...new Set((inner.length === 0 ? faults : inner).map(wordsOf))].filter((text) => !ownClosing.test(text));
  return words.slice(0, 6).join('; ');
}

/** An answer that was waited for and did not come: what was asked may have been done. */
const isLost = (fault: Fault): boolean =>
  (codeOf(fault) === 'PLT_KFK_NETWORK' && /^(Connection closed|Request timed out)/.test(fault.message)) ||
  meaningIn(fault)?.kind === 'uncertain';

/** A verdict that says of an address which is not among the configured `brokers` where it comes from: the one thing to correct is there. */
export function withOrigin(verdict: Verdict, brokers: readonly string[]): Verdict {
  if (!('reason' in verdict)) return verdict;
  const known = new Set(brokers.map(parseBroker).map((broker) => `${broker?.host}:${broker?.port}`));
  const named = [...verdict.reason.matchAll(/\bConnection to (\S+:\d+) /g)].map(([, address = '']) => address);
  const told = named.find((address) => !known.has(address));
  if (told === undefined) return verdict;
  return { ...verdict, reason: `${verdict.reason} (${told} is what the brokers call one of theirs: see advertised.listeners)` };
}

/** True where an attempt that ended so may have stored its records. */
export const mayHaveStored = (error: unknown): boolean => faultsIn(error).some(isLost);

/** The fix of a refusal; undefined for what passes by itself. */
function fixOf(fault: Fault): string | undefined {
  const { message } = fault;
  const code = codeOf(fault);
  if (fault instanceof PenstockError)
    return consequenceOf(fault).sink === 'hold' ? (fault.fix ?? 'check "auth" and "tls" of the sink') : undefined;
  const meaning = meaningIn(fault);
  if (meaning !== undefined) return meaning.kind === 'hold' ? meaning.fix : undefined;
  // A broker that dies during the log-in refuses nothing.
  if (code === 'PLT_KFK_AUTHENTICATION')
    return faultsIn(fault.cause).some((cause) => codeOf(cause) === 'PLT_KFK_NETWORK') ? undefined : authFix;
  if (message.startsWith('Unknown topic')) return topicFix;
  if (message.startsWith('Broker requires TLS')) return 'write tls:// in "brokers"';
  if (code.startsWith('PLT_KFK_UNSUPPORTED')) return holdFix;
  if (code === '' || code.startsWith('PLT_')) return undefined;
  const verdict = verdictOfFailure(fault, { scheme: 'tls', host: '', port: 0 });
  return verdict.kind === 'hold' ? verdict.fix : undefined;
}

/**
 * What a failure means for all records about which nobody said more: a hold when something in it waits for a person, else doubt when
 * they may be stored, else another attempt. `isSent`: the records had been handed to the client; `isDoubtful`: which says that an attempt before
 * these errors may have stored them.
 */
export function verdictOf(
  errors: readonly unknown[],
  isSent: boolean,
  isDoubtful = false,
): Verdict & { readonly kind: 'hold' | 'uncertain' | 'retry' } {
  const faults = errors.flatMap(faultsIn);
  // Of the endpoint that issues tokens; brokers have other ways to say so.
  const asked = faults.flatMap((fault) => (fault instanceof PenstockError ? (fault.retryAfterMs ?? 0) : 0));
  const retryAfterMs = Math.max(0, ...asked);
  const pause = retryAfterMs === 0 ? {} : { retryAfterMs };
  const reason = reasonOf(faults);
  const isUnheard = faults.some(isLost);
  const maybeStored = isSent && (isUnheard || isDoubtful);
  const fix = faults.map(fixOf).find((one) => one !== undefined);
  if (fix !== undefined) return { kind: 'hold', reason, fix, ...(maybeStored ? { maybeStored } : {}), ...pause };
  // What is no error of the client's says nothing about what it sent.
  const isKnown = faults.some((one) => /^(PLT_KFK|PEN)_/.test(codeOf(one)));
  if (!maybeStored && (isKnown || !isSent)) return { kind: 'retry', reason, ...pause };
  // Without an answer a request may have been too large for the broker (socket.request.max.bytes), for what is before it, or for a slow line.
  const isUnanswered = isUnheard && isKnown && faults.every((fault) => meaningIn(fault) === undefined);
  return { kind: 'uncertain', reason, ...(isUnanswered ? {} : { blameless: true }) };
}

/** One verdict per record after a failed request, in the order of `partitions`; `isDoubtful` as above. */
export function verdictsOf(
  errors: readonly unknown[],
  partitions: readonly TopicPartition[],
  isDoubtful = false,
): readonly Verdict[] {
  const faults = errors.flatMap(faultsIn);
  const outcomes = outcomesIn(faults);
  const maybeStored = isDoubtful || faults.some(isLost);
  const general = verdictOf(errors, true, isDoubtful);
  const counts = new Map<string, number>();
  const shared = new Map<string, Verdict>();
  return partitions.map((partition) => {
    const key = keyOf(partition);
    const index = counts.get(key) ?? 0;
    counts.set(key, index + 1);
    const outcome = outcomes.get(key);
    if (outcome === undefined) return general;
    const verdict = shared.get(key) ?? verdictOfPartition(outcome, maybeStored, general);
    shared.set(key, verdict);
    const words = outcome.refused.get(index);
    return words === undefined || outcome.stored ? verdict : { kind: 'event', code: 'invalid_record', reason: words };
  });
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}\n${partition}`;

/** What each answer of each attempt said of its partitions; stored once is stored. */
function outcomesIn(faults: readonly Fault[]): ReadonlyMap<string, PartitionOutcome> {
  const outcomes = new Map<string, PartitionOutcome>();
  for (const { response, errors = [], produced } of faults) {
    for (const partition of produced?.offsets ?? []) outcomes.set(keyOf(partition), { stored: true, refused: new Map() });
    for (const [at, { name, partitionResponses }] of (response?.responses ?? []).entries()) {
      for (const [slot, { index, errorCode, recordErrors = [] }] of partitionResponses.entries()) {
        const key = keyOf({ topic: name, partition: index });
        const path = `/responses/${at}/partition_responses/${slot}`;
        const fault = (errors as readonly Fault[]).find((one) => one.path === path);
        const refused = new Map(
          recordErrors.map((one) => [one.batchIndex, one.batchIndexErrorMessage ?? 'refused by the broker']),
        );
        const stored = errorCode === 0 || outcomes.get(key)?.stored === true;
        outcomes.set(key, { stored, fault, refused });
      }
    }
  }
  return outcomes;
}

function verdictOfPartition({ stored, fault, refused }: PartitionOutcome, maybeStored: boolean, general: Verdict): Verdict {
  if (stored) return { kind: 'accept' };
  const meaning = fault === undefined ? undefined : meaningIn(fault);
  if (meaning === undefined) return general;
  // The others of its partition were refused with it.
  if (refused.size > 0 && 'reason' in meaning) return { kind: 'retry', reason: meaning.reason, retryAfterMs: 0 };
  if (meaning.kind === 'hold') return maybeStored ? { ...meaning, maybeStored: true } : meaning;
  return meaning.kind === 'retry' && maybeStored ? { kind: 'uncertain', reason: meaning.reason, blameless: true } : meaning;
}
