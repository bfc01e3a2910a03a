// What people see: tables on a terminal, JSON for scripts, progress on a line that is overwritten. Nothing that vendors and receivers wrote
// steers the terminal: of what is printed only our own colours and the ends of lines are not text.
import { randomUUID } from 'node:crypto';
import { harmless, tameJson } from '../base/foreign.ts';

/** Where a command writes and how. */
export interface Output {
  /** A line on standard output. */
  line(text?: string): void;
  /** A line whose text is wrapped on a terminal, below its own beginning. */
  paragraph(beginning: string, text: string): void;
  /** Anything as indented JSON on standard output. */
  json(value: unknown): void;
  /** Aligned columns on standard output; numbers to the right. */
  table(head: readonly string[], rows: readonly Row[]): void;
  /** A line on standard error. */
  note(text: string): void;
  /** Progress on standard error: overwritten on a terminal, otherwise said at most every ten seconds. */
  progress(text: string): void;
  /** Ends the progress line. */
  progressDone(): void;
  readonly isTerminal: boolean;
  readonly color: Palette;
}

interface Palette {
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

const silentEveryMs = 10_000;

// Nobody outside knows it, so no text can pretend to be one of our colours.
const nonce = randomUUID();
const style = (code: number): string => `<${nonce}:${code}m>`;
const styles = new RegExp(`<${nonce}:(\\d+)m>`, 'g');

function paletteFor(colored: boolean): Palette {
  const paint = (code: number) => (text: string) => (colored ? `${style(code)}${text}${style(0)}` : text);
  return { red: paint(31), yellow: paint(33), green: paint(32), dim: paint(2), bold: paint(1) };
}

const width = (text: string): number => Array.from(text.replace(styles, '')).length;

/** The text as it is printed: our own colours, and a mark for whatever else would steer the terminal or turn its writing round. */
const printed = (text: string): string => harmless(text).replace(styles, '\u001b[$1m');

type Row = readonly (string | number)[];

/** Where a table is wider than the terminal, columns that are 0 in every row give way, the last first. */
function fitting(
  head: readonly string[],
  rows: readonly Row[],
  columns: number,
): { head: readonly string[]; rows: readonly Row[] } {
  const isWider = Math.max(...aligned(head, rows).map(width)) > columns;
  const zero = isWider ? head.findLastIndex((_, column) => rows.length > 0 && rows.every((row) => row[column] === 0)) : -1;
  if (zero === -1) return { head, rows };
  return fitting(
    head.toSpliced(zero, 1),
    rows.map((row) => row.toSpliced(zero, 1)),
    columns,
  );
}

/** A cell is one line. */
const cellOf = (text: string): string => text.replace(/[\n\t]/g, '\uFFFD');

function aligned(head: readonly string[], rows: readonly Row[]): string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => cellOf(String(cell))));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => width(row[column] ?? ''))));
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  return cells.map((row) =>
    row
      .map((cell, column) => {
        const gap = ' '.repeat((widths[column] ?? 0) - width(cell));
        return isNumber[column] === true ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
}

// Narrower than that, lines of a word each would be harder to read than those that the terminal breaks.
const narrowest = 40;

/** Some terminals do not say how wide they are. */
const columnsOf = ({ isTTY, columns }: NodeJS.WriteStream): number =>
  isTTY && columns > 0 ? Math.max(narrowest, columns) : Number.POSITIVE_INFINITY;

function wrapped(beginning: string, text: string, columns: number): string[] {
  const indent = ' '.repeat(width(beginning));
  const lines = [beginning];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    const isFirst = last === beginning || last === indent;
    const longer = `${last}${isFirst ? '' : ' '}${word}`;
    if (isFirst || width(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(`${indent}${word}`);
  }
  return lines;
}

interface Place {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

/** The terminal, pipes and files that this process was started with. */
export function processOutput({ stdout, stderr, env }: Place = process): Output {
  const color = paletteFor(stdout.isTTY && env['NO_COLOR'] === undefined);
  let said = Number.NEGATIVE_INFINITY;
  let open = false;
  const line = (text = ''): void => void stdout.write(`${printed(text)}\n`);
  return {
    line,
    paragraph: (beginning, text) => {
      for (const part of wrapped(beginning, text, columnsOf(stdout))) line(part);
    },
    json: (value) => void stdout.write(`${tameJson(JSON.stringify(value, null, 2))}\n`),
    table(head, rows) {
      const shown = fitting(head, rows, columnsOf(stdout));
      const [title = '', ...body] = aligned(shown.head, shown.rows);
      line(color.bold(title));
      for (const row of body) line(row);
    },
    note: (text) => void stderr.write(`${printed(text)}\n`),
    progress(text) {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[2K${printed(text)}`);
        open = true;
        return;
      }
      if (performance.now() - said < silentEveryMs) return;
      said = performance.now();
      stderr.write(`${printed(text)}\n`);
    },
    progressDone() {
      if (open) stderr.write('\n');
      open = false;
    },
    isTerminal: stdout.isTTY,
    color,
  };
}
