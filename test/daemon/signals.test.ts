import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { catchSignals } from '../../src/daemon/run.ts';
import { virtualClock } from '../virtual-clock.ts';

it.each([
  ['SIGTERM', 'SIGTERM', 5],
  ['SIGTERM', 'SIGTERM', 900],
  ['SIGINT', 'SIGINT', 5],
  ['SIGINT', 'SIGTERM', 5],
] as const)(
  'stops in order where %s comes and %s after it within %i ms, as of who sends them to all processes',
  async (first, second, ms) => {
    const clock = virtualClock(0);
    using signals = catchSignals(silentLog(), clock);

    process.emit(first);
    await clock.advance(ms);
    process.emit(second);

    expect([signals.stop.aborted, signals.now.aborted]).toEqual([true, false]);
  },
);

it('stops at once when somebody asks again later', async () => {
  const clock = virtualClock(0);
  using signals = catchSignals(silentLog(), clock);

  process.emit('SIGTERM');
  await clock.advance(1_000);
  process.emit('SIGTERM');

  expect([signals.stop.aborted, signals.now.aborted]).toEqual([true, true]);
});
