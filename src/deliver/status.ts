import type { Clock } from '../base/clock.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import type { LetterBox } from './dead-letters.ts';
import type { EndpointPool } from './endpoints.ts';
import type { HoldGate } from './hold.ts';
import type { LaneReader } from './read.ts';
import type { SinkStatus } from './settings.ts';
import type { UnknownActions } from './unknown-actions.ts';

/** What a loop counts since it started. */
export interface Tally {
  inFlight: number;
  acknowledged: number;
  unconfirmed: number;
  mapFailed: number;
  /** Events a receiver took and refused without telling which. */
  unlocated: number;
  lastAcknowledged: number | undefined;
  lastError: SinkStatus['last_error'];
  /** Why offsets cannot be written at the moment. */
  journalTrouble: string | undefined;
}

/** A tally of nothing. */
export function createTally(): Tally {
  return {
    inFlight: 0,
    acknowledged: 0,
    unconfirmed: 0,
    mapFailed: 0,
    unlocated: 0,
    lastAcknowledged: undefined,
    lastError: undefined,
    journalTrouble: undefined,
  };
}

export interface StatusParts {
  readonly settings: SinkSettings;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly phase: 'starting' | 'running' | 'stopped';
  readonly gate: HoldGate;
  readonly reader: LaneReader;
  readonly endpoints: EndpointPool;
  readonly letters: LetterBox;
  readonly unknown: UnknownActions;
  readonly classes: Readonly<Record<string, number>>;
}

function stateOf({ phase, gate, reader, endpoints, tally }: StatusParts): SinkStatus['state'] {
  if (phase !== 'running') return phase;
  if (gate.note !== undefined) return 'hold';
  const states = endpoints.states();
  const anyUp = states.some(({ failures, backing_off_until: until }) => failures === 0 && until === undefined);
  if (reader.openRecords() > 0 && states.length > 0 && !anyUp) return 'retrying';
  return tally.inFlight > 0 || reader.openRecords() > 0 ? 'delivering' : 'idle';
}

const nearlyFull = 0.8;

function warningsOf({ settings, reader, endpoints, letters, tally }: StatusParts): string[] {
  const warnings = [...reader.troubles()];
  const states = endpoints.states();
  if (states.length > 1) {
    for (const { endpoint, failures } of states)
      if (failures > 0) warnings.push(`endpoint ${endpoint} failed ${failures} times in a row; others take its batches`);
  }
  if (letters.count >= settings.maxDeadLetters * nearlyFull)
    warnings.push(`${letters.count} of ${settings.maxDeadLetters} dead letters; at the limit the sink holds`);
  if (tally.unlocated > 0)
    warnings.push(`the receiver took batches and says that it refused ${tally.unlocated} of their events, without telling which`);
  if (tally.journalTrouble !== undefined) warnings.push(`offsets cannot be written: ${tally.journalTrouble}`);
  return warnings;
}

/** A sink's status from the parts of its loop. */
export function readStatus(parts: StatusParts): SinkStatus {
  const { settings, clock, tally, gate, reader, endpoints, letters, unknown, classes } = parts;
  const oldest = reader.oldestLive();
  return {
    name: settings.name,
    type: settings.type,
    state: stateOf(parts),
    ...(gate.note === undefined ? {} : { hold: gate.note }),
    lag_seconds: oldest === undefined ? 0 : Math.max(0, (clock.now() - oldest) / 1000),
    pending: reader.pending(),
    in_flight: tally.inFlight,
    ...(tally.lastAcknowledged === undefined ? {} : { last_acknowledged: tally.lastAcknowledged }),
    ...(tally.lastError === undefined ? {} : { last_error: tally.lastError }),
    dead_letters: letters.count,
    acknowledged: tally.acknowledged,
    unconfirmed: tally.unconfirmed,
    map_failed: tally.mapFailed,
    unknown_actions: { ...unknown.counts },
    classes: { ...classes },
    endpoints: endpoints.states(),
    warnings: warningsOf(parts),
  };
}
