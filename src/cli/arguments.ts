import { InvalidArgumentError, Option } from 'commander';
import { PenstockError } from '../base/errors.ts';
import { iso, parseDuration, parseTimestamp } from '../base/quantity.ts';

export const defaultConfig = 'config/penstock.yaml';

/** Option of every command that needs the configuration. */
export const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration').env('PENSTOCK_CONFIG').default(defaultConfig);

/** Option of what is asked of a running daemon, whose file may be gone or about to be replaced. */
export const dataDirOption = (): Option =>
  new Option('--data-dir <folder>', 'data_dir of the daemon, where its file is gone or names another one').env(
    'PENSTOCK_DATA_DIR',
  );

/** Reads `30s`, `5m`, `2h`, `7d` as milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('write a duration such as 30s, 5m, 2h or 7d.');
  return ms;
}

/** An option that takes a duration; its help shows the default as people write it. */
export function durationOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description).argParser(duration).default(duration(byDefault), byDefault);
}

/** Reads a time, RFC 3339 or `7d` ago, as milliseconds since the epoch. */
function pointInTime(text: string): number {
  const ago = parseDuration(text);
  if (ago !== undefined) return Date.now() - ago;
  const at = parseTimestamp(text);
  if (at === undefined)
    throw new InvalidArgumentError(
      'write a time such as 2026-11-21T10:00:00Z, a date such as 2026-11-21, or how long ago, such as 7d.',
    );
  return at;
}

/** The same for where a range begins, which nothing can be before it has happened. */
export function startOfTime(text: string): number {
  const at = pointInTime(text);
  if (at > Date.now()) throw new InvalidArgumentError('that lies in the future.');
  return at;
}

/** Throws PEN_USAGE for a range that ends before it begins. */
export function refuseSwapped({ from, to }: { readonly from?: number | undefined; readonly to?: number | undefined }): void {
  if (from === undefined || to === undefined || from <= to) return;
  throw new PenstockError('PEN_USAGE', `--from ${iso(from)} lies after --to ${iso(to)}`, {
    fix: 'swap them; a duration such as 7d means that long ago',
  });
}

const dateOnly = /^\d{4}-\d\d-\d\d$/;

/** The same for an inclusive end: a date means its last millisecond. */
export function endOfTime(text: string): number {
  const at = pointInTime(text);
  return dateOnly.test(text) ? at + 86_400_000 - 1 : at;
}

/** Reads a whole number above zero. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('write a whole number above zero.');
  return value;
}
