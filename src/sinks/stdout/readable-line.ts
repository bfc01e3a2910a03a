import { isObject } from '../../base/json.ts';
import type { OutgoingEvent } from '../sink.ts';

const shownSeverities: Readonly<Record<number, string>> = {
  1: 'info',
  2: 'low',
  3: 'medium',
  4: 'high',
  5: 'critical',
  6: 'fatal',
};

/** An event as a person reads it on a terminal: time, source, severity, what happened, by whom, from where. */
export function readableLine({ event, source, action, actionKey }: OutgoingEvent): string {
  const actor =
    read(event, 'actor', 'user', 'name') ?? read(event, 'actor', 'user', 'email_addr') ?? read(event, 'actor', 'user', 'uid');
  const address = read(event, 'src_endpoint', 'ip');
  const outcome = event['status_id'] === 2 ? 'FAILED' : undefined;
  const what = action?.title ?? actionKey ?? 'unreadable record';
  const parts = [
    Number.isFinite(event.time) && Math.abs(event.time) <= 8.64e15 ? new Date(event.time).toISOString() : '-',
    source.padEnd(16),
    (shownSeverities[event.severity_id] ?? '-').padEnd(8),
    what,
    outcome,
    actor === undefined ? undefined : `by ${actor}`,
    address === undefined ? undefined : `from ${address}`,
  ];
  return oneLine(parts.filter((part) => part !== undefined).join('  '));
}

// A vendor's text must not move the cursor or forge a line.
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, ' ');
}

function read(event: unknown, ...path: string[]): string | undefined {
  let value: unknown = event;
  for (const name of path) value = isObject(value) ? value[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
