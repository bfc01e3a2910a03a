import { expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import type { Database } from '../../src/journal/postgres/database.ts';
import { Heartbeat } from '../../src/journal/postgres/heartbeat.ts';

/** A database that notes what arrives, and answers unless it is told not to. */
function world() {
  const asked: string[] = [];
  let now = 0;
  let isDeaf = false;
  const clock: Clock = { now: () => now, monotonic: () => now, timer: () => ({ [Symbol.dispose]: () => undefined }) };
  const queryAsMember = (text: string, values: readonly unknown[]): Promise<unknown[]> => {
    asked.push(text.includes('WITH beat AS') ? `beat ${String(values[2])}` : 'knock');
    return isDeaf ? Promise.reject(new Error('no answer')) : Promise.resolve([{ alive: true }]);
  };
  const heartbeat = new Heartbeat({ s: 'x', queryAsMember } as unknown as Database, clock, 10_000);
  return {
    heartbeat,
    asked,
    pass: (ms: number): void => void (now += ms),
    hears: (isHearing: boolean): void => void (isDeaf = !isHearing),
    send: () => heartbeat.send('me').catch(() => undefined),
  };
}

it('says that it lives no more once it has heard no answer twice, until it hears one', async () => {
  const { asked, hears, send } = world();

  await send();
  hears(false);
  for (let times = 0; times < 4; times += 1) await send();
  hears(true);
  await send();
  await send();

  expect(asked).toEqual(['beat true', 'beat true', 'beat true', 'knock', 'knock', 'knock', 'beat true', 'beat true']);
});

it('does not say that it comes to claim where its last tick failed, or has taken long', async () => {
  const { heartbeat, asked, pass, send } = world();
  const tick = (isDone: boolean) =>
    heartbeat.around(() => (isDone ? Promise.resolve() : Promise.reject(new Error('no')))).catch(() => undefined);

  await tick(true);
  await send();
  await tick(false);
  await send();
  await tick(true);
  pass(5_000);
  await send();
  pass(1);
  await send();

  expect(asked).toEqual(['beat true', 'beat false', 'beat true', 'beat false']);
});
