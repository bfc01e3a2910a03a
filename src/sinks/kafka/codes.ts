import type { Verdict } from '../sink.ts';

const writeFix = 'allow the user of "auth" the operations Write and Describe on the topic';
export const topicFix = 'create the topic, which Penstock never does, or correct "topic" of the sink';
export const authFix = 'check "auth" of the sink, and that the listener of the broker takes this mechanism';

/** Refusals that wait for a person, with what to do. */
const holds: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: topicFix,
  INVALID_TOPIC_EXCEPTION: topicFix,
  TOPIC_AUTHORIZATION_FAILED: writeFix,
  CLUSTER_AUTHORIZATION_FAILED: `${writeFix}; brokers before 3.0 also want IdempotentWrite on the cluster`,
  SASL_AUTHENTICATION_FAILED: authFix,
  UNSUPPORTED_SASL_MECHANISM: authFix,
  ILLEGAL_SASL_STATE: authFix,
  INVALID_TIMESTAMP: 'set the clock of this machine, which stamps the records, or message.timestamp.*.max.ms of the topic',
  UNSUPPORTED_COMPRESSION_TYPE: 'set "compression" of the sink to what the brokers take',
  POLICY_VIOLATION: "check the topic's policy on the brokers",
};
/** For a refusal that no table names. */
export const holdFix = 'check topic, brokers and their version; the sink goes on by itself';

/** Codes with which nothing was stored, and which pass. */
const passing: ReadonlySet<string> = new Set([
  'BROKER_NOT_AVAILABLE',
  'CORRUPT_MESSAGE',
  'FENCED_LEADER_EPOCH',
  'INCONSISTENT_TOPIC_ID',
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'NOT_LEADER_OR_FOLLOWER',
  'REPLICA_NOT_AVAILABLE',
  'THROTTLING_QUOTA_EXCEEDED',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_ID',
]);

/** Codes with which records may have been stored, besides unknown ones that the client would ask again after. */
const doubtful: ReadonlySet<string> = new Set([
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'KAFKA_STORAGE_ERROR',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'REQUEST_TIMED_OUT',
  'UNKNOWN_PRODUCER_ID',
  'UNKNOWN_SERVER_ERROR',
]);

const tooLarge: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** What a broker's error code means for the records that it was said of; `reason` is the broker's words, `canRetry` the client's opinion. */
export function meaningOf(apiId: string, reason: string, canRetry: boolean): Verdict {
  if (tooLarge.has(apiId)) return { kind: 'split', code: 'too_large', reason };
  if (apiId === 'INVALID_RECORD') return { kind: 'split', code: 'invalid_record', reason };
  const fix = holds[apiId];
  if (fix !== undefined) return { kind: 'hold', reason, fix };
  if (passing.has(apiId)) return { kind: 'retry', reason };
  if (!canRetry && !doubtful.has(apiId)) return { kind: 'hold', reason, fix: holdFix };
  // Only of an unknown fault of the broker may a record be the cause.
  return { kind: 'uncertain', reason, ...(apiId === 'UNKNOWN_SERVER_ERROR' ? {} : { blameless: true }) };
}
