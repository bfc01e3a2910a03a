import { isRawNumber } from '../base/json.ts';
import { compilePath } from './path.ts';
import type { Zone } from './zone.ts';

interface ParsedTime {
  /** Milliseconds since the epoch; finer fractions are cut off. */
  readonly ms: number;
  /** True when only a date was told: then it is midnight UTC. */
  readonly dayOnly: boolean;
}

const shape =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)? ?([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?$/;
/** Digits of a calendar: `20261130`, `20261130070000` and with milliseconds. */
const digitShape = /^((?:19|20)\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)(\d{3})?)?$/;
const epochShape = /^\d{1,19}(?:\.\d+)?$/;
// As .NET writes it in JSON.
const dotNetShape = /^\/Date\((\d{1,15})(?:[+-]\d{4})?\)\/$/;
/** No log is older; what reads as a time before is nothing (0), or in another unit: minutes, days, seconds since 2001. */
const startOfTime = Date.UTC(2000, 0, 1);
/** The first instant of the year 10000. */
const endOfTime = 253_402_300_800_000;
// Seconds stay below this until the year 5138, milliseconds have been above it since 1973; finer units follow in steps of a thousand.
const secondsBelow = 100_000_000_000;
const thousand = 1000;
const beyondNanoseconds = 1e20;
const dash = 45;
const dot = 46;
const colon = 58;
const letterT = 84;
const letterZ = 90;

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function offsetMinutes(zone: string | undefined): number | undefined {
  const sign = zone?.charAt(0);
  if (zone === undefined || (sign !== '+' && sign !== '-')) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', ''));
  if (hours > 23 || minutes > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (hours * 60 + minutes);
}

function fromCalendar(match: RegExpExecArray, zone: Zone | undefined): number | undefined {
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0)];
  // Date.UTC takes years below 100 for 1900 and later; an offset may reach into 1969.
  if (year < 1969 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  // RFC 3339 allows second 60 for a leap second; it counts as the first of the next minute.
  if (hour > 24 || minute > 59 || second > 60) return undefined;
  // ISO 8601 writes the end of a day as 24:00.
  if (hour === 24 && (minute > 0 || second > 0)) return undefined;
  const offset = offsetMinutes(match[8]);
  if (offset === undefined) return undefined;
  const fraction = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, fraction) - offset * 60_000;
  return match[8] === undefined && zone !== undefined ? zone.toInstant(ms) : ms;
}

// Two digits at a place of a text; NaN when they are not digits.
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function milliseconds(text: string): number {
  if (text.length === 20) return 0;
  if (text.charCodeAt(19) !== dot || text.length < 24 || text.length > 30) return Number.NaN;
  for (let at = 22; at < text.length - 1; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
  }
  return pair(text, 20) * 10 + (text.charCodeAt(22) - 48);
}

/**
 * The shape that nearly every record has, `2026-11-20T10:15:30.123456Z`, read without a pattern: time stands in every record, twice in some.
 * Undefined when the text has another shape or may be no date; then the pattern decides.
 */
function fromUsualShape(text: string): number | undefined {
  if (
    text.charCodeAt(10) !== letterT ||
    text.charCodeAt(text.length - 1) !== letterZ ||
    text.charCodeAt(4) !== dash ||
    text.charCodeAt(7) !== dash
  )
    return undefined;
  if (text.charCodeAt(13) !== colon || text.charCodeAt(16) !== colon || text.length < 20) return undefined;
  const month = pair(text, 5);
  const day = pair(text, 8);
  const hour = pair(text, 11);
  const minute = pair(text, 14);
  const second = pair(text, 17);
  const year = pair(text, 0) * 100 + pair(text, 2);
  // Date.UTC takes years below 100 for 1900 and later.
  if (!(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return undefined;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return undefined;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds(text));
  return Number.isNaN(ms) ? undefined : ms;
}

/** True for numbers that are days of a calendar in 8 or 14 digits: as seconds they lie in August 1970, as milliseconds behind the year 2500. */
const mayBeDigits = (value: number): boolean =>
  (value > 19_700_000 && value < 21_000_000) || (value > 19_700_000_000_000 && value < 21_000_000_000_000);

// Tenths of a microsecond since 1601 or since the year 1; as nanoseconds since 1970 they would lie in 1974 or 1990.
const fileTimes = { from: 126e15, to: 158e15, offsetMs: 11_644_473_600_000 };
const ticks = { from: 630e15, to: 663e15, offsetMs: 62_135_596_800_000 };

function fromEpoch(value: number): number {
  for (const { from, to, offsetMs } of [fileTimes, ticks])
    if (value >= from && value < to) return Math.floor(value / 10_000 + 0.02) - offsetMs;
  if (value < secondsBelow) return Math.floor(Math.round(value * 1000 * 1000) / 1000);
  let ms = value;
  while (ms >= secondsBelow * thousand && ms < beyondNanoseconds) ms /= thousand;
  return Math.floor(ms);
}

/**
 * Reads a time as vendors write it: RFC 3339 with any fraction digits, with a blank instead of `T`, without an offset (then UTC), a
 * date alone, seconds, milli-, micro- or nanoseconds since the epoch (by magnitude), also as text, digits of a calendar, and the forms of mail,
 * web servers, Java, Go, .NET and Windows. Undefined for anything else, for dates whose day and month could be confused, and for what lies before 2000 or after
 * 9999: zero dates of programming languages are no times, nor are numbers in a unit that no vendor means. `zone` is that of times without one, UTC by default.
 */
export function parseTime(value: unknown, zone?: Zone): ParsedTime | undefined {
  const usual = typeof value === 'string' ? fromUsualShape(value) : undefined;
  if (usual !== undefined && usual >= startOfTime) return { ms: usual, dayOnly: false };
  const told = isRawNumber(value) ? (epochShape.test(value.rawJSON) ? value.rawJSON : Number(value.rawJSON)) : value;
  const text = typeof told === 'string' ? told.trim() : told;
  const parsed =
    typeof text === 'number'
      ? mayBeDigits(text)
        ? fromText(String(text), zone)
        : { ms: fromEpoch(text), dayOnly: false }
      : typeof text === 'string'
        ? fromText(text, zone)
        : undefined;
  return parsed !== undefined && parsed.ms >= startOfTime && parsed.ms < endOfTime ? parsed : undefined;
}

const longestText = 100;

function fromText(text: string, zone: Zone | undefined): ParsedTime | undefined {
  if (epochShape.test(text)) return fromDigits(text, zone) ?? { ms: fromEpoch(Number(text)), dayOnly: false };
  const dotNet = dotNetShape.exec(text);
  if (dotNet !== null) return { ms: Number(dotNet[1]), dayOnly: false };
  const match = shape.exec(text) ?? (text.length > longestText ? null : shape.exec(rfc3339Of(text) ?? ''));
  const ms = match === null ? undefined : fromCalendar(match, zone);
  return match === null || ms === undefined ? undefined : { ms, dayOnly: match[4] === undefined };
}

function fromDigits(text: string, zone: Zone | undefined): ParsedTime | undefined {
  const match = digitShape.exec(text);
  const ms = match === null ? undefined : fromCalendar(match, zone);
  return match === null || ms === undefined ? undefined : { ms, dayOnly: match[4] === undefined };
}

/** Compiles a list of paths of which the first that holds a time is taken; see {@link parseTime}. Throws as {@link compilePath} does. */
export function compileTime(paths: string | readonly string[], zone?: Zone): (record: unknown) => ParsedTime | undefined {
  const getters = (typeof paths === 'string' ? [paths] : paths).map((path) => compilePath(path));
  return (record) => {
    for (const getter of getters) {
      const time = parseTime(getter(record), zone);
      if (time !== undefined) return time;
    }
    return undefined;
  };
}

// The forms of a time other than RFC 3339 that vendors write, turned into it.

const clock = String.raw`(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)? ?([ap]\.?m\.?)? ?(?:\(?([A-Z]{1,3}T?|(?:GMT|UTC)?[+-]\d\d:?\d\d)\)?(?: \(?[A-Z]{3,4}\)?)?)?`;
const time = String.raw`(?:(?:,? (?:at )?|:|T)${clock})?`;
const weekday = String.raw`(?:[A-Za-z]{3,9},? )?`;

/** Each gives year, month, day as named groups and the clock as the six groups after `hour`. */
const forms = [
  // 28 Nov 2026 10:00:00 GMT, Sat, 28 Nov 2026 10:00:00 +0000, 28/Nov/2026:10:00:00 +0000, 28-Nov-2026 10:00
  new RegExp(String.raw`^${weekday}(?<day>\d{1,2})[ /-](?<month>[A-Za-z]{3,9})[ /-](?<year>\d{4})${time}$`, 'i'),
  // Nov 28, 2026 10:00:00 AM, November 28, 2026 at 10:00 AM UTC
  new RegExp(String.raw`^${weekday}(?<month>[A-Za-z]{3,9}) {1,2}(?<day>\d{1,2}),? (?<year>\d{4})${time}$`, 'i'),
  // 2026/11/28 10:00:00, 2026-11-28 10:00:00 AM, 2026-11-28 10:00:00.123 +0000 UTC
  new RegExp(String.raw`^(?<year>\d{4})[/-](?<month>\d\d)[/-](?<day>\d\d)${time}$`, 'i'),
];
// Sat Nov 28 10:00:00 2026, Sat Nov 28 10:00:00 UTC 2026
const yearLast =
  /^(?:[a-z]{3},? )?(?<month>[a-z]{3}) {1,2}(?<day>\d{1,2}) (?<clock>[\d:.]+)(?: (?<zone>[a-z]{1,4}|[+-]\d{4}))? (?<year>\d{4})$/i;
// 20261128T100000Z
const basic = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?(?:[.,](\d{1,18}))?(Z|[+-]\d\d:?\d\d)?$/i;
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const fullMonths = 'january february march april may june july august september october november december'.split(' ');
/** The names of zones that RFC 2822 fixes: https://www.rfc-editor.org/rfc/rfc2822#section-4.3 */
const zones: Readonly<Record<string, string>> = {
  EST: '-05:00',
  EDT: '-04:00',
  CST: '-06:00',
  CDT: '-05:00',
  MST: '-07:00',
  MDT: '-06:00',
  PST: '-08:00',
  PDT: '-07:00',
};
const utc = new Set(['Z', 'UT', 'UTC', 'GMT']);

/** The text as RFC 3339, without a check of its numbers; undefined when it has none of the forms. */
function rfc3339Of(text: string): string | undefined {
  // Java, Go and JavaScript write the zone twice, Go its monotonic clock as well.
  const plain = text.replace(/(?:\[[^\]]{1,40}\]| m=[+-][\d.]+|(?<=[+-]\d{4}) \([^()]{1,60}\))$/, '');
  const compact = basic.exec(plain);
  if (compact !== null) {
    const [, year, month, day, hour, minute, second = '00', fraction = '0', zone = ''] = compact;
    return `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction}${zone.toUpperCase()}`;
  }
  const match = forms.map((form) => form.exec(plain)).find((found) => found !== null);
  if (match !== undefined && match !== null) return fromForm(match);
  const last = yearLast.exec(plain)?.groups;
  if (last !== undefined)
    return rfc3339Of(`${last['day']} ${last['month']} ${last['year']} ${last['clock']} ${last['zone'] ?? ''}`.trim());
  return plain === text ? undefined : plain;
}

function fromForm(match: RegExpExecArray): string | undefined {
  const { year, month = '', day = '' } = match.groups ?? {};
  const monthNumber = monthOf(month);
  const [hour, minute = '00', second = '00', fraction = '0', half, zone] = match.slice(4);
  const offset = zoneOf(zone ?? '');
  if (monthNumber === undefined || offset === undefined) return undefined;
  const date = `${year}-${monthNumber}-${day.padStart(2, '0')}`;
  if (hour === undefined) return date;
  const hours = hoursOf(Number(hour), half);
  return hours === undefined ? undefined : `${date}T${hours}:${minute}:${second}.${fraction}${offset}`;
}

function monthOf(text: string): string | undefined {
  if (/^\d\d$/.test(text)) return text;
  const name = text.toLowerCase();
  const index = Math.max(months.indexOf(name === 'sept' ? 'sep' : name), fullMonths.indexOf(name));
  return index === -1 ? undefined : String(index + 1).padStart(2, '0');
}

function hoursOf(hour: number, half: string | undefined): string | undefined {
  if (half === undefined) return String(hour).padStart(2, '0');
  if (hour < 1 || hour > 12) return undefined;
  return String((hour % 12) + (half.toLowerCase().startsWith('p') ? 12 : 0)).padStart(2, '0');
}

function zoneOf(text: string): string | undefined {
  const name = text.toUpperCase();
  if (name === '') return '';
  if (utc.has(name)) return 'Z';
  const offset = /[+-]\d\d:?\d\d$/.exec(name)?.[0];
  return offset ?? zones[name];
}
