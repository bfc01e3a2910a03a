import { formatDuration } from '../base/quantity.ts';
import { parseTimestamp } from '../base/timestamp.ts';
import type { YamlPath } from '../base/yaml-faults.ts';
import type { SourceConfig } from './config.ts';
import type { LoadContext } from './load-context.ts';
import type { SourceOptions } from './source-options.ts';

type Times = Pick<SourceConfig, 'start' | 'retentionMs' | 'window'>;

/** Compares a source's times with each other and with now; returns when its credential expires, in milliseconds. */
export function checkSourceTimes(
  settings: Times,
  options: SourceOptions,
  at: YamlPath,
  context: LoadContext,
): number | undefined {
  const { doc, faults } = context;
  const { maxMs, minMs } = settings.window;
  if (minMs > maxMs)
    faults.push(
      doc.fault([...at, 'window'], 'the shortest window is longer than the longest', 'lower window.min or raise window.max'),
    );
  if (maxMs <= 0) faults.push(doc.fault([...at, 'window', 'max'], 'a window of no length reads nothing', 'raise window.max'));
  warnOfRetention(settings, at, context);
  return readExpiry(options.credential_expires, [...at, 'credential_expires'], context);
}

function warnOfRetention({ start, retentionMs }: Times, at: YamlPath, { doc, warnings, now }: LoadContext): void {
  if (start === 'now' || retentionMs === undefined) return;
  const backMs = 'backMs' in start ? start.backMs : now - start.at;
  if (backMs <= retentionMs) return;
  const what = `start reaches back ${formatDuration(backMs)}, but the vendor keeps events for ${formatDuration(retentionMs)}`;
  warnings.push(doc.fault([...at, 'start'], what, 'expect nothing older; set retention: if your plan keeps more'));
}

function readExpiry(text: string | undefined, at: YamlPath, { doc, faults, warnings, now }: LoadContext): number | undefined {
  if (text === undefined) return undefined;
  const expires = parseTimestamp(text);
  if (expires === undefined) faults.push(doc.fault(at, `"${text}" is not a time that exists`, 'write a date such as 2027-01-31'));
  else if (expires <= now) warnings.push(doc.fault(at, `the credential expired on ${text}`, 'renew it and set the new date'));
  return expires;
}
