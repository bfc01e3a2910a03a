import { expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import type { Database } from '../../src/journal/postgres/database.ts';
import { Heartbeat } from '../../src/journal/postgres/heartbeat.ts';
import { loudLog } from '../loud-log.ts';

/** A database that notes what arrives, and answers unless it is told not to. */
function world({ log } = loudLog()) {
  const asked: string[] = [];
  let now = 0;
  let isDeaf = false;
  const clock: Clock = { now: () => now, monotonic: () => now, timer: () => ({ [Symbol.dispose]: () => undefined }) };
  const queryAsMember = (text: string, values: readonly unknown[]): Promise<unknown[]> => {
    asked.push(text.includes('WITH beat AS') ? `beat ${String(values[2])}` : 'knock');
    return isDeaf ? Promise.reject(new Error('no answer')) : Promise.resolve([{ alive: true }]);
  };
  const heartbeat = new Heartbeat({ s: 'x', queryAsMember } as unknown as Database, clock, log, 10_000);
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

it('says once that the database does not hear of it, and once that it does again', async () => {
  const { log, said } = loudLog();
  const { heartbeat } = world({ log, said });

  for (let times = 0; times < 60; times += 1) heartbeat.unheard(new Error('no answer'));
  for (let times = 0; times < 3; times += 1) await heartbeat.around(() => Promise.resolve());

  expect(said).toEqual([
    '40 the database is not told that this replica lives: it is tried again, and after the lease nothing is polled or sent',
    '30 the database is told again that this replica lives',
  ]);
});
