// Dice of a history. What they show depends on who throws and when, not on how often was thrown before: a history from which something was
// taken goes on unchanged elsewhere, which is what makes it possible to find the few events that matter.
import { type Random, seededRandom } from '../../src/base/random.ts';

export interface Dice {
  float(): number;
  chance(p: number): boolean;
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
}

function diceFrom(float: () => number): Dice {
  return {
    float,
    chance: (p) => float() < p,
    between: (low, high) => low + Math.floor(float() * (high - low + 1)),
    pick: <T>(from: readonly T[]) => from[Math.min(from.length - 1, Math.floor(float() * from.length))] as T,
  };
}

/** Dice that are thrown one after the other, for drawing a history. */
export function diceOf(seed: number): Dice {
  const random = seededRandom(seed);
  return diceFrom(() => random.float());
}

function mixed(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const hashOf = (text: string): number => Buffer.from(text).reduce((hash, byte) => mixed(hash, byte), 0x9e3779b1);

function floatAt(seed: number, who: string, elapsed: () => number): () => number {
  const own = mixed(hashOf(who), seed);
  let last = Number.NaN;
  let thrown = 0;
  return () => {
    const micros = Math.floor(elapsed() * 1000);
    thrown = micros === last ? thrown + 1 : 0;
    last = micros;
    return (mixed(mixed(mixed(own, micros >>> 0), Math.floor(micros / 2 ** 32)), thrown) >>> 0) / 2 ** 32;
  };
}

/** Dice of one thrower; `elapsed` is the virtual time, milliseconds. */
export function diceAt(seed: number, who: string, elapsed: () => number): Dice {
  return diceFrom(floatAt(seed, who, elapsed));
}

/** A process's randomness, thrown in the same way. */
export function randomAt(seed: number, elapsed: () => number): Random {
  const float = floatAt(seed, 'process', elapsed);
  const byte = (): string =>
    Math.floor(float() * 256)
      .toString(16)
      .padStart(2, '0');
  return { float, hex: (length) => Array.from({ length }, byte).join('') };
}
