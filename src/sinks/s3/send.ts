// A batch is stored when all of its objects are, and not before: so the next process, which begins where the offset stands, comes to the
// names that this one used, and writes over them. A name says where its object begins and not where it ends: whatever begins there is written
// over what an earlier attempt left, be it cut off sooner or later, by this process or by the next.

import { createHash } from 'node:crypto';
import { deadline } from '../../base/clock.ts';
import { explainInLine, PenstockError } from '../../base/errors.ts';
import { iso } from '../../base/quantity.ts';
import { type Bodies, openBodies } from '../body.ts';
import { Encoded } from '../encoded.ts';
import type { Batch, SentEvent, Verdict } from '../sink.ts';
import type { S3Options } from './options.ts';
import { type Uploading, upload } from './upload.ts';
import { type ObjectVerdict, verdictOfFault } from './verdicts.ts';

const atOnce = 4;
// Of the time for a batch, for what is asked beside it.
const share = 1 / 4;

/** Sends batches of one sink. */
export class Sender {
  readonly #uploading: Uploading;
  readonly #sink: string;
  readonly #timeoutMs: number;
  readonly #bodies: Bodies;
  /** Objects of a batch that are not stored yet; a retry has the same encoded events. */
  readonly #plans = new WeakMap<Batch['encoded'], Set<PlannedObject>>();

  constructor(uploading: Uploading, sink: string, timeoutMs: number) {
    this.#uploading = uploading;
    this.#sink = sink;
    this.#timeoutMs = timeoutMs;
    this.#bodies = openBodies({ head: '', tail: '', cut: 0 }, uploading.options.compression);
  }

  /** In an outage only an object without events is sent again and again: no batch is cut or blamed. */
  async send(batch: Batch, signal: AbortSignal): Promise<Verdict> {
    if (batch.attempt === 0) return await this.#sendFirst(batch, signal);
    const control = await this.#takesOthers(batch, signal);
    if (isAway(control)) return notSent(control);
    const areTaken = control.kind === 'accept';
    try {
      const verdict = await this.#put(batch, signal);
      return areTaken ? besideOthers(verdict) : asWhole(verdict);
    } catch (error) {
      if (!areTaken || !signal.aborted) throw error;
      return { kind: 'uncertain', reason: explainInLine(error), othersTaken: true };
    }
  }

  /** Empties the object that begins with the event: nothing is missing whichever of the two is carried out last. */
  withdraw(event: SentEvent, signal: AbortSignal): Promise<Verdict> {
    const { options } = this.#uploading;
    return this.#putEmpty(`${folderOf(event, options)}${nameOf(event, this.#sink, options)}`, signal);
  }

  async #sendFirst(batch: Batch, signal: AbortSignal): Promise<Verdict> {
    const verdict = await this.#put(batch, signal);
    const { byObject } = verdict;
    if (byObject === undefined || byObject.kind === 'retry') return asWhole(verdict);
    const control = await this.#takesOthers(batch, signal);
    if (control.kind === 'accept') return byObject;
    return isAway(control) ? blameless(byObject, verdict) : asWhole(verdict);
  }

  async #put(batch: Batch, signal: AbortSignal): Promise<ObjectVerdict> {
    const plan = this.#plans.get(batch.encoded) ?? new Set(planObjects(batch, this.#sink, this.#uploading.options));
    this.#plans.set(batch.encoded, plan);
    const left = [...plan];
    let failed: ObjectVerdict | undefined;
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined && failed === undefined; next = left.shift()) {
        const { bytes } = await this.#bodies.of(next);
        const verdict = await uploadOnce(this.#uploading, { key: next.key, body: bytes }, signal);
        if (verdict.kind === 'accept') plan.delete(next);
        else failed = worse(failed, verdict);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return failed ?? { kind: 'accept' };
  }

  /** Whether the store takes an object without events, beside those of the batch and with the same headers, now. */
  async #takesOthers({ events }: Batch, signal: AbortSignal): Promise<ObjectVerdict> {
    const { options, clock } = this.#uploading;
    const [first] = events;
    const key = `${first === undefined ? '' : folderOf(first, options)}${controlName(this.#sink, options)}`;
    using limit = deadline(clock, this.#timeoutMs * share, signal);
    try {
      return await this.#putEmpty(key, limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'uncertain', reason: explainInLine(error) };
    }
  }

  async #putEmpty(key: string, signal: AbortSignal): Promise<ObjectVerdict> {
    const { bytes } = await this.#bodies.of({ encoded: Encoded.of([]) });
    return await uploadOnce(this.#uploading, { key, body: bytes }, signal);
  }
}

const isAway = ({ kind }: Verdict): boolean => kind === 'retry' || kind === 'uncertain';

function asWhole({ byObject: _byObject, ...verdict }: ObjectVerdict): Verdict {
  return verdict;
}

/** Nothing of the batch was sent. */
function notSent(control: ObjectVerdict): Verdict {
  const verdict = asWhole(control);
  if (verdict.kind !== 'uncertain') return verdict;
  const { reason, retryAfterMs, fix } = verdict;
  return { kind: 'retry', reason, ...(retryAfterMs !== undefined && { retryAfterMs }), ...(fix !== undefined && { fix }) };
}

/** What a failure says of a batch when the store took another object just before. */
function besideOthers({ byObject, ...verdict }: ObjectVerdict): Verdict {
  if (byObject !== undefined) return byObject;
  if (verdict.kind !== 'uncertain') return verdict;
  const { reason, retryAfterMs } = verdict;
  return { kind: 'uncertain', reason, othersTaken: true, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Nobody knows whether the object is refused, or everything is. */
function blameless(byObject: Verdict, whole: Verdict): Verdict {
  const reason = 'reason' in whole && whole.reason !== undefined ? whole.reason : whole.kind;
  const { retryAfterMs } = 'retryAfterMs' in whole ? whole : {};
  const pause = retryAfterMs === undefined ? {} : { retryAfterMs };
  return byObject.kind === 'uncertain'
    ? { kind: 'uncertain', reason, blameless: true, ...pause }
    : { kind: 'retry', reason, ...pause };
}

async function uploadOnce(
  uploading: Uploading,
  object: Parameters<typeof upload>[1],
  signal: AbortSignal,
): Promise<ObjectVerdict> {
  try {
    return await upload(uploading, object, signal);
  } catch (error) {
    if (error instanceof PenstockError && !error.sent) return verdictOfFault(error);
    throw error;
  }
}

/** Of objects that fail together: what waits for a person, then what may be stored. */
function worse(known: ObjectVerdict | undefined, next: ObjectVerdict): ObjectVerdict {
  const order: readonly Verdict['kind'][] = ['hold', 'split', 'uncertain', 'retry'];
  return known === undefined || order.indexOf(next.kind) < order.indexOf(known.kind) ? next : known;
}

/** An object to be: its name, and its events. */
interface PlannedObject {
  readonly key: string;
  readonly encoded: Encoded;
}

const extensions = { gzip: '.ndjson.gz', zstd: '.ndjson.zst', none: '.ndjson' } as const;
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59);
const positionDigits = 12;
const hashDigits = 12;

/** The objects of a batch: one per partition, source and lane, each named after its first event. */
function planObjects({ events, encoded }: Batch, sink: string, options: S3Options): PlannedObject[] {
  const groups = new Map<string, { readonly key: string; readonly indexes: number[] }>();
  for (const [index, event] of events.entries()) {
    const folder = folderOf(event, options);
    const name = `${folder}\n${event.source}\n${event.place.lane}`;
    const group = groups.get(name) ?? { key: `${folder}${nameOf(event, sink, options)}`, indexes: [] };
    group.indexes.push(index);
    groups.set(name, group);
  }
  return Array.from(groups.values(), ({ key, indexes }) => ({ key, encoded: encoded.pick(indexes) }));
}

/** `prefix/source=acme/day=2026-11-29/hour=03/`; empty without a prefix and partitions. */
function folderOf(
  { source, time: ms }: SentEvent,
  { prefix, layout, partition, region = '', account_id = '' }: S3Options,
): string {
  const time = ms >= 0 && ms <= lastTime ? iso(ms) : '1970-01-01T00';
  const day = time.slice(0, 10);
  const parts =
    layout === 'security_lake'
      ? [`region=${region}`, `accountId=${account_id}`, `eventDay=${day.replaceAll('-', '')}`]
      : [`source=${source}`, `day=${day}`, ...(partition === 'hour' ? [`hour=${time.slice(11, 13)}`] : [])];
  return [...(prefix === undefined ? [] : [prefix]), ...parts].map((part) => `${part}/`).join('');
}

/**
 * `live-000000004711-9f2c4e0a77d1.ndjson.gz`: lane and position of the first event, and a hash of all that makes its record this one. Another
 * sink, another journal, or one that was restored and filled anew, never comes to the same name.
 */
function nameOf({ uid, source, place }: SentEvent, sink: string, { compression }: S3Options): string {
  const { lane, position, received } = place;
  const hash = createHash('sha256')
    .update(JSON.stringify([sink, source, lane, position, uid, received]))
    .digest('hex');
  return `${lane}-${String(position).padStart(positionDigits, '0')}-${hash.slice(0, hashDigits)}${extensions[compression]}`;
}

/** What begins with an underscore is no data to Athena, Spark and Hive. One per folder in which something failed: it is written over. */
function controlName(sink: string, { compression }: S3Options): string {
  const hash = createHash('sha256').update(sink).digest('hex').slice(0, hashDigits);
  return `_penstock-control-${hash}${extensions[compression]}`;
}
