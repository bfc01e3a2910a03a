import type { Format } from '../../event/event.ts';
import { isJsonFormat } from '../../event/index.ts';
import type { OutgoingEvent } from '../sink.ts';
import type { SplunkHecOptions } from './options.ts';

/**
 * Milliseconds since the epoch as HEC's `time`: seconds with exactly three decimals.
 *
 * HEC reads integers of 13 and 19 digits by their magnitude, so the decimals are written even when they are zero.
 * Source: https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector
 */
export function hecTime(ms: number): string {
  const whole = Math.trunc(Math.abs(ms));
  const sign = ms < 0 && whole > 0 ? '-' : '';
  return `${sign}${Math.trunc(whole / 1000)}.${String(whole % 1000).padStart(3, '0')}`;
}

/**
 * Makes the encoder of a sink: an event to its HEC envelope with a line feed after it.
 *
 * Exactly the seven keys that HEC knows: an unknown one makes it drop the rest of the batch and answer 200. Metadata stands on every
 * envelope because HEC carries none over. The body is not parsed again.
 */
export function envelopeEncoder(
  options: Pick<SplunkHecOptions, 'host' | 'index' | 'source' | 'sourcetype'>,
  hostname: string,
  format: Format,
): (event: OutgoingEvent) => readonly string[] {
  // A raw record may be any JSON, null included, which HEC refuses; as a string every one is indexed, and Splunk shows the same text.
  const asIs = isJsonFormat(format) && format !== 'raw';
  const index = options.index === undefined ? '' : `,"index":${JSON.stringify(options.index)}`;
  const host = JSON.stringify(options.host ?? hostname);
  const middles = new Map<string, string>();
  const middleOf = (source: string, table: string): string => {
    const key = `${source}\n${table}`;
    const known = middles.get(key);
    if (known !== undefined) return known;
    const names = `"source":${JSON.stringify(options.source ?? `penstock:${source}`)},"sourcetype":${JSON.stringify(options.sourcetype ?? `penstock:${table}`)}`;
    const middle = `,"host":${host},${names}${index},"event":`;
    middles.set(key, middle);
    return middle;
  };
  return ({ event, source, table, body, uid }) => [
    `{"time":${hecTime(event.time)}${middleOf(source, table)}`,
    asIs ? body : textEvent(body),
    `,"fields":{"penstock_id":${JSON.stringify(uid)}}}\n`,
  ];
}

/** A line of text as HEC's `event`; a blank one would be refused (code 13), so it becomes an object that says so. */
function textEvent(body: string): string {
  return body.trim() === '' ? `{"raw_data":${JSON.stringify(body)}}` : JSON.stringify(body.toWellFormed());
}
