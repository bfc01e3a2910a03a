import { isObject } from '../base/json.ts';
import {
  boundDepth,
  compileActionName,
  compileFingerprint,
  compileHashId,
  compilePath,
  compileText,
  compileTime,
  fingerprintOf,
  hashText,
  normaliseKey,
  redact,
  uidOf,
} from '../event/index.ts';
import type { RawRecord, RecordFacts, RecordRules } from './connector.ts';
import type { RecordSpec } from './connector-schema.ts';

/** Compiles `record:` of a connector. Throws a SyntaxError for a wrong path. */
export function compileRecordRules(spec: RecordSpec, table: string): RecordRules {
  const idOf = compileId(spec);
  const timeOf = compileTime(spec.time);
  const actionOf = compileActionName(spec.action);
  const tenantOf = spec.tenant === undefined ? undefined : compileText(spec.tenant);
  const isSelf = compileSelf(spec);
  const take = compileFingerprint(spec.volatile);
  return {
    examine(raw, configuredTenant) {
      const { value } = raw;
      if (raw.unreadable !== undefined || !isObject(value)) {
        return examineText(table, raw, configuredTenant, raw.unreadable ?? 'the record is not a JSON object');
      }
      const tenant = tenantOf?.(value) ?? configuredTenant;
      const native = raw.id ?? withOccurrence(idOf(value), raw.occurrence);
      const action = actionOf(value);
      const { fingerprint, record } = take(value);
      return {
        uid: uidOf(table, tenant, native),
        // Hashed only when asked for: hardly a record needs it.
        get conflictUid() {
          return uidOf(table, tenant, native, fingerprint);
        },
        fingerprint,
        time: timeOf(value)?.ms,
        ...(action === undefined ? { actionKey: undefined } : { actionKey: normaliseKey(action), action }),
        record,
        ...(raw.labels === undefined ? {} : { labels: raw.labels }),
        isSelfMade: (userAgent) => isSelf(value, action, userAgent),
      };
    },
  };
}

function examineText(table: string, raw: RawRecord, tenant: string | undefined, unreadable: string): RecordFacts {
  const text = typeof raw.value === 'string' ? raw.value : JSON.stringify(boundDepth(raw.value));
  const native = raw.id ?? withOccurrence(hashText(text), raw.occurrence);
  const fingerprint = fingerprintOf(text);
  return {
    uid: uidOf(table, tenant, native),
    conflictUid: uidOf(table, tenant, native, fingerprint),
    fingerprint,
    time: undefined,
    actionKey: undefined,
    record: redact(text),
    unreadable,
    ...(raw.labels === undefined ? {} : { labels: raw.labels }),
    isSelfMade: () => false,
  };
}

function withOccurrence(id: string, occurrence: number | undefined): string {
  return occurrence === undefined || occurrence <= 1 ? id : `${id}#${occurrence}`;
}

function compileId({ id, hash }: RecordSpec): (record: unknown) => string {
  const read = id === undefined ? undefined : compilePath(id);
  const hashed = hash === undefined ? undefined : compileHashId(hash);
  return (record) => {
    const native = read?.(record);
    if (native !== undefined) return typeof native === 'string' ? native : JSON.stringify(boundDepth(native));
    // A record that lacks its id still has a name of its own: that of its content.
    return hashed === undefined ? hashText(JSON.stringify(boundDepth(record))) : hashed(record);
  };
}

function compileSelf({ self }: RecordSpec): (record: unknown, action: string | undefined, userAgent: string) => boolean {
  if (self === undefined) return () => false;
  const keys = new Set(self.actions.map(normaliseKey));
  const userAgentOf = compilePath(self.user_agent);
  return (record, action, userAgent) =>
    action !== undefined && keys.has(normaliseKey(action)) && userAgentOf(record) === userAgent;
}
