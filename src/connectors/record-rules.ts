import { holdsMoreValues } from '../base/foreign.ts';
import { isObject, type Json, type JsonText, setOwn } from '../base/json.ts';
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
  isWiderThan,
  normaliseKey,
  openZone,
  parsePath,
  redact,
  uidOf,
} from '../event/index.ts';
import type { RawRecord, RecordFacts, RecordList, RecordRules } from './connector.ts';
import type { RecordSpec } from './connector-schema.ts';

/** Compiles `record:` of a connector. Throws a SyntaxError for a wrong path. */
export function compileRecordRules(spec: RecordSpec, table: string): RecordRules {
  const nameOf = compileName(spec);
  const timeOf = compileTime(spec.time, spec.zone === undefined ? undefined : openZone(spec.zone));
  const timeValues = [spec.time].flat().map((path) => compilePath(path));
  const actionOf = compileActionName(spec.action);
  const tenantOf = spec.tenant === undefined ? undefined : compileText(spec.tenant);
  const selfAgentOf = compileSelf(spec);
  const take = compileFingerprint(spec.volatile);
  return {
    tellSelfMade: spec.self !== undefined,
    areNamedByContent: spec.id === undefined && spec.hash_is_id !== true,
    split: compileSplit(spec),
    examine(raw, configuredTenant, scrub) {
      const wide = textOfWide(raw);
      if (wide !== undefined) return examineText(table, wide, configuredTenant, scrub);
      const { value, text, isShallow } = raw.read?.() ?? { value: raw.value };
      if (raw.unreadable !== undefined || !isObject(value)) {
        return examineText(table, raw, configuredTenant, scrub);
      }
      const tenant = tenantOf?.(value) ?? configuredTenant;
      const name = raw.id === undefined ? nameOf(value) : { text: raw.id, isContent: false };
      const native = withPart(raw.id ?? withOccurrence(name.text, raw.occurrence), raw.part);
      const time = timeOf(value)?.ms;
      const taken = take(value, { scrub, text, isShallow });
      const action = taken.record === value ? actionOf(value) : cleanName(actionOf(value), scrub);
      return new Examined({
        raw,
        name: { table, tenant, native, isNamedByContent: name.isContent },
        time,
        hasUnreadableTime: time === undefined && timeValues.some((read) => isTold(read(value))),
        action,
        selfMadeBy: selfAgentOf(value, action),
        ...taken,
      });
    },
  };
}

/** True for what stands there, whatever it is. */
const isTold = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

/** The name of an action is kept and shown beside its record, from which secrets were taken. */
function cleanName(name: string | undefined, scrub: (text: string) => string = String): string | undefined {
  return name === undefined ? undefined : scrub(name);
}

interface Facts extends ReturnType<ReturnType<typeof compileFingerprint>> {
  readonly raw: RawRecord;
  readonly name: {
    readonly table: string;
    readonly tenant: string | undefined;
    readonly native: string;
    readonly isNamedByContent: boolean;
  };
  readonly time: number | undefined;
  readonly hasUnreadableTime: boolean;
  readonly action: string | undefined;
  readonly selfMadeBy: unknown;
}

/** Facts of a record that was read. There is one for each record of a page: small, and without the record where that has a text. */
class Examined implements RecordFacts {
  readonly uid: string;
  readonly isNamedByContent: boolean | undefined;
  readonly isFurtherPart: boolean | undefined;
  readonly fingerprint: string;
  readonly time: number | undefined;
  readonly hasUnreadableTime: boolean | undefined;
  readonly actionKey: string | undefined;
  readonly action: string | undefined;
  readonly json: JsonText | undefined;
  readonly labels: readonly string[] | undefined;
  readonly #name: Facts['name'];
  readonly #record: Json;
  readonly #selfMadeBy: unknown;

  constructor({ raw, name, time, hasUnreadableTime, action, selfMadeBy, fingerprint, record, isAsItCame }: Facts) {
    this.uid = uidOf(name.table, name.tenant, name.native);
    this.isNamedByContent = name.isNamedByContent ? true : undefined;
    this.isFurtherPart = raw.part?.isFurther === true ? true : undefined;
    this.fingerprint = fingerprint;
    this.time = time;
    this.hasUnreadableTime = hasUnreadableTime ? true : undefined;
    this.actionKey = action === undefined ? undefined : normaliseKey(action);
    this.action = action;
    this.json = isAsItCame ? raw.json : undefined;
    this.labels = raw.labels;
    this.#name = name;
    this.#record = this.json === undefined ? record : undefined;
    this.#selfMadeBy = selfMadeBy;
  }

  // Hashed only when asked for: hardly a record needs it.
  get conflictUid(): string {
    const { table, tenant, native } = this.#name;
    return uidOf(table, tenant, native, this.fingerprint);
  }

  get record(): Json {
    return this.json === undefined ? this.#record : this.json.parse();
  }

  isSelfMade(userAgent: string): boolean {
    return this.#selfMadeBy === userAgent;
  }
}

/** Most values of a record: to find its members, and to write them in order, takes as long as half a million characters. */
const mostValues = 50_000;

/** A record of more values than any log has, as its text; undefined for all others. Its members are not even read. */
function textOfWide(raw: RawRecord): RawRecord | undefined {
  if (raw.unreadable !== undefined || (raw.json === undefined && !isWiderThan(raw.value, mostValues / 3))) return undefined;
  if (raw.json !== undefined && raw.json.length <= mostValues) return undefined;
  const text = raw.json?.toString() ?? JSON.stringify(boundDepth(raw.value));
  if (!holdsMoreValues(text, mostValues)) return undefined;
  // Its name is made of the text, which must not depend on the way by which the page was read.
  const value = raw.json === undefined ? text : JSON.stringify(boundDepth(raw.value));
  return { ...raw, value, unreadable: `the record holds more than ${mostValues} values` };
}

function examineText(
  table: string,
  raw: RawRecord,
  tenant: string | undefined,
  scrub: ((text: string) => string) | undefined,
): RecordFacts {
  const text = typeof raw.value === 'string' ? raw.value : JSON.stringify(boundDepth(raw.value));
  const native = raw.id ?? withOccurrence(hashText(text), raw.occurrence);
  const fingerprint = fingerprintOf(text);
  return {
    uid: uidOf(table, tenant, native),
    conflictUid: uidOf(table, tenant, native, fingerprint),
    ...(raw.id === undefined ? { isNamedByContent: true } : {}),
    fingerprint,
    time: undefined,
    actionKey: undefined,
    record: redact(text, scrub),
    unreadable: raw.unreadable ?? 'the record is not a JSON object',
    ...(raw.labels === undefined ? {} : { labels: raw.labels }),
    isSelfMade: () => false,
  };
}

function withOccurrence(id: string, occurrence: number | undefined): string {
  return occurrence === undefined || occurrence <= 1 ? id : `${id}#${occurrence}`;
}

function withPart(id: string, part: RawRecord['part']): string {
  return part?.key === undefined ? id : `${id}#${part.key}`;
}

/** A longer list stays in one record: its events would fill the memory. */
const longestList = 10_000;
/** Each event carries the rest of its record: beyond so much text of all of them together the record stays one. */
const mostCopied = 16 * 1024 * 1024;
/** Events that a page may become at once. */
const mostAtOnce = 5_000;

/**
 * Compiles `record.each`: a record is as many as the list in it has elements, each with the element in the list's place. They are named by
 * the record and their content, so that their order does not matter.
 */
export function compileSplit({ each, id, volatile = [] }: RecordSpec): RecordRules['split'] {
  if (each === undefined) return (raw) => [raw];
  const [listOf, steps] = [compilePath(each), (parsePath(each) ?? []).map(String)];
  const idOf = id === undefined ? undefined : compilePath(id);
  const within = volatile.flatMap((path) => (path.startsWith(`${each}.`) ? [path.slice(each.length + 1)] : []));
  return (raw) => {
    // It may be parsed each time that it is asked for.
    const { value } = raw;
    const list = raw.unreadable === undefined ? listOf(value) : undefined;
    if (!Array.isArray(list) || list.length === 0 || list.length > longestList) return [raw];
    const rest = replaced(value, steps, undefined);
    const copied = list.length > 1 ? JSON.stringify(boundDepth(rest)).length : 0;
    if (copied * list.length > mostCopied) return [raw];
    const isNamedOutside = idOf === undefined || idOf(rest) !== undefined;
    const counts = new Map<string, number>();
    return list.map((element: unknown, index) => {
      const mark = fingerprintOf(element, within);
      const count = (counts.get(mark) ?? 0) + 1;
      counts.set(mark, count);
      const part = { isFurther: index > 0, ...(isNamedOutside ? { key: withOccurrence(mark, count) } : {}) };
      return { ...raw, value: replaced(value, steps, element), part, ...(copied > 0 ? { copied } : {}) };
    });
  };
}

/** The events of all records of a page: made at once where they are few, else when they are asked for, for all of them would fill the memory. */
export function splitAll(split: RecordRules['split'], raws: readonly RawRecord[]): RecordList {
  const events: RawRecord[] = [];
  let copied = 0;
  for (const raw of raws) {
    const parts = split(raw);
    for (const part of parts) {
      events.push(part);
      copied += part.copied ?? 0;
    }
    if (events.length > Math.max(mostAtOnce, raws.length) || copied > mostCopied) return new SplitLater(split, raws);
  }
  return events;
}

class SplitLater implements Iterable<RawRecord> {
  readonly length: number;
  readonly #split: RecordRules['split'];
  readonly #raws: readonly RawRecord[];
  /** How many events come before each record. */
  readonly #before: readonly number[];

  constructor(split: RecordRules['split'], raws: readonly RawRecord[]) {
    let length = 0;
    this.#before = raws.map((raw) => {
      const before = length;
      length += split(raw).length;
      return before;
    });
    this.length = length;
    [this.#split, this.#raws] = [split, raws];
  }

  slice(start = 0, end: number = this.length): RawRecord[] {
    return this.#raws.flatMap((raw, index) => {
      const [from, to] = [this.#before[index] ?? 0, this.#before[index + 1] ?? this.length];
      return to <= start || from >= end ? [] : this.#split(raw).slice(Math.max(0, start - from), end - from);
    });
  }

  *[Symbol.iterator](): Iterator<RawRecord> {
    for (const raw of this.#raws) yield* this.#split(raw);
  }
}

function replaced(value: unknown, [key, ...more]: readonly string[], element: unknown): unknown {
  if (key === undefined) return element;
  const copy = { ...(value as Record<string, unknown>) };
  setOwn(copy, key, replaced(copy[key], more, element));
  return copy;
}

function compileName({
  id,
  hash,
  hash_is_id: isId = false,
}: RecordSpec): (record: unknown) => { readonly text: string; readonly isContent: boolean } {
  const read = id === undefined ? undefined : compilePath(id);
  const hashed = hash === undefined ? undefined : compileHashId(hash);
  return (record) => {
    const native = read?.(record);
    if (native !== undefined) {
      const text = typeof native === 'string' ? native : JSON.stringify(boundDepth(native));
      return { text, isContent: false };
    }
    const text = hashed?.(record);
    // A record that lacks its id still has a name of its own: that of its content.
    if (text === undefined || (isId && text === '{}'))
      return { text: hashText(JSON.stringify(boundDepth(record))), isContent: true };
    return { text, isContent: !isId };
  };
}

/** Compiles the User-Agent of a record that some client's own reading of the log has left; undefined for any other record. */
function compileSelf({ self }: RecordSpec): (record: unknown, action: string | undefined) => unknown {
  if (self === undefined) return () => undefined;
  const keys = new Set(self.actions.map(normaliseKey));
  const userAgentOf = compilePath(self.user_agent);
  return (record, action) => (action !== undefined && keys.has(normaliseKey(action)) ? userAgentOf(record) : undefined);
}
