import { expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { watchFiles } from '../../src/daemon/watch-files.ts';
import { virtualClock } from '../virtual-clock.ts';

function watched({ watch = true, refuse = false } = {}) {
  const clock = virtualClock(0);
  const state = { content: 'a', now: 'a', refuse, reloads: 0, again: [] as boolean[] };
  const current = () =>
    ({
      watch,
      files: { content: state.content, contentNow: () => Promise.resolve(state.now) },
    }) as unknown as Config;
  const reload = (isAgain: boolean): Promise<void> => {
    state.reloads += 1;
    state.again.push(isAgain);
    if (state.refuse) return Promise.reject(new Error('refused'));
    state.content = state.now;
    return Promise.resolve();
  };
  return { clock, state, watching: watchFiles(current, reload, { clock }) };
}

it('reloads once the files have said the same twice, and leaves alone what is still being written', async () => {
  const { clock, state, watching } = watched();
  const seen: number[] = [];

  for (const now of ['a', 'b', 'bc', 'bcd', 'bcd', 'bcd']) {
    state.now = now;
    await clock.advance(2_000);
    seen.push(state.reloads);
  }
  await watching[Symbol.asyncDispose]();

  expect(seen).toEqual([0, 0, 0, 0, 1, 1]);
});

it('tries what was refused again after a minute, or when the files change', async () => {
  const { clock, state, watching } = watched({ refuse: true });
  state.now = 'b';

  await clock.advance(30_000);
  const atFirst = state.reloads;
  state.now = 'c';
  await clock.advance(30_000);
  const afterChange = state.reloads;
  await clock.advance(40_000);
  const afterMinute = state.reloads;
  await watching[Symbol.asyncDispose]();

  expect([atFirst, afterChange, afterMinute]).toEqual([1, 2, 3]);
  expect(state.again).toEqual([false, false, true]);
});

it('looks at nothing without watch: true', async () => {
  const { clock, state, watching } = watched({ watch: false });
  state.now = 'b';

  await clock.advance(60_000);
  await watching[Symbol.asyncDispose]();

  expect(state.reloads).toBe(0);
});
