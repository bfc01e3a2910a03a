import { parseJson } from '../../base/json.ts';
import type { Event, Format, Mapped } from '../event.ts';
import type { Drop } from '../ocsf/drop.ts';
import { cefLine, leefLine } from './cef-leef.ts';
import { cimLine } from './cim.ts';
import { ecsDocument } from './ecs.ts';
import { mappedEvent } from './facts.ts';
import { jsonLine, tidyJson } from './line.ts';

interface EncodeOptions {
  /** Adds the record's text as `raw_data` and `raw_data_size` (ECS: `event.original`). An unreadable record always carries it. */
  readonly includeRaw: boolean;
  /** Leaves out what the sink does not want; the words are those of `droppableOf` for the format. */
  readonly drop?: Drop | undefined;
}

function sent(mapped: Mapped, options: EncodeOptions): Event {
  const event = withRaw(mapped, options);
  return options.drop === undefined ? event : options.drop(event);
}

function withRaw(mapped: Mapped, { includeRaw }: EncodeOptions): Event {
  const event = mappedEvent(mapped.event);
  if (!includeRaw || event.raw_data !== undefined) return mapped.event;
  const { unmapped, ...rest } = event;
  const raw = mapped.raw();
  return { ...rest, raw_data: raw, raw_data_size: Buffer.byteLength(raw), ...(unmapped === undefined ? {} : { unmapped }) };
}

function rawLine(mapped: Mapped): string {
  const text = mapped.raw();
  if (mapped.actionKey !== undefined) return tidyJson(text);
  // The text of an unreadable record: JSON stays JSON, on one line; anything else goes as a JSON string, so that every line is JSON.
  try {
    return jsonLine(parseJson(text));
  } catch (error) {
    if (error instanceof SyntaxError) return jsonLine(text);
    throw error;
  }
}

function ecsLine(mapped: Mapped, { includeRaw, drop }: EncodeOptions): string {
  const original = includeRaw ? mapped.raw() : mappedEvent(mapped.event).raw_data;
  // ECS takes address, User-Agent and target of an unknown action out of unmapped, so that goes at the end.
  const unmapped = drop === undefined ? mapped.event['unmapped'] : drop(mapped.event)['unmapped'];
  return jsonLine(ecsDocument(mapped, original, unmapped));
}

/** True for formats whose body is JSON, so that a sink may embed it without quoting: all but cef and leef. */
export function isJsonFormat(format: Format): boolean {
  return format !== 'cef' && format !== 'leef';
}

const encoders: Readonly<Record<Format, (mapped: Mapped, options: EncodeOptions) => string>> = {
  ocsf: (mapped, options) => jsonLine(sent(mapped, options)),
  cim: (mapped, options) => cimLine(mapped, sent(mapped, options)),
  ecs: ecsLine,
  cef: cefLine,
  leef: leefLine,
  raw: rawLine,
};

/**
 * Encodes one event in a format: one line without any line break, valid UTF-8. Pure; never throws. `cim` has the CIM fields at the top and the
 * OCSF event under `ocsf`; `raw` is the vendor's record after redaction.
 */
export function encodeBody(format: Format, mapped: Mapped, options: EncodeOptions): string {
  return encoders[format](mapped, options);
}
