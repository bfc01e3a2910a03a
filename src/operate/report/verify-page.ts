// What a report means, in words and as a page.
import { counted, iso } from '../../base/quantity.ts';
import type { VerifiedDay, VerifyReport } from './verify.ts';

/** One thing that a report means. `good`: nothing is to be done about anything. */
interface Conclusion {
  readonly level: 'good' | 'plain' | 'warning' | 'error';
  readonly text: string;
}

/** What the counts mean, and what to do; the last one sums up. Whoever shows a report shows these. */
export function conclusionsOf(report: VerifyReport): Conclusion[] {
  const { source, late, never_collected, overdue, before_start, not_comparable, not_shown } = report;
  const toCome = never_collected - overdue - before_start;
  const given = Object.entries(report.given_up)
    .filter(([, events]) => events > 0)
    .map(
      ([name, events]) =>
        `${counted(events, 'event')} of ${source} ${were(events)} skipped, abandoned or discarded at ${name} (all time): ids of such are not kept, so its "delivered" may include some`,
    );
  const early = Object.entries(report.unproven)
    .filter(([, events]) => events > 0)
    .map(([name, events]) => `${are(events, 'from before')} sink ${name} was there: whether its start gave it them is not known`);
  const left = Object.entries(report.not_routed)
    .filter(([, events]) => events > 0)
    .map(([name, events]): Conclusion => {
      const text = `${counted(events, 'event')} of ${source} ${were(events)} not routed to ${name} (all time: by a filter, or from before it was there); its "delivered" goes by the filter of now`;
      return { level: 'plain', text };
    });
  const warnings = [
    ...goneOf(report),
    ...given,
    ...early,
    ...(late > 0 ? [`${are(late, 'late')}; the overlap or the sweep will still collect them`] : []),
    ...(toCome > 0 ? [`${are(toCome, 'not collected yet')}; live collection brings them`] : []),
    ...(not_comparable > 0
      ? [
          `${are(not_comparable, 'older than the ids that are kept')}, so they were counted but not compared; a backfill collects any that are missing`,
        ]
      : []),
  ].map((text): Conclusion => ({ level: 'warning', text }));
  const behind = `${are(overdue, 'overdue')}: since the start of the source, and no poll has brought them; see why in "penstock status"`;
  const unseen = `at least ${not_shown} ${were(not_shown)} not shown: the vendor counts more than its pages hold, or cuts its replies off, however small the range; ask the vendor`;
  const before = `${are(before_start, 'never collected')}: from before the start of the source; --repair or "penstock backfill ${source}" collects them`;
  const errors = [...(before_start > 0 ? [before] : []), ...(overdue > 0 ? [behind] : []), ...(not_shown > 0 ? [unseen] : [])];
  return [...left, ...warnings, ...errors.map((text): Conclusion => ({ level: 'error', text })), lastOf(report)];
}

/** An empty answer about a time that the vendor does not keep proves nothing. */
function goneOf({ kept_since, to }: VerifyReport): string[] {
  if (kept_since === undefined) return [];
  const what = to < kept_since ? 'the whole range' : 'the range before that';
  return [`the vendor keeps events since ${iso(kept_since)}: of ${what} it may show nothing any more, and this proves nothing`];
}

const were = (count: number): string => (count === 1 ? 'was' : 'were');
const are = (count: number, what: string): string => `${count} ${count === 1 ? 'is' : 'are'} ${what}`;

function lastOf(report: VerifyReport): Conclusion {
  const { missing, overdue, before_start, never_collected, not_comparable, not_shown, kept_since } = report;
  if (missing > 0) {
    const text = `${are(missing, 'missing')}: the vendor has them, but they were not collected with their window; --repair collects them`;
    return { level: 'error', text };
  }
  const lacking = overdue + before_start;
  if (lacking > 0) return { level: 'error', text: `The vendor has ${lacking} that were not collected.` };
  if (never_collected + not_comparable + not_shown > 0 || kept_since !== undefined)
    return { level: 'plain', text: 'Of what could be compared, nothing is missing.' };
  return { level: 'good', text: 'Every event that the API returned is accounted for.' };
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const parts = [
  { key: 'collected', label: 'collected', color: '#2b7a4b' },
  { key: 'excluded', label: 'excluded on purpose', color: '#9aa5ad' },
  { key: 'late', label: 'late, will still be collected', color: '#d9a520' },
  { key: 'missing', label: 'missing', color: '#c0392b' },
  { key: 'never_collected', label: 'never collected', color: '#5b6dc8' },
] as const;

const chartHeight = 180;
const barWidth = 22;
const gap = 6;
const narrowestChart = 240;

function bar(day: VerifiedDay, index: number, most: number): string {
  let y = chartHeight;
  const pieces = parts.map(({ key, color, label }) => {
    const height = (day[key] / most) * chartHeight;
    y -= height;
    return height === 0
      ? ''
      : `<rect x="${index * (barWidth + gap)}" y="${y.toFixed(2)}" width="${barWidth}" height="${height.toFixed(2)}" fill="${color}"><title>${day.day}: ${day[key]} ${label}</title></rect>`;
  });
  return pieces.join('');
}

function chart(days: readonly VerifiedDay[]): string {
  if (days.length === 0) return '<p>The vendor returned no record for this range.</p>';
  const most = Math.max(1, ...days.map(({ vendor }) => vendor));
  const width = Math.max(narrowestChart, days.length * (barWidth + gap));
  const bars = days.map((day, index) => bar(day, index, most)).join('');
  const every = Math.ceil(days.length / 12);
  const labels = days
    .map(({ day }, index) =>
      index % every === 0 ? `<text x="${index * (barWidth + gap)}" y="${chartHeight + 16}">${day.slice(5)}</text>` : '',
    )
    .join('');
  return `<svg viewBox="0 0 ${width} ${chartHeight + 24}" width="${Math.min(960, width * 1.5)}" role="img" aria-label="records per day">${bars}${labels}</svg>`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const row = (cells: readonly (string | number)[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(String(cell))}</${tag}>`).join('')}</tr>`;
  return `<table>${row(head, 'th')}${rows.map((cells) => row(cells, 'td')).join('')}</table>`;
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2429}table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #dde3e7}th:first-child,td:first-child{text-align:left}svg{max-width:100%;height:auto}svg text{font-size:9px;fill:#56646c}.key span{display:inline-block;width:.8em;height:.8em;margin:0 .35em 0 1.1em}.verdict{font-size:1.2rem;font-weight:600}.error{color:#c0392b}.warning{color:#8a5a00}.good{color:#2b7a4b}`;

/** What became of the collected events at each sink. */
export const sinkColumns = ['sink', 'delivered', 'dead-lettered', 'pending', 'discarded', 'unproven'] as const;

export function sinkRows({ delivered, dead_lettered, pending, discarded, unproven }: VerifyReport): (string | number)[][] {
  const columns = [delivered, dead_lettered, pending, discarded, unproven];
  return Object.keys(delivered).map((name) => [name, ...columns.map((counts) => counts[name] ?? 0)]);
}

/** The report as one self-contained HTML page with a chart per day: no script, nothing fetched. */
export function verifyPage(report: VerifyReport): string {
  const conclusions = conclusionsOf(report).map(({ level, text }) => `<p class="verdict ${level}">${escape(text)}</p>`);
  const key = parts.map(({ color, label }) => `<span style="background:${color}"></span>${label}`).join('');
  const days = report.days.map((day) => [
    day.day,
    day.vendor,
    day.collected,
    day.excluded,
    day.late,
    day.missing,
    day.never_collected,
  ]);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Penstock: ${escape(report.source)} verified</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><style>${style}</style></head>
<body><h1>Source ${escape(report.source)}</h1>
<p>${iso(report.from)} to ${iso(report.to)}, both included. Read from the vendor again at ${iso(report.at)} and compared by id with what was collected.
This accounts for every event that the API returned; what a vendor does not return, nobody can verify.</p>
${conclusions.toReversed().join('\n')}
<p class="key">${key}</p>${chart(report.days)}
<h2>Delivered</h2>${table(sinkColumns, sinkRows(report))}
<h2>Per day</h2>${table(['day (UTC)', 'vendor', 'collected', 'excluded', 'late', 'missing', 'never collected'], days)}
</body></html>
`;
}
