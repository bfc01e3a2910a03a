import type { Log } from '../base/log.ts';

const said = new WeakMap<Log, Set<string>>();

/** Warns of what stays so as long as the sink is configured as it is: a hold opens it anew at every probe, with the same log. */
export function warnOnce(log: Log, fields: Readonly<Record<string, unknown>>, message: string): void {
  const known = said.get(log) ?? new Set();
  said.set(log, known);
  if (known.has(message)) return;
  known.add(message);
  log.warn(fields, message);
}
