// A batch is stored when all of its objects are, and not before: so the next process, which begins where the offset stands, comes to the
// names that this one used, and writes over them. A name says where its object begins and not where it ends: whatever begins there is written
// over what an earlier attempt left, be it cut off sooner or later, by this process or by the next.
import { createHash } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';
import { openBodies } from '../body.ts';
import type { Encoded } from '../encoded.ts';
import type { Batch, SentEvent, Verdict, Verdicts } from '../sink.ts';
import type { S3Options } from './options.ts';
import { type Uploading, upload } from './upload.ts';
import { verdictOfFault } from './verdicts.ts';

const atOnce = 4;

/** Makes the `send` of a sink. */
export function s3Send(uploading: Uploading, sink: string): (batch: Batch, signal: AbortSignal) => Promise<Verdicts> {
  const { options } = uploading;
  const bodies = openBodies({ head: '', tail: '', cut: 0 }, options.compression);
  // Objects of a batch that are not stored yet; a retry has the same encoded events.
  const plans = new WeakMap<Batch['encoded'], Set<PlannedObject>>();

  return async (batch, signal) => {
    const plan = plans.get(batch.encoded) ?? new Set(planObjects(batch, sink, options));
    plans.set(batch.encoded, plan);
    const left = [...plan];
    let failed: Verdict | undefined;
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined && failed === undefined; next = left.shift()) {
        const { bytes } = await bodies.of(next);
        const verdict = await uploadOnce(uploading, { key: next.key, body: bytes }, signal);
        if (verdict.kind === 'accept') plan.delete(next);
        else failed = worse(failed, verdict);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return { all: failed === undefined ? { kind: 'accept' } : ofEvents(failed, batch.events.length) };
  };
}

async function uploadOnce(uploading: Uploading, object: Parameters<typeof upload>[1], signal: AbortSignal): Promise<Verdict> {
  try {
    return await upload(uploading, object, signal);
  } catch (error) {
    if (error instanceof PenstockError && !error.sent) return verdictOfFault(error);
    throw error;
  }
}

/** A batch may be too large for the way to the store; an event alone is never why it does not answer. */
function ofEvents(failed: Verdict, events: number): Verdict {
  return failed.kind === 'uncertain' && events === 1 ? { ...failed, blameless: true } : failed;
}

/** Of objects that fail together: what waits for a person, then what may be stored. */
function worse(known: Verdict | undefined, next: Verdict): Verdict {
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
  const time = ms >= 0 && ms <= lastTime ? new Date(ms).toISOString() : '1970-01-01T00';
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
