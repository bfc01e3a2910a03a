// How long it takes until what is behind is caught up, at the pace at which it got less lately.

interface Sample {
  /** On the monotonic clock. */
  readonly at: number;
  readonly behind: ReadonlyMap<string, number>;
}

const keptMs = 15 * 60_000;
/** Less is over before anybody has asked. */
const shortestSeconds = 60;
// Nobody's pace lasts that long.
const longestSeconds = 30 * 86_400;

/** Takes note, now and then, of how far each name is behind. */
export class CatchUp {
  #samples: Sample[] = [];

  note(at: number, behind: ReadonlyMap<string, number>): void {
    this.#samples = [...this.#samples.filter((sample) => at - sample.at <= keptMs), { at, behind }];
  }

  /** Seconds; undefined while it does not get less, and where it is over in a moment. */
  secondsLeft(name: string): number | undefined {
    const known = this.#samples.flatMap(({ at, behind }) => {
      const value = behind.get(name);
      return value === undefined ? [] : [{ at, value }];
    });
    const last = known.at(-1);
    if (last === undefined || last.value === 0) return undefined;
    // What it grew by before, as long as the outage lasted, says nothing of the pace since.
    const most = Math.max(...known.map(({ value }) => value));
    const first = known.findLast(({ value }) => value === most);
    if (first === undefined || last.value >= first.value) return undefined;
    const seconds = (last.value / (first.value - last.value)) * ((last.at - first.at) / 1000);
    return seconds < shortestSeconds || seconds > longestSeconds ? undefined : Math.round(seconds);
  }
}
