import { deadline } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import type { Json } from '../base/json.ts';
import { Budgets } from '../collect/index.ts';
import type { SourceConfig } from '../config/config.ts';
import type { RawRecord, Reader } from '../connectors/connector.ts';
import type { Event } from '../event/event.ts';
import { type OpenContext, openReader } from '../runtime/open-runtime.ts';

interface Preview {
  readonly record: Json;
  readonly event: Event;
  /** The action's row was found in the table. */
  readonly known: boolean;
}

const timeoutMs = 30_000;
const defaultBackMs = 86_400_000;

async function firstRecords(
  reader: Reader,
  source: SourceConfig,
  now: number,
  limit: number,
  signal: AbortSignal,
): Promise<readonly RawRecord[]> {
  if (reader.kind === 'http_window') {
    const to = now - source.window.settleMs;
    const page = await reader.page({ from: to - Math.min(defaultBackMs, source.window.maxMs), to, state: null, limit }, signal);
    return page.records.slice(0, limit);
  }
  if (reader.kind === 'http_cursor')
    return (await reader.page({ state: null, from: now - defaultBackMs, limit }, signal)).records.slice(0, limit);
  if (reader.kind === 'csv_directory') {
    const { files } = await reader.list(signal);
    const newest = files.at(-1);
    if (newest === undefined) return [];
    for await (const rows of reader.read(newest, signal)) return rows;
    return [];
  }
  throw new PenstockError('PEN_OPERATION_FAILED', 'a stream cannot be previewed: reading would consume its messages', {
    fix: 'use `penstock check`, or look at a delivered event',
  });
}

/** Reads one page of a source and maps it as delivery would. Writes nothing, moves no cursor. */
export async function preview(
  source: SourceConfig,
  context: OpenContext,
  limit: number,
  signal: AbortSignal,
): Promise<Preview[]> {
  using time = deadline(context.seams.clock, timeoutMs, signal);
  await using reader = await openReader(source, context, new Budgets(context.seams, context.log));
  const now = context.seams.clock.now();
  const records = await firstRecords(reader, source, now, limit, time.signal);
  const mapping = { source: source.name, tenant: source.tenant, labels: source.labels, processedTime: now };
  return records.slice(0, limit).map((raw) => {
    const { uid, record, unreadable } = source.connector.records.examine(raw, source.tenant, context.secrets.scrubValues);
    const envelope = { uid, received: now, record, unreadable };
    const { event, action } = source.connector.mapper.map(envelope, mapping);
    return { record, event, known: action !== undefined };
  });
}
