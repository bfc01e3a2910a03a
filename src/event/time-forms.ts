// The forms of a time other than RFC 3339 that vendors write, turned into it.

const clock = String.raw`(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?([ap]\.?m\.?)? ?([A-Z]{1,3}T?|(?:GMT|UTC)?[+-]\d\d:?\d\d)?(?: \(?[A-Z]{3,4}\)?)?`;
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
const basic = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/i;
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
const utc = new Set(['', 'Z', 'UT', 'UTC', 'GMT']);

/** The text as RFC 3339, without a check of its numbers; undefined when it has none of the forms. */
export function rfc3339Of(text: string): string | undefined {
  // Java and Go write the zone twice, Go its monotonic clock as well.
  const plain = text.replace(/(?:\[[^\]]{1,40}\]| m=[+-][\d.]+)$/, '');
  const compact = basic.exec(plain);
  if (compact !== null) {
    const [, year, month, day, hour, minute, second = '00', fraction = '0', zone = 'Z'] = compact;
    return `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction}${zone.toUpperCase()}`;
  }
  const match = forms.map((form) => form.exec(plain)).find((found) => found !== null);
  if (match !== undefined && match !== null) return fromForm(match);
  const last = yearLast.exec(plain)?.groups;
  if (last !== undefined)
    return rfc3339Of(`${last['day']} ${last['month']} ${last['year']} ${last['clock']} ${last['zone'] ?? 'Z'}`);
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
  if (utc.has(name)) return 'Z';
  const offset = /[+-]\d\d:?\d\d$/.exec(name)?.[0];
  return offset ?? zones[name];
}
