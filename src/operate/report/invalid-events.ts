import type { InvalidEvents } from '../../deliver/report/invalid-events.ts';
import type { SinkStatus } from '../../deliver/report/status.ts';

/** The events that are not valid by OCSF, once each: every sink maps them, so the one that is furthest has counted them all. */
export function invalidEvents(sinks: readonly SinkStatus[]): readonly InvalidEvents[] {
  const found = new Map<string, InvalidEvents>();
  for (const one of sinks.flatMap(({ invalid_events = [] }) => invalid_events)) {
    const key = `${one.source}\n${one.action}`;
    if (one.count > (found.get(key)?.count ?? 0)) found.set(key, one);
  }
  return [...found.values()];
}
