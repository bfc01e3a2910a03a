// What people write who know what they mean: `5 min`, curly quotes, a list in the place of a map. The fix says what to write instead.
import { isObject } from '../base/json.ts';
import { durationPattern, parseTimestamp, sizePattern } from '../base/quantity.ts';
import type { SchemaError } from '../base/schema.ts';

const bentQuote = /^[\u00ab\u2018\u2019\u201a\u201c-\u201f]/;

/** A text between quotes that YAML does not know. */
export const standsInBentQuotes = (text: string): boolean =>
  bentQuote.test(text) && /[\u00bb\u2018\u2019\u201b-\u201f]$/.test(text) && text.length > 1;

const units: Readonly<Record<string, string>> = {
  sec: 's',
  min: 'm',
  hr: 'h',
  hour: 'h',
  day: 'd',
  week: 'w',
  second: 's',
  minute: 'm',
};

/** `5m` for `5 min`, `every 5 minutes`, `5M`; undefined for what is no duration in any words. */
export function meantDuration(text: string): string | undefined {
  const [, count, unit = ''] =
    /^(?:every )?(\d+(?:\.\d+)?) ?(ms|[smhdw]|(?:sec|min|hr|hour|day|week|second|minute)s?)$/i.exec(text.trim()) ?? [];
  const name = unit.toLowerCase().replace(/(?<=\w\w)s$/, '');
  return count === undefined ? undefined : `${count}${units[name] ?? unit.toLowerCase()}`;
}

/** `1MB` for `1 mb`, `1M`, `1 Mbytes`. */
function meantSize(text: string): string | undefined {
  const [, count, prefix = '', binary = ''] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?(?:ytes?)?$/i.exec(text.trim()) ?? [];
  return count === undefined || (prefix === '' && /^\d+$/.test(text))
    ? undefined
    : `${count}${prefix.toUpperCase()}${binary.toLowerCase()}B`;
}

/** `2026-11-01T10:00:00Z` for a time without a zone, or with a blank in the place of the T, `2026-11-01` for `01.11.2026`. */
export function meantTime(text: string): string | undefined {
  const [, date = '', time, seconds = ':00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?$/i.exec(text.trim()) ?? [];
  const [, day = '', month = '', year] = /^(\d\d?)\.(\d\d?)\.(\d{4})$/.exec(text.trim()) ?? [];
  const meant =
    time !== undefined
      ? `${date}T${time}${seconds}${zone.replace(/utc/i, 'Z').replace(/(\d\d)(\d\d)$/, '$1:$2')}`
      : year !== undefined && `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  return meant !== false && meant !== text && parseTimestamp(meant) !== undefined ? meant : undefined;
}

/** The number or the truth that stands there as text: `10_000`, `"2"`, `no`. */
function meantScalar(type: unknown, text: string): string | undefined {
  const number = text.trim().replaceAll(/(?<=\d)[_,' ](?=\d{3}(?!\d))/g, '');
  if ((type === 'integer' && /^-?\d{1,15}$/.test(number)) || (type === 'number' && /^-?\d+(?:\.\d+)?$/.test(number)))
    return `write ${Number(number)}, without quotes or marks between its digits`;
  if (type !== 'boolean') return undefined;
  const isTrue = /^(?:true|yes|y|on)$/i.test(text);
  return isTrue || /^(?:false|no|n|off)$/i.test(text) ? `write ${isTrue}` : undefined;
}

/** The fix for a slip that can be told from what stands there; `shown` is that text, where it may be shown. */
export function slipFix({ keyword, params, data, parentSchema }: SchemaError, shown: string | undefined): string | undefined {
  const type = (params as { type?: unknown }).type;
  const pattern = (params as { pattern?: unknown }).pattern;
  if (keyword === 'type' && type !== 'object' && data === null)
    return 'it has no value: write one, in quotes if it begins with #, or remove the name';
  if (keyword === 'type' && type === 'object' && Array.isArray(data))
    return 'take the "- " before each line away: it is NAME: value here, without a list';
  if (keyword === 'type' && type === 'array' && shown !== undefined) return `write a list: [${shown}]`;
  if (keyword === 'anyOf' && typeof data === 'number' && isOfDurations(parentSchema))
    return `write it with its unit: ${data}s, ${data}m, ${data}h`;
  if (shown !== undefined && bentQuote.test(shown)) return 'use plain quotes, " or \', or none';
  const scalar = keyword === 'type' && shown !== undefined ? meantScalar(type, shown) : undefined;
  if (scalar !== undefined) return scalar;
  const meant =
    shown === undefined
      ? undefined
      : pattern === durationPattern
        ? meantDuration(shown)
        : pattern === sizePattern
          ? meantSize(shown)
          : undefined;
  return meant === undefined || meant === shown ? undefined : `write ${meant}`;
}

/** True for what may be an interval, as `schedule` may. */
const isOfDurations = ({ description }: Readonly<Record<string, unknown>>): boolean => /\binterval\b/.test(String(description));

/** What to do about a name that is no option because of what stands before it: none of its blanks, or a blank that is none. */
export function slippedOut(name: string, value: unknown): string | undefined {
  if (/^[^\S\n]/.test(name))
    return 'it begins with a no-break or other odd blank, as web pages have them: type the blanks of this line anew';
  if (!isObject(value)) return undefined;
  const above = 'connector' in value ? 'sources' : 'type' in value ? 'sinks' : undefined;
  return above === undefined ? undefined : `indent "${name}" and all of its lines so that it stands below ${above}:`;
}
