import { sleep } from '../base/clock.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/config.ts';

const lookEveryMs = 2_000;
/** What was refused for a reason outside of the files, a secret that is not there yet, may be sound by now. */
const tryAgainMs = 60_000;

/**
 * With `watch: true`, reloads when the configuration's files say something else than what is in force and have said it twice: a file that
 * is being written is left alone. Their content is compared, so that it does not matter how they were replaced.
 */
export function watchFiles(
  current: () => Config,
  /** `isAgain`: of what was refused before. */
  reload: (isAgain: boolean) => Promise<unknown>,
  { clock }: Pick<Seams, 'clock'>,
): AsyncDisposable {
  const stop = new AbortController();
  let seen: string | undefined;
  let refused: { readonly content: string; readonly at: number } | undefined;

  async function look(): Promise<void> {
    const { watch, files } = current();
    const content = watch ? await files.contentNow() : files.content;
    const isSettled = content === seen;
    seen = content;
    if (content === files.content || !isSettled) return;
    const isAgain = refused?.content === content;
    if (isAgain && clock.monotonic() - (refused?.at ?? 0) < tryAgainMs) return;
    try {
      await reload(isAgain);
    } catch {
      // Logged where it was refused.
      refused = { content, at: clock.monotonic() };
    }
  }

  async function loop(): Promise<void> {
    for (;;) {
      await sleep(clock, lookEveryMs, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      await look();
    }
  }

  const looping = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
    },
  };
}
