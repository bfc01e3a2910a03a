import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Config, SinkConfig, SourceConfig } from '../config/config.ts';
import { bytesOf, largestEvent } from '../deliver/index.ts';
import { compileDrop, encodeBody } from '../event/index.ts';
import { openConfiguredJournal } from '../runtime/configured-journal.ts';
import type { OpenContext, openSink } from '../runtime/open-runtime.ts';

type OpenedSink = Awaited<ReturnType<typeof openSink>>;

/** Size of the largest event that a sink has met, or of the largest sample of the connectors where it has met none. */
interface Largest {
  readonly bytes: number;
  readonly isSample: boolean;
}

/** What the largest event of a sink is: by the journal, else by samples; undefined where neither knows. */
export async function largestOf(
  config: Config,
  settings: SinkConfig,
  sink: OpenedSink,
  context: OpenContext,
): Promise<Largest | undefined> {
  const seen = await fromJournal(config, settings, context);
  if (seen !== undefined) return { bytes: seen, isSample: false };
  const sources = config.sources.filter(({ name, enabled }) => enabled && (settings.sources?.includes(name) ?? true));
  const sizes = await Promise.all(sources.map((source) => largestSample(source, settings, sink, context)));
  const bytes = Math.max(0, ...sizes);
  return bytes === 0 ? undefined : { bytes, isSample: true };
}

async function fromJournal(config: Config, settings: SinkConfig, { seams, log }: OpenContext): Promise<number | undefined> {
  try {
    await using journal = await openConfiguredJournal(config, { seams, log, role: 'observer' });
    return await largestEvent(journal, settings);
  } catch (error) {
    // There is none yet, or it is of no use: what is wrong with it is not for this check to say.
    if (error instanceof PenstockError) return undefined;
    throw error;
  }
}

async function largestSample(
  source: SourceConfig,
  { format, includeRaw, drop }: SinkConfig,
  sink: OpenedSink,
  { seams }: OpenContext,
): Promise<number> {
  const { connector, tenant, labels, name } = source;
  const text = await seams.files.readFile(join(connector.origin, 'samples.ndjson'), 'utf8').catch(() => '');
  const mapping = { source: name, tenant, labels, processedTime: seams.clock.now() };
  const sizes = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => connector.records.split({ value: parseJson(line) }))
    .map((raw) => {
      const { uid, record } = connector.records.examine(raw, tenant);
      const mapped = connector.mapper.map({ uid, received: mapping.processedTime, record }, mapping);
      const { event, action, actionKey } = mapped;
      const body = encodeBody(format, mapped, { includeRaw, drop: compileDrop(drop) });
      const place = { lane: 'live', position: 1, received: mapping.processedTime };
      const outgoing = { uid, source: name, table: connector.mapper.table, place, event, action, actionKey, body };
      return bytesOf(sink, outgoing);
    });
  return Math.max(0, ...sizes);
}

/** What the largest event will meet: the sink's own limit, beyond which it is never sent, and what receivers cut. */
export function describeSize(
  largest: Largest | undefined,
  { maxEventBytes, receiverLimits = [] }: Pick<OpenedSink, 'maxEventBytes' | 'receiverLimits'>,
): { readonly findings: readonly string[]; readonly fix?: string } {
  const limits = receiverLimits.filter(({ bytes }) => bytes < maxEventBytes);
  if (largest === undefined) return { findings: limits.map(({ bytes, says }) => `above ${count(bytes)} bytes ${says}`) };
  const what = `${largest.isSample ? 'the largest sample' : 'the largest event so far'} has ${count(largest.bytes)} bytes`;
  if (largest.bytes > maxEventBytes)
    return {
      findings: [`${what}, the sink sends at most ${count(maxEventBytes)}: such events become dead letters too_large`],
      fix: 'raise the limit of the sink (max_message, max_event_bytes) as far as the receiver takes it, or choose a shorter format',
    };
  const findings = limits.map(({ bytes, says, fix }) =>
    bytes < largest.bytes ? `warning: ${what}; above ${count(bytes)} ${says}: ${fix}` : `${what}; above ${count(bytes)} ${says}`,
  );
  return { findings: findings.length === 0 ? [what] : findings };
}

function count(bytes: number): string {
  return bytes.toLocaleString('en-US');
}
