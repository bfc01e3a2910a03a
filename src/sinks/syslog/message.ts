import type { Log } from '../../base/log.ts';
import { iso } from '../../base/quantity.ts';
import type { Event } from '../../event/event.ts';
import { severityOf } from '../../event/index.ts';
import type { OutgoingEvent } from '../sink.ts';
import { warnOnce } from '../warn-once.ts';
import type { SyslogOptions } from './options.ts';

/** Who speaks: the parts of a header that are the same for every message. */
interface Speaker {
  readonly hostname: string;
  readonly procid: string;
  /** RFC 3164: the id of the event stands in the place of `procid`, for a text that may not carry it. */
  readonly tagsUid?: boolean;
}

/** Longest that {@link withSequence} makes a message longer, in octets. */
export const sequenceRoom = '[meta sequenceId="2147483647"]'.length;

/** Octets that RFC 3164 allows in a message (section 4.1). */
export const rfc3164MaxBytes = 1024;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const byteOrderMark = '\uFEFF';

/** PRI without its brackets: facility x 8 + the event's severity (RFC 5424 section 6.2.1). */
export function priority(facility: number, event: Event): number {
  return facility * 8 + severityOf(event);
}

/** A header field: printable US-ASCII without spaces, cut at `max`; what is not becomes `_`, nothing becomes `-` (section 6.2). */
export function headerField(text: string, max: number): string {
  const clean = text.trim().replace(/[^\x21-\x7e]/gu, '_');
  return clean === '' ? '-' : clean.slice(0, max);
}

/** A PARAM-VALUE: exactly `"`, `\` and `]` are escaped (section 6.3.3). */
export function paramValue(text: string): string {
  return text.replace(/["\\\]]/g, '\\$&');
}

/** RFC 3339 in UTC with milliseconds; `-` for a time that a four-digit year cannot hold. */
export function timestamp(ms: number): string {
  return isFourDigitYear(ms) ? iso(ms) : '-';
}

function isFourDigitYear(ms: number): boolean {
  return ms >= -62_167_219_200_000 && ms < 253_402_300_800_000;
}

/** `Mmm dd hh:mm:ss` in UTC, the day padded with a space (RFC 3164 section 4.1.2). */
export function bsdTimestamp(ms: number): string {
  const time = new Date(isFourDigitYear(ms) ? ms : 0);
  const day = String(time.getUTCDate()).padStart(2, ' ');
  return `${months[time.getUTCMonth()] ?? 'Jan'} ${day} ${time.toISOString().slice(11, 19)}`;
}

/**
 * The text of MSG: no control character survives, whatever the body holds, so nothing in it can end a frame or forge one.
 *
 * A tab stays in LEEF, where it separates the attributes. A byte order mark at the start goes: only the option `bom` puts one there.
 */
function safeText(body: string): string {
  // oxlint-disable-next-line no-control-regex
  const controls = body.startsWith('LEEF:') ? /[\0-\x08\x0a-\x1f\x7f]/g : /[\0-\x1f\x7f]/g;
  return body.replace(controls, ' ').replace(/^\uFEFF+/, '');
}

/** Puts `[meta sequenceId="N"]` first in the structured data of a message that {@link compileMessage} made for RFC 5424. */
export function withSequence(message: string, sequenceId: number): string {
  let at = -1;
  for (let spaces = 0; spaces < 6; spaces += 1) at = message.indexOf(' ', at + 1);
  return `${message.slice(0, at + 1)}[meta sequenceId="${sequenceId}"]${message.slice(at + 1)}`;
}

/** The number after `sequenceId`: 2147483647 is followed by 1 (RFC 5424 section 7.3.1). */
export function nextSequence(sequenceId: number): number {
  return sequenceId >= 2_147_483_647 ? 1 : sequenceId + 1;
}

export interface MessageEncoder {
  encode(event: OutgoingEvent): string;
  /** Messages cut since the encoder was made. */
  readonly truncated: number;
}

/**
 * Compiles the options into an encoder: one syslog message per event, without frame and without sequenceId.
 *
 * `maxBytes` is the room for one message; with `oversize: truncate` the end of MSG is cut to fit, otherwise the caller refuses what is larger.
 */
export function compileMessage(options: SyslogOptions, speaker: Speaker, maxBytes: number, log: Log): MessageEncoder {
  const header = options.rfc === 3164 ? bsdHeader(options, speaker) : ietfHeader(options, speaker);
  const bom = options.bom && options.rfc === 5424 ? byteOrderMark : '';
  let truncated = 0;
  return {
    encode(outgoing) {
      const head = header(outgoing);
      const message = `${head} ${bom}${safeText(outgoing.body)}`;
      if (options.oversize === 'refuse' || Buffer.byteLength(message) <= maxBytes) return message;
      if (truncated === 0)
        warnOnce(log, { uid: outgoing.uid, maxBytes }, 'messages are cut to fit max_message; counted as truncated from here on');
      truncated += 1;
      const room = maxBytes - Buffer.byteLength(`${head} ${bom}`);
      return room <= 0 ? head : `${head} ${bom}${cutText(safeText(outgoing.body), room)}`;
    },
    get truncated() {
      return truncated;
    },
  };
}

type Header = (outgoing: OutgoingEvent) => string;

function ietfHeader(options: SyslogOptions, speaker: Speaker): Header {
  const from = `${headerField(speaker.hostname, 255)} ${headerField(options.app_name, 48)} ${headerField(speaker.procid, 128)}`;
  const element = `penstock@${options.enterprise_number}`;
  return ({ uid, source, actionKey, event }) =>
    `<${priority(options.facility, event)}>1 ${timestamp(event.time)} ${from} ${headerField(actionKey ?? '', 32)} ` +
    `[${element} uid="${paramValue(safeText(uid))}" source="${paramValue(safeText(source))}"]`;
}

function bsdHeader(options: SyslogOptions, speaker: Speaker): Header {
  const tag = options.app_name.replace(/[^A-Za-z0-9]/g, '').slice(0, 32) || 'penstock';
  const host = headerField(speaker.hostname, 255);
  const from = (uid: string): string => `${host} ${tag}[${headerField(speaker.tagsUid === true ? uid : speaker.procid, 128)}]:`;
  return ({ event, uid }) => `<${priority(options.facility, event)}>${bsdTimestamp(event.time)} ${from(uid)}`;
}

/**
 * The longest beginning of `text` that fits `maxBytes` in UTF-8, on a character boundary and never inside an escape: no lone backslash
 * and no half `\uXXXX` is left at the end.
 */
function cutText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = Math.max(0, maxBytes);
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  const cut = bytes.toString('utf8', 0, end);
  return cut.slice(0, cut.length - halfEscapeLength(cut));
}

// UTF-8 continuation bytes are 10xxxxxx.
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

// From the end, a few steps and one run of backslashes: a pattern would try every run of the message.
function halfEscapeLength(text: string): number {
  let end = text.length;
  while (end > text.length - 3 && /[0-9A-Fa-f]/.test(text.charAt(end - 1))) end -= 1;
  // Digits alone are plain text, and so is a whole \uXXXX.
  const slashes = text.charAt(end - 1) === 'u' ? end - 1 : text.length;
  let first = slashes;
  while (first > 0 && text.charAt(first - 1) === '\\') first -= 1;
  // An even run of backslashes is complete escapes; what follows it is plain text.
  return (slashes - first) % 2 === 1 ? text.length - slashes + 1 : 0;
}
