import type { Event } from './event.ts';

/** OCSF captions per severity_id; 99 is Other. */
export const severityNames: readonly string[] = ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical', 'Fatal'];

// Unknown and Other count as Low: a receiver that filters "Low and above" keeps them.
const cef = [3, 1, 3, 5, 8, 10, 10];
const syslog = [5, 6, 5, 4, 3, 2, 2];

/** Severity 1 to 10 for CEF and LEEF. */
export function cefSeverity(event: Event): number {
  return cef[event.severity_id] ?? 3;
}

/** Syslog severity 2 (crit) to 6 (info), RFC 5424 section 6.2.1. */
export function severityOf(event: Event): number {
  return syslog[event.severity_id] ?? 5;
}
