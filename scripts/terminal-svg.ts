// Draws what a terminal shows as an SVG of a few kilobytes: text as text, colours as the command wrote them.

const columnWidth = 8.4;
const lineHeight = 20;
const margin = 18;
const titleHeight = 34;
/** SGR codes that Penstock writes. */
const styles: Readonly<Record<string, string>> = {
  '1': 'font-weight="bold"',
  '2': 'fill="#8b949e"',
  '31': 'fill="#ff7b72"',
  '32': 'fill="#7ee787"',
  '33': 'fill="#e3b341"',
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

// oxlint-disable-next-line no-control-regex
const sgr = /\u001b\[(\d+)m/;
const plain = (line: string): string => line.replaceAll(new RegExp(sgr, 'g'), '');

/** One line: the pieces between colour codes, each with the style that was set before it. */
function spans(line: string): string {
  const [first = '', ...rest] = line.split(sgr);
  let drawn = escaped(first);
  for (let index = 0; index < rest.length; index += 2) {
    const style = styles[rest[index] ?? ''];
    const text = escaped(rest[index + 1] ?? '');
    drawn += style === undefined || text === '' ? text : `<tspan ${style}>${text}</tspan>`;
  }
  return drawn;
}

/** A line that is wider than the screen goes on in the next one, as in a terminal; colours do not reach over the break. */
function wrapped(line: string, columns: number): string[] {
  if (plain(line).length <= columns) return [line];
  const text = plain(line);
  const rows = Math.ceil(text.length / columns);
  return Array.from({ length: rows }, (_, row) => text.slice(row * columns, (row + 1) * columns));
}

export interface Screen {
  readonly title: string;
  /** What the command wrote, with its colour codes. */
  readonly text: string;
  readonly columns: number;
}

export function drawTerminal({ title, text, columns }: Screen): string {
  const lines = text
    .trimEnd()
    .split('\n')
    .flatMap((line) => wrapped(line, columns));
  const width = Math.ceil(columns * columnWidth + 2 * margin);
  const height = titleHeight + lines.length * lineHeight + margin;
  const rows = lines.map(
    (line, index) => `<text x="${margin}" y="${titleHeight + 16 + index * lineHeight}">${spans(line)}</text>`,
  );
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, index) => `<circle cx="${20 + index * 18}" cy="17" r="5.5" fill="${fill}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#161b22"/>`,
    ...dots,
    `<text x="${width / 2}" y="21" text-anchor="middle" fill="#8b949e" font-family="sans-serif" font-size="13">${escaped(title)}</text>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="#e6edf3" xml:space="preserve">`,
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}
