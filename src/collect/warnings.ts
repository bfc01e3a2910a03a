import { formatDuration } from '../base/quantity.ts';
import type { SourceContext } from './context.ts';
import { usualIntervalMs } from './schedule.ts';

/** What the watch looks at; times are milliseconds since the epoch. */
export interface Observed {
  /** When this process began to watch the source. */
  readonly since: number;
  readonly lastSuccess: number | undefined;
  readonly cursor: number | undefined;
  /** False for sources that have no window to fall behind with (streams, files). */
  readonly hasWindows: boolean;
}

/** A warning: `error` where a person must act before something is lost. */
export interface Warning {
  /** Names the kind, so that a change of numbers is no news. */
  readonly key: string;
  readonly level: 'warn' | 'error';
  readonly text: string;
}

const dayMs = 86_400_000;
/** How early an expiring credential is announced. */
const expiryNoticeMs = 14 * dayMs;

function expiry({ settings }: SourceContext, now: number): Warning[] {
  const { credentialExpires } = settings;
  if (credentialExpires === undefined || credentialExpires - now > expiryNoticeMs) return [];
  const left = credentialExpires - now;
  const when = new Date(credentialExpires).toISOString().slice(0, 10);
  if (left <= 0)
    return [
      {
        key: 'credential_expired',
        level: 'error',
        text: `the credential expired on ${when}; renew it and its credential_expires`,
      },
    ];
  return [
    { key: 'credential_expires', level: 'warn', text: `the credential expires on ${when}, in ${formatDuration(left)}; renew it` },
  ];
}

function quiet({ settings, memory }: SourceContext, { since }: Observed, now: number): Warning[] {
  const { expectEventsWithinMs } = settings;
  const age = now - (memory.lastEvent ?? since);
  if (expectEventsWithinMs === undefined || age <= expectEventsWithinMs) return [];
  const text = `no new event for ${formatDuration(age)}, expected within ${formatDuration(expectEventsWithinMs)}; check that the vendor still logs`;
  return [{ key: 'quiet', level: 'error', text }];
}

function pollAge({ settings }: SourceContext, { since, lastSuccess, hasWindows }: Observed, now: number): Warning[] {
  if (!hasWindows) return [];
  const age = now - (lastSuccess ?? since);
  const limit = Math.max(600_000, 3 * usualIntervalMs(settings.schedule, now));
  if (age <= limit) return [];
  return [{ key: 'poll_age', level: 'error', text: `no poll succeeded for ${formatDuration(age)}; see last_error` }];
}

function retention({ settings }: SourceContext, { cursor, hasWindows }: Observed, now: number): Warning[] {
  const { retentionMs } = settings;
  if (retentionMs === undefined || cursor === undefined || !hasWindows) return [];
  const age = now - cursor;
  const kept = `the vendor keeps ${formatDuration(retentionMs)}`;
  if (age > retentionMs) {
    return [
      {
        key: 'retention_passed',
        level: 'error',
        text: `the cursor is ${formatDuration(age)} old and ${kept}: older events are gone there`,
      },
    ];
  }
  if (retentionMs - age >= retentionMs / 4) return [];
  return [
    {
      key: 'retention',
      level: 'error',
      text: `the cursor is ${formatDuration(age)} old and ${kept}: events are lost unless collection catches up`,
    },
  ];
}

function skewed({ memory }: SourceContext): Warning[] {
  const ms = memory.skew?.ms ?? 0;
  if (Math.abs(ms) <= 60_000) return [];
  const text = `the vendor's clock is ${formatDuration(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead of'} ours; check the time on this machine`;
  return [{ key: 'skew', level: 'warn', text }];
}

/** Everything about a source that a person should look at, computed from what is in memory. */
export function warningsOf(c: SourceContext, observed: Observed): readonly Warning[] {
  const now = c.deps.seams.clock.now();
  return [
    ...pollAge(c, observed, now),
    ...retention(c, observed, now),
    ...quiet(c, observed, now),
    ...expiry(c, now),
    ...skewed(c),
  ];
}

/** Logs what changed since the last look: each warning once when it appears, and once when it is over. */
export function createWatch(c: SourceContext): (warnings: readonly Warning[]) => void {
  let known = new Map<string, Warning>();
  return (warnings) => {
    const current = new Map(warnings.map((warning) => [warning.key, warning]));
    for (const warning of warnings)
      if (!known.has(warning.key)) c.log[warning.level]({ warning: warning.key, what: warning.text }, 'source needs attention');
    for (const key of known.keys()) if (!current.has(key)) c.log.info({ warning: key }, 'source needs this attention no more');
    known = current;
  };
}
