// What people write who know what they mean: `5 min`, curly quotes, a list in the place of a map. The fix says what to write instead.
import { durationPattern, parseTimestamp, sizePattern } from './quantity.ts';
import type { SchemaError } from './schema.ts';

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

/** `5m` for `5 min`, `every 5 minutes`, `5M`, `PT5M`, `00:05:00`, `4m60s`; undefined for what is no duration in any words. */
export function meantDuration(text: string): string | undefined {
  const [, count, unit = ''] =
    /^(?:every )?(\d+(?:[.,]\d+)?) ?(ms|[smhdw]|(?:sec|min|hr|hour|day|week|second|minute)s?)$/i.exec(text.trim()) ?? [];
  const name = unit.toLowerCase().replace(/(?<=\w\w)s$/, '');
  if (count !== undefined) return `${count.replace(',', '.')}${units[name] ?? unit.toLowerCase()}`;
  const ofClock = /^()(\d\d?):(\d\d):(\d\d)$/.exec(text.trim());
  const inParts = /^P?(?:(\d+)d)?[T ]?(?:(\d+)h)? ?(?:(\d+)m)? ?(?:(\d+)s)?$/i.exec(text.trim());
  const [, days, hours, minutes, seconds] = ofClock ?? inParts ?? [];
  const parts = [days, hours, minutes, seconds].map((part) => Number(part ?? 0));
  const [d = 0, h = 0, m = 0, s = 0] = parts;
  return inOneUnit(d * 86_400 + h * 3600 + m * 60 + s);
}

/** The same time as seconds say, in the largest unit that says it in a whole number. */
function inOneUnit(seconds: number): string | undefined {
  const sizes = [86_400, 3600, 60, 1];
  const size = sizes.find((one) => seconds % one === 0) ?? 1;
  return seconds === 0 ? undefined : `${seconds / size}${'dhms'[sizes.indexOf(size)] ?? 's'}`;
}

/** `1MB` for `1 mb`, `1M`, `1 Mbytes`. */
function meantSize(text: string): string | undefined {
  const [, count, prefix = '', binary = ''] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?(?:ytes?)?$/i.exec(text.trim()) ?? [];
  return count === undefined || (prefix === '' && /^\d+$/.test(text))
    ? undefined
    : `${count}${prefix.toUpperCase()}${binary.toLowerCase()}B`;
}

/** `2026-11-01T10:00:00Z` for a time without a zone, or with a blank in the place of the T, `2026-11-01` for `01.11.2026`, `30d` for `-30d`. */
export function meantTime(text: string): string | undefined {
  const ago = /^(?:now ?)?- ?(.*)$|^(.*) ago$/.exec(text.trim());
  if (ago !== null) return meantDuration(ago[1] ?? ago[2] ?? '');
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
  if (keyword === 'type' && type === 'array' && /^-\S/.test(shown ?? ''))
    return `write a blank after the dash: - ${shown?.slice(1)}`;
  if (keyword === 'type' && type === 'array' && shown !== undefined) return `write a list: [${shown}]`;
  if (keyword === 'anyOf' && typeof data === 'number' && isOfDurations(parentSchema))
    return `write it with its unit: ${data >= 1000 ? `${data}ms, ` : ''}${data}s, ${data}m, ${data}h`;
  if (keyword === 'type' && typeof data === 'number' && isOfTimes(parentSchema)) return epochFix(data);
  if (shown !== undefined && bentQuote.test(shown)) return 'use plain quotes, " or \', or none';
  if (shown !== undefined && invisible.test(shown)) return `it holds ${invisibleWords}`;
  if ((keyword === 'format' || keyword === 'pattern') && shown?.includes('://') === true) return addressFix(shown, parentSchema);
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

/** Characters without a width, which come along from web pages and chats. */
const invisible = /[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/;
const invisibleWords = 'a character that is not seen, as web pages have them: type it anew';

/** What is wrong with a text that holds a character without a width. */
export function unseenIn(text: string): readonly [what: string, fix: string] | undefined {
  return invisible.test(text)
    ? ['the text holds a character that is not seen', 'type it anew, or copy it from elsewhere']
    : undefined;
}

/** What is wrong with an address that has a scheme. */
function addressFix(text: string, { pattern, format }: Readonly<Record<string, unknown>>): string | undefined {
  const [, scheme = '', rest = ''] = /^([^:]*):\/\/(.*)$/.exec(text) ?? [];
  const listed = /^\^\(?([a-z|?]+)\)?:\/\//.exec(String(pattern))?.[1]?.replace('https?', 'https|http').split('|');
  if (listed === undefined && format !== 'uri') return undefined;
  const schemes = listed ?? ['https', 'http', 'wss', 'ws'];
  if (!schemes.includes(scheme)) return `begin it with ${schemes.map((name) => `${name}://`).join(' or ')}`;
  const [host = ''] = rest.split(/[/?#]/);
  if (/[<>]/.test(rest)) return 'replace what stands between < and > with the value that it stands for';
  if (/\s/.test(host)) return 'a host has no blanks';
  const [, address, port] = /^([\da-f:]*:[\da-f:]*?)(:\d{2,5})?$/i.exec(host) ?? [];
  if (address !== undefined && (address.match(/:/g)?.length ?? 0) > 1)
    return `put an IPv6 address into brackets, and all of it into quotes: "${scheme}://[${address}]${port ?? ''}"`;
  return /:[^:]*$/.test(host) ? 'write the port as a number from 1 to 65535' : undefined;
}

const isOfTimes = ({ description }: Readonly<Record<string, unknown>>): boolean => /\bRFC 3339\b/.test(String(description));

/** The time that an epoch says, in seconds or milliseconds. */
function epochFix(epoch: number): string | undefined {
  const ms = epoch < 1e11 ? epoch * 1000 : epoch;
  return ms < 9e11 || ms > 9e12 ? undefined : `write ${new Date(ms).toISOString().replace('.000Z', 'Z')}`;
}

/** True for what may be an interval, as `schedule` may. */
const isOfDurations = ({ description }: Readonly<Record<string, unknown>>): boolean => /\binterval\b/.test(String(description));
