import { sleep } from '../base/clock.ts';
import { dayMs, formatDuration } from '../base/quantity.ts';
import type { SourceContext } from './context.ts';
import type { Kind } from './kind.ts';
import { describeShortfalls } from './memory/shortfalls.ts';
import { usualIntervalMs } from './schedule.ts';

/** A warning: `error` where a person must act before something is lost. */
interface Warning {
  /** Names the kind, so that a change of numbers is no news. */
  readonly key: string;
  readonly level: 'warn' | 'error';
  readonly text: string;
}

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

function quiet({ settings, memory, state, seams }: SourceContext): Warning[] {
  const { expectEventsWithinMs } = settings;
  const age = seams.clock.monotonic() - (memory.lastEvent ?? state.since);
  if (expectEventsWithinMs === undefined || age <= expectEventsWithinMs) return [];
  const text = `no new event for ${formatDuration(age)}, expected within ${formatDuration(expectEventsWithinMs)}; check that the vendor still logs`;
  return [{ key: 'quiet', level: 'error', text }];
}

/** How long a source may have had no event at all before that is odd. */
const neverAfterMs = dayMs;

function never({ settings, memory, state, health, seams }: SourceContext): Warning[] {
  const age = seams.clock.monotonic() - state.since;
  const isKnown = memory.newestTime !== undefined || settings.expectEventsWithinMs !== undefined;
  if (isKnown || health.succeededAt === undefined || age <= neverAfterMs) return [];
  const text = `no event has ever come, and the vendor was asked for ${formatDuration(age)}; where there should be some, see what penstock check says of it`;
  return [{ key: 'never', level: 'warn', text }];
}

function pollAge({ settings, health, state, seams }: SourceContext, now: number): Warning[] {
  const age = seams.clock.monotonic() - (health.succeededAt ?? state.since);
  const limit = Math.max(600_000, 3 * usualIntervalMs(settings.schedule, now));
  if (age <= limit) return [];
  return [{ key: 'poll_age', level: 'error', text: `no poll succeeded for ${formatDuration(age)}; see last_error` }];
}

function retention({ settings: { retentionMs }, state: { cursor } }: SourceContext, now: number): Warning[] {
  if (retentionMs === undefined || cursor === undefined) return [];
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

function shortfall({ memory: { shortfalls } }: SourceContext): Warning[] {
  return describeShortfalls(shortfalls).map((text) => ({ key: 'shortfall', level: 'warn', text }));
}

function skewed({ memory, seams }: SourceContext): Warning[] {
  const ms = memory.vendorClock.skewMs ?? 0;
  const behind = memory.vendorClock.skewMs === undefined ? memory.vendorClock.behindMs(seams.clock) : 0;
  if (behind > 60_000) {
    const text = `the clock of this machine is ${formatDuration(behind)} behind the newest record of the vendor; check the time on this machine`;
    return [{ key: 'skew', level: 'warn', text }];
  }
  if (Math.abs(ms) <= 60_000) return [];
  const text = `the vendor's clock is ${formatDuration(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead of'} ours; check the time on this machine, and where it is right, tell the vendor`;
  return [{ key: 'skew', level: 'warn', text }];
}

function outsideWindow({ memory }: SourceContext): Warning[] {
  const count = memory.outsideWindow;
  if (count === 0) return [];
  const what = count === 1 ? 'a record was' : `${count} records were`;
  const text = `${what} returned for a window more than a day away; see that the connector's request and its next link carry the window's bounds`;
  return [{ key: 'outside_window', level: 'warn', text }];
}

/** Shorter pauses are what a limit is for. */
const longPauseMs = 60_000;

function paused({ pauseMs }: SourceContext): Warning[] {
  const ms = pauseMs?.() ?? 0;
  if (ms <= longPauseMs) return [];
  const text = `requests pause for another ${formatDuration(ms)}: what the vendor, or rate_limit of the source, allows is used up`;
  return [{ key: 'paused', level: 'warn', text }];
}

/** An answer that takes longer is worth a word before its time is over and the poll has failed. */
const longWaitMs = 60_000;

function waiting({ waits, health }: SourceContext): Warning[] {
  const wait = waits?.longest();
  // What failed says so itself.
  if (wait === undefined || wait.ms < longWaitMs || wait.isAgreed || health.failures > 0) return [];
  const before = wait.after === undefined ? '' : `; the try before failed: ${wait.after}`;
  const text = `a request takes ${formatDuration(wait.ms)} and waits for ${wait.what}${before}; where this goes on, look at the vendor's status page and at what lies between`;
  return [{ key: 'waiting', level: 'warn', text }];
}

function unreadableTimes({ memory }: SourceContext): Warning[] {
  const count = memory.unreadableTimes;
  if (count === 0) return [];
  const [records, dated] =
    count === 1 ? ['a record has', 'is dated by its receipt'] : [`${count} records have`, 'are dated by their receipt'];
  const text = `${records} a time that cannot be read and ${dated}; see metadata.original_time, and correct record.time of the connector`;
  return [{ key: 'unreadable_time', level: 'warn', text }];
}

function ahead({ memory: { ahead: count } }: SourceContext): Warning[] {
  if (count === 0) return [];
  const what = count === 1 ? 'a record has a time' : `${count} records have times`;
  const text = `${what} more than a day ahead of this machine: see that record.time of the connector leads to when it happened, in a unit since 1970, and that the clock here is right`;
  return [{ key: 'ahead', level: 'warn', text }];
}

/** A few records that lack something are the vendor's affair; when most of them do, the connector does not fit them. */
const fewestOdd = 3;
const isMost = (count: number, all: number): boolean => count >= fewestOdd && 2 * count > all;

function unfit({ memory: { fresh, unreadable, untimed } }: SourceContext): Warning[] {
  const warnings: Warning[] = [];
  if (isMost(unreadable, fresh)) {
    const text = `${unreadable} of ${fresh} new records could not be read and were delivered as Base Event, labelled unreadable; see what their messages say, and correct record of the connector`;
    warnings.push({ key: 'unreadable', level: 'warn', text });
  }
  if (isMost(untimed, fresh)) {
    const text = `${untimed} of ${fresh} new records have no time and are dated by their receipt; see that record.time of the connector leads to it`;
    warnings.push({ key: 'untimed', level: 'warn', text });
  }
  return warnings;
}

/** The vendor may change a few records; where nearly all change, it is the reading that makes them differ. */
const fewestCopies = 10;

function repeated({ memory: { known, changed, late }, settings: { connector } }: SourceContext): Warning[] {
  const differs = 'each reading delivers them once more; see what differs between two readings of a record';
  if (changed >= fewestCopies && changed > known) {
    const text = `${changed} records came again under a known id with other content, and ${known} as they were: ${differs}, and name it in record.volatile of the connector`;
    return [{ key: 'changed', level: 'warn', text }];
  }
  if (connector.records.areNamedByContent !== true || known > 0 || late < fewestCopies) return [];
  const text = `${late} records of time that had been read came as new, and none that is known: ${differs}, and leave it out of record.hash of the connector`;
  return [{ key: 'changed', level: 'warn', text }];
}

/** One in so many may be a slip of the vendor's. */
const rarelyShared = 20;

function shared({ memory: { sharedIds: count, fresh } }: SourceContext): Warning[] {
  if (count < fewestCopies || count * rarelyShared < fresh) return [];
  const text = `${count} records have the id of another one in the same reply that is not the same, of ${fresh} new ones: record.id of the connector does not name one record; equal ones count as one, and a receiver that tells events by their id may drop some; take another path, or leave record.id out`;
  return [{ key: 'shared_ids', level: 'warn', text }];
}

function unpaged({ memory: { unpaged: count } }: SourceContext): Warning[] {
  if (count < fewestOdd) return [];
  const text = `${count} replies were as full as a page can be and named no next page, nor did any other: see that read.page of the connector leads to it; until one does, such windows are read in halves`;
  return [{ key: 'unpaged', level: 'warn', text }];
}

function withoutDetail({ memory: { withoutDetail: count } }: SourceContext): Warning[] {
  if (count === 0) return [];
  const what = count === 1 ? 'a record was' : `${count} records were`;
  const text = `${what} delivered without the detail that the vendor keeps, labelled without_detail: it was refused, or kept failing`;
  return [{ key: 'without_detail', level: 'warn', text }];
}

/** Everything about a source that a person should look at, computed from what is in memory. */
export function warningsOf(context: SourceContext, { hasWindows }: Kind): readonly Warning[] {
  const now = context.seams.clock.now();
  return [
    ...(hasWindows ? [...pollAge(context, now), ...retention(context, now), ...never(context)] : []),
    ...quiet(context),
    ...expiry(context, now),
    ...shortfall(context),
    ...skewed(context),
    ...paused(context),
    ...waiting(context),
    ...outsideWindow(context),
    ...unreadableTimes(context),
    ...ahead(context),
    ...unfit(context),
    ...repeated(context),
    ...shared(context),
    ...unpaged(context),
    ...withoutDetail(context),
  ];
}

const watchMs = 60_000;

/** Looks once a minute and logs each warning when it appears and when it is over, until the signal aborts. */
export async function watchWarnings(context: SourceContext, kind: Kind, signal: AbortSignal): Promise<void> {
  let known: ReadonlySet<string> = new Set();
  while (!signal.aborted) {
    try {
      known = logChanges(context, warningsOf(context, kind), known);
    } catch (error) {
      context.log.error({ err: error }, 'the source could not be watched, collection goes on');
    }
    await sleep(context.seams.clock, watchMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

function logChanges({ log }: SourceContext, warnings: readonly Warning[], known: ReadonlySet<string>): ReadonlySet<string> {
  const current = new Set(warnings.map(({ key }) => key));
  for (const { key, level, text } of warnings)
    if (!known.has(key)) log[level]({ warning: key, what: text }, 'source needs attention');
  for (const key of known) if (!current.has(key)) log.info({ warning: key }, 'source needs this attention no more');
  return current;
}
