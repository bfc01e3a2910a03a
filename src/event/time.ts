import { isRawNumber } from '../base/json.ts';
import { compilePath } from './path.ts';

/** A record's time. */
export interface ParsedTime {
  /** Milliseconds since the epoch; finer fractions are cut off. */
  readonly ms: number;
  /** True when only a date was told: then it is midnight UTC. */
  readonly dayOnly: boolean;
}

const shape = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?)?$/;
const epochShape = /^\d{1,14}(?:\.\d+)?$/;
/** The first instant of the year 10000. */
const endOfTime = 253_402_300_800_000;
// Seconds stay below this until the year 5138, milliseconds have been above it since 1973.
const secondsBelow = 100_000_000_000;

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
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  // RFC 3339 allows second 60 for a leap second; it counts as the first of the next minute.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = offsetMinutes(match[8]);
  if (offset === undefined) return undefined;
  const fraction = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  return Date.UTC(year, month - 1, day, hour, minute, second, fraction) - offset * 60_000;
}

function fromEpoch(value: number): number {
  return Math.floor(value < secondsBelow ? Math.round(value * 1000 * 1000) / 1000 : value);
}

/**
 * Reads a time as vendors write it: RFC 3339 with 0 to 9 fraction digits, with a blank instead of `T`, without an offset (then UTC), a
 * date alone, or a number of seconds or milliseconds since the epoch (by magnitude), also as text. Undefined for anything else and for
 * what lies before 1970 or after 9999: zero dates of programming languages are no times.
 */
export function parseTime(value: unknown): ParsedTime | undefined {
  const told = isRawNumber(value) ? value.rawJSON : value;
  const text = typeof told === 'string' ? told.trim() : told;
  const match = typeof text === 'string' ? shape.exec(text) : null;
  let ms: number | undefined;
  if (match !== null) ms = fromCalendar(match);
  else if (typeof text === 'number') ms = fromEpoch(text);
  else if (typeof text === 'string' && epochShape.test(text)) ms = fromEpoch(Number(text));
  if (ms === undefined || !(ms >= 0 && ms < endOfTime)) return undefined;
  return { ms, dayOnly: match !== null && match[4] === undefined };
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
