import type { Clock } from '../base/clock.ts';
import { type Random, uuid } from '../base/random.ts';
import { type Faults, strikes } from './faults.ts';

/** One row of a simulated vendor's audit log. */
export interface Row {
  readonly id: string;
  /** Time the vendor says it happened, milliseconds; null when the vendor left it out. */
  readonly occurredAt: number | null;
  /** When the row was inserted, milliseconds: what a reader can see before that time does not include it. */
  readonly visibleAt: number;
  readonly record: unknown;
}

/** Makes the vendor's record from a template. */
export type RecordMaker = (
  template: Readonly<Record<string, unknown>>,
  facts: { id: string; occurredAt: number | null; createdAt: number },
) => unknown;

interface VendorLogSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  /** Mean records per minute. */
  readonly ratePerMinute: number;
  /** How much history exists at the start, milliseconds. */
  readonly historyMs: number;
  readonly templates: readonly Readonly<Record<string, unknown>>[];
  readonly make: RecordMaker;
  /** Name of the action field, replaced when an unknown action is due. */
  readonly actionField: string;
}

/** An audit log that grows with the clock; the same seed and clock give the same rows. */
export interface VendorLog {
  /** Rows visible now, in the order in which they were inserted. */
  rows(): readonly Row[];
  /** Adds a row now, at an event time of the caller's choice. */
  add(template: Readonly<Record<string, unknown>>, occurredAt: number | null): Row;
  /** Adds a row with a time a little before `before`, as a late insert does while somebody pages. */
  insertBefore(before: number): Row;
}

const longestDelayMs = 90_000;

/** Opens a log with its history already in it. */
export function openVendorLog(settings: VendorLogSettings): VendorLog {
  const { clock, random, faults } = settings;
  const inserted: Row[] = [];
  const upcoming: Row[] = [];
  let nextAt = clock.now() - settings.historyMs;

  function build(template: Readonly<Record<string, unknown>>, occurredAt: number | null, visibleAt: number): Row {
    const id = uuid(random);
    return { id, occurredAt, visibleAt, record: settings.make(template, { id, occurredAt, createdAt: visibleAt }) };
  }

  function pick(): Readonly<Record<string, unknown>> {
    const template = settings.templates[Math.floor(random.float() * settings.templates.length)] ?? {};
    if (!strikes(faults, 'unknown_action', random)) return template;
    return { ...template, [settings.actionField]: `simulated_novelty_${Math.floor(random.float() * 3)}` };
  }

  function grow(): void {
    const now = clock.now();
    while (nextAt <= now) {
      const delay = strikes(faults, 'late_rows', random) ? random.float() * longestDelayMs : random.float() * 900;
      const time = strikes(faults, 'null_time', random) ? null : nextAt;
      upcoming.push(build(pick(), time, Math.round(nextAt + delay)));
      if (!strikes(faults, 'ties', random))
        nextAt += Math.ceil(-Math.log(1 - random.float()) * (60_000 / settings.ratePerMinute));
    }
    upcoming.sort((a, b) => a.visibleAt - b.visibleAt);
    const due = upcoming.findIndex((row) => row.visibleAt > now);
    // One by one: a history of days is more than a call takes as arguments.
    for (const row of upcoming.splice(0, due === -1 ? upcoming.length : due)) inserted.push(row);
  }

  function insert(row: Row): Row {
    inserted.push(row);
    return row;
  }

  return {
    rows() {
      grow();
      return inserted;
    },
    add: (template, occurredAt) => insert(build(template, occurredAt, clock.now())),
    insertBefore: (before) => insert(build(pick(), before - Math.floor(random.float() * 5000), clock.now())),
  };
}
