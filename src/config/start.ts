import { parseDuration } from '../base/quantity.ts';
import { parseTimestamp } from '../base/timestamp.ts';
import type { YamlPath } from '../base/yaml-faults.ts';
import type { LoadContext } from './load-context.ts';

/** Reads a time that must not lie ahead; undefined, with a fault, when it is none or does. */
export function readPastTime(text: string, at: YamlPath, forms: string, { doc, faults, now }: LoadContext): number | undefined {
  const time = parseTimestamp(text);
  if (time === undefined)
    faults.push(
      doc.fault(at, `"${text}" is not a time that exists`, `write ${forms}; a time carries its zone: 2026-11-21T10:00:00Z`),
    );
  else if (time > now) faults.push(doc.fault(at, `"${text}" lies in the future`, 'name a time that has passed, or now'));
  return time;
}

/** A source's `start:`; a fault stands in the context when it is none. */
export function readStart(
  text: string,
  at: YamlPath,
  context: LoadContext,
): { readonly backMs: number } | { readonly at: number } | 'now' {
  if (text === 'now') return 'now';
  const backMs = parseDuration(text);
  if (backMs !== undefined) return { backMs };
  return { at: readPastTime(text, at, 'a duration (30d), an RFC 3339 time or now', context) ?? 0 };
}
