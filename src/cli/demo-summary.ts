import type { Daemon } from '../daemon/daemon.ts';

const padded = (label: string, value: string): string => `  ${label.padEnd(22)} ${value}`;

/** A few lines on what the demo has done so far: events per source and class, unknown actions, duplicates filtered. */
export async function demoSummary(daemon: Daemon): Promise<string> {
  const { sources, sinks } = await daemon.status();
  const perSource = sources.map(({ name, records }) =>
    padded(name, `${records.new} events, ${records.duplicate} duplicates filtered, ${records.unreadable} unreadable`),
  );
  const classes = new Map<string, number>();
  const unknown = new Map<string, number>();
  for (const sink of sinks) {
    for (const [name, count] of Object.entries(sink.classes ?? {})) classes.set(name, (classes.get(name) ?? 0) + count);
    for (const [action, count] of Object.entries(sink.unknown_actions)) unknown.set(action, (unknown.get(action) ?? 0) + count);
  }
  const perClass = [...classes].toSorted((a, b) => b[1] - a[1]).map(([name, count]) => padded(name, String(count)));
  const perUnknown = [...unknown].map(([action, count]) => padded(action, `${count}, delivered as Base Event`));
  const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    '',
    ...section('so far, per source', perSource),
    ...section('per class', perClass),
    ...section('actions in no table', perUnknown),
    '',
  ].join('\n');
}
