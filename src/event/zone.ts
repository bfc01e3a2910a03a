// Times that are told without a zone, in the zone that the connector names.
import { hourMs } from '../base/quantity.ts';

const fixed = /^(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?$/;

/** Turns a clock on the wall (milliseconds as if it were UTC) into an instant, and an instant into the clock on the wall. */
export interface Zone {
  /** Of an hour that comes twice, the first; one that is left out is told by a clock that was not yet put forward. */
  toInstant(wall: number): number;
  /** As `toInstant`, and of an hour that comes twice the second. */
  toLastInstant(wall: number): number;
  toWall(instant: number): number;
}

/** Opens a zone by its IANA name or a fixed offset such as +02:00. Throws a RangeError for anything else. */
export function openZone(name: string): Zone {
  const [, sign, hours, minutes = '00'] = fixed.exec(name) ?? [];
  if (sign !== undefined) {
    const offset = (sign === '-' ? -1 : 1) * (Number(hours) * hourMs + Number(minutes) * 60_000);
    const toInstant = (wall: number): number => wall - offset;
    return { toInstant, toLastInstant: toInstant, toWall: (instant) => instant + offset };
  }
  const offsetAt = openOffsets(name);
  // A day away: clocks are up to 14 hours ahead, and what lies nearer could be on the same side of a change.
  const before = (wall: number): number => wall - offsetAt(wall - 24 * hourMs);
  const after = (wall: number): number => wall - offsetAt(wall + 24 * hourMs);
  const toWall = (instant: number): number => instant + offsetAt(instant);
  const pick = (wall: number, guesses: readonly number[]): number => guesses.find((at) => toWall(at) === wall) ?? before(wall);
  return {
    toInstant: (wall) => pick(wall, [before(wall), after(wall)]),
    toLastInstant: (wall) => pick(wall, [after(wall), before(wall)]),
    toWall,
  };
}

const quarterMs = 900_000;
const mostKnown = 1000;

/** The zone's offset at an instant, in milliseconds. Zones change theirs at a quarter of an hour. */
function openOffsets(name: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const known = new Map<number, number>();
  return (instant) => {
    const quarter = Math.floor(instant / quarterMs);
    const hit = known.get(quarter);
    if (hit !== undefined) return hit;
    const at = quarter * quarterMs;
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const wall = Date.UTC(
      parts['year'] ?? 0,
      (parts['month'] ?? 1) - 1,
      parts['day'] ?? 1,
      parts['hour'] ?? 0,
      parts['minute'] ?? 0,
      parts['second'] ?? 0,
    );
    if (known.size >= mostKnown) known.clear();
    known.set(quarter, wall - at);
    return wall - at;
  };
}
