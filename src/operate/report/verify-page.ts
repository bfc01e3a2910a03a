import type { VerifiedDay, VerifyReport } from './verify.ts';

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

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2429}table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #dde3e7}th:first-child,td:first-child{text-align:left}svg{max-width:100%;height:auto}svg text{font-size:9px;fill:#56646c}.key span{display:inline-block;width:.8em;height:.8em;margin:0 .35em 0 1.1em}.verdict{font-size:1.2rem;font-weight:600}.bad{color:#c0392b}.good{color:#2b7a4b}`;

/** The report as one self-contained HTML page with a chart per day: no script, nothing fetched. */
export function verifyPage(report: VerifyReport): string {
  const iso = (ms: number): string => new Date(ms).toISOString();
  const verdict =
    report.missing > 0
      ? `<p class="verdict bad">${report.missing === 1 ? '1 record is' : `${report.missing} records are`} missing.</p>`
      : report.not_shown > 0
        ? `<p class="verdict bad">The vendor did not show at least ${report.not_shown} of its records.</p>`
        : '<p class="verdict good">Nothing is missing.</p>';
  const key = parts.map(({ color, label }) => `<span style="background:${color}"></span>${label}`).join('');
  const sinks = Object.keys(report.delivered).map((name) => [
    name,
    report.delivered[name] ?? 0,
    report.dead_lettered[name] ?? 0,
    report.pending[name] ?? 0,
  ]);
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
${verdict}
<p class="key">${key}</p>${chart(report.days)}
<h2>Delivered</h2>${table(['sink', 'delivered', 'dead-lettered', 'pending'], sinks)}
<h2>Per day</h2>${table(['day (UTC)', 'vendor', 'collected', 'excluded', 'late', 'missing', 'never collected'], days)}
${report.not_comparable > 0 ? `<p>${report.not_comparable} records are older than the ids that are kept, so they were counted but not compared. A backfill collects any that are missing.</p>` : ''}
</body></html>
`;
}
