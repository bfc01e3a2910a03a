/** How long a process lives. Everything that leaves it or reaches it from outside passes here. */
export interface Fate {
  readonly dead: boolean;
  /** A step at which it may die; does not resolve any more once it is dead. */
  step(): Promise<void>;
  /** Like a step, but nothing happens here. */
  alive(): Promise<void>;
  /** Dies now. */
  die(): void;
}

const never = new Promise<never>(() => undefined);

/** A process that asks `isLast` at each step; `onDeath` is called in the very step. */
export function fateOf(isLast: () => boolean, onDeath: () => void): Fate {
  let dead = false;
  const fate: Fate = {
    get dead() {
      return dead;
    },
    async step() {
      if (!dead && isLast()) fate.die();
      if (dead) await never;
    },
    async alive() {
      if (dead) await never;
    },
    die() {
      if (dead) return;
      dead = true;
      onDeath();
    },
  };
  return fate;
}
