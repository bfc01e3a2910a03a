import { randomBytes } from 'node:crypto';

/** Randomness as a parameter, so that a seed repeats a run. */
export interface Random {
  /** A float in [0, 1). */
  float(): number;
  /** `length` random bytes as lower-case hex; identifiers, never keys. */
  hex(length: number): string;
}

/** The machine's randomness. */
export function systemRandom(): Random {
  return { float: () => Math.random(), hex: (length) => randomBytes(length).toString('hex') };
}

/** A seeded generator (mulberry32): the same seed gives the same run. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const byte = (): string =>
    Math.floor(float() * 256)
      .toString(16)
      .padStart(2, '0');
  return { float, hex: (length) => Array.from({ length }, byte).join('') };
}

/** A random version 4 UUID. */
export function uuid(random: Random): string {
  const hex = random.hex(16);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Back-off with full jitter: uniform in [0, min(max, base * 2^attempt)] milliseconds; `attempt` starts at 0. */
export function fullJitterMs(random: Random, attempt: number, baseMs: number, maxMs: number): number {
  return Math.floor(random.float() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
}
