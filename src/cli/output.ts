// What people see: tables on a terminal, JSON for scripts, progress on a line that is overwritten.

/** Where a command writes and how. */
export interface Output {
  /** A line on standard output. */
  line(text?: string): void;
  /** Anything as indented JSON on standard output. */
  json(value: unknown): void;
  /** Aligned columns on standard output; numbers to the right. */
  table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void;
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

function paletteFor(colored: boolean): Palette {
  const style = (code: number) => (text: string) => (colored ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { red: style(31), yellow: style(33), green: style(32), dim: style(2), bold: style(1) };
}

// Colours are no part of a cell's width.
// oxlint-disable-next-line no-control-regex
const width = (text: string): number => Array.from(text.replace(/\u001b\[\d+m/g, '')).length;

// What vendors and receivers wrote must not steer the terminal: only our own colours stay.
// oxlint-disable-next-line no-control-regex
const tame = (text: string): string => text.replace(/\u001b(?!\[\d+m)|[\u0000-\u001a\u001c-\u001f\u007f-\u009f]/g, '\uFFFD');

function aligned(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => tame(String(cell))));
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

/** The terminal, pipes and files that this process was started with. */
export function processOutput({
  stdout,
  stderr,
  env,
}: {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  env: NodeJS.ProcessEnv;
} = process): Output {
  const color = paletteFor(stdout.isTTY && env['NO_COLOR'] === undefined);
  let said = Number.NEGATIVE_INFINITY;
  let open = false;
  const line = (text = ''): void => void stdout.write(`${text}\n`);
  return {
    line,
    json: (value) => line(JSON.stringify(value, null, 2)),
    table(head, rows) {
      const [title = '', ...body] = aligned(head, rows);
      line(color.bold(title));
      for (const row of body) line(row);
    },
    note: (text) => void stderr.write(`${text}\n`),
    progress(text) {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[2K${text}`);
        open = true;
        return;
      }
      if (performance.now() - said < silentEveryMs) return;
      said = performance.now();
      stderr.write(`${text}\n`);
    },
    progressDone() {
      if (open) stderr.write('\n');
      open = false;
    },
    isTerminal: stdout.isTTY,
    color,
  };
}
