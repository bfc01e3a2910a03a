import { isRawNumber } from '../base/json.ts';
import { compilePath } from './path.ts';
import { rfc3339Of } from './time-forms.ts';

interface ParsedTime {
  /** Milliseconds since the epoch; finer fractions are cut off. */
  readonly ms: number;
  /** True when only a date was told: then it is midnight UTC. */
  readonly dayOnly: boolean;
}

const shape = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?$/;
const epochShape = /^\d{1,19}(?:\.\d+)?$/;
// As .NET writes it in JSON.
const dotNetShape = /^\/Date\((\d{1,15})(?:[+-]\d{4})?\)\/$/;
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

function fromCalendar(match: RegExpExecArray): number | undefined {
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0)];
  // Date.UTC takes years below 100 for 1900 and later; an offset may reach into 1969.
  if (year < 1969 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  // RFC 3339 allows second 60 for a leap second; it counts as the first of the next minute.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = offsetMinutes(match[8]);
  if (offset === undefined) return undefined;
  const fraction = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  return Date.UTC(year, month - 1, day, hour, minute, second, fraction) - offset * 60_000;
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
  // Days that only some months have are left to the pattern.
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour <= 23 && minute <= 59 && second <= 59)) return undefined;
  const year = pair(text, 0) * 100 + pair(text, 2);
  // Date.UTC takes years below 100 for 1900 and later.
  if (!(year >= 1970)) return undefined;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds(text));
  return Number.isNaN(ms) ? undefined : ms;
}

function fromEpoch(value: number): number {
  if (value < secondsBelow) return Math.floor(Math.round(value * 1000 * 1000) / 1000);
  let ms = value;
  while (ms >= secondsBelow * thousand && ms < beyondNanoseconds) ms /= thousand;
  return Math.floor(ms);
}

/**
 * Reads a time as vendors write it: RFC 3339 with 0 to 9 fraction digits, with a blank instead of `T`, without an offset (then UTC), a
 * date alone, seconds, milli-, micro- or nanoseconds since the epoch (by magnitude), also as text, and the forms of mail, web servers,
 * Java, Go and .NET. Undefined for anything else, for dates whose day and month could be confused, and for what lies before 1970 or after
 * 9999: zero dates of programming languages are no times.
 */
export function parseTime(value: unknown): ParsedTime | undefined {
  const usual = typeof value === 'string' ? fromUsualShape(value) : undefined;
  if (usual !== undefined && usual >= 0) return { ms: usual, dayOnly: false };
  const told = isRawNumber(value) ? value.rawJSON : value;
  const text = typeof told === 'string' ? told.trim() : told;
  const parsed =
    typeof text === 'number' ? { ms: fromEpoch(text), dayOnly: false } : typeof text === 'string' ? fromText(text) : undefined;
  return parsed !== undefined && parsed.ms >= 0 && parsed.ms < endOfTime ? parsed : undefined;
}

const longestText = 64;

function fromText(text: string): ParsedTime | undefined {
  if (epochShape.test(text)) return { ms: fromEpoch(Number(text)), dayOnly: false };
  const dotNet = dotNetShape.exec(text);
  if (dotNet !== null) return { ms: Number(dotNet[1]), dayOnly: false };
  const match = shape.exec(text) ?? (text.length > longestText ? null : shape.exec(rfc3339Of(text) ?? ''));
  const ms = match === null ? undefined : fromCalendar(match);
  return match === null || ms === undefined ? undefined : { ms, dayOnly: match[4] === undefined };
}

/** Compiles a list of paths of which the first that holds a time is taken; see {@link parseTime}. Throws as {@link compilePath} does. */
export function compileTime(paths: string | readonly string[]): (record: unknown) => ParsedTime | undefined {
  const getters = (typeof paths === 'string' ? [paths] : paths).map((path) => compilePath(path));
  return (record) => {
    for (const getter of getters) {
      const time = parseTime(getter(record));
      if (time !== undefined) return time;
    }
    return undefined;
  };
}
