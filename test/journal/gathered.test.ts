import { expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { Gathered } from '../../src/journal/postgres/gathered.ts';
import { virtualClock } from '../virtual-clock.ts';

/** Statements that are answered when the test says so; the answer to a key is the key in capitals. */
function reader(clock?: Clock) {
  const statements: { readonly keys: readonly string[]; readonly answer: (error?: Error) => void }[] = [];
  const gathered = new Gathered<string, string>(
    (keys) =>
      new Promise((resolve, reject) => {
        statements.push({
          keys,
          answer: (error) => (error === undefined ? resolve(keys.map((key) => key.toUpperCase())) : reject(error)),
        });
      }),
    clock,
  );
  const untilRead = async (count: number): Promise<void> => {
    while (statements.length < count) await new Promise(setImmediate);
  };
  return { gathered, statements, untilRead };
}

it('asks once for all that is wanted at the same time, and once more for what is wanted meanwhile', async () => {
  const { gathered, statements, untilRead } = reader();

  const first = ['a', 'b'].map((key) => gathered.ask(key));
  await untilRead(1);
  const second = ['a', 'c'].map((key) => gathered.ask(key));
  statements[0]?.answer();
  await untilRead(2);
  statements[1]?.answer();

  expect(await Promise.all([...first, ...second])).toEqual(['A', 'B', 'A', 'C']);
  expect(statements.map(({ keys }) => keys)).toEqual([
    ['a', 'b'],
    ['a', 'c'],
  ]);
});

it('fails those whose statement failed, and goes on with the next', async () => {
  const { gathered, statements, untilRead } = reader();

  const first = Promise.allSettled([gathered.ask('a'), gathered.ask('b')]);
  await untilRead(1);
  const second = gathered.ask('c');
  statements[0]?.answer(new Error('away'));
  await untilRead(2);
  statements[1]?.answer();

  expect((await first).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await second).toBe('C');
});

it('waits a moment for others where there were others, and never for who asks alone', async () => {
  const clock = virtualClock(0);
  const { gathered, statements, untilRead } = reader(clock);

  // Alone, once and again: at once.
  for (const [index, key] of ['a', 'b'].entries()) {
    const alone = gathered.ask(key);
    await untilRead(index + 1);
    statements[index]?.answer();
    await alone;
  }
  // Three together: the next one waits for twice the time that each of the others is worth.
  const together = ['a', 'b', 'c'].map((key) => gathered.ask(key));
  await untilRead(3);
  statements[2]?.answer();
  await Promise.all(together);
  const first = gathered.ask('d');
  await clock.settle();
  const whileWaiting = statements.length;
  await clock.advance(60);
  const second = gathered.ask('e');
  await clock.advance(60);
  await untilRead(4);
  statements[3]?.answer();

  expect(await Promise.all([first, second])).toEqual(['D', 'E']);
  expect([whileWaiting, statements.map(({ keys }) => keys.join(''))]).toEqual([3, ['a', 'b', 'abc', 'de']]);
});

it('waits no longer where enough have come', async () => {
  const clock = virtualClock(0);
  const { gathered, statements, untilRead } = reader(clock);
  const keys = Array.from({ length: 40 }, (_none, index) => `k${index}`);
  const some = keys.map((key) => gathered.ask(key));
  await untilRead(1);
  statements[0]?.answer();
  await Promise.all(some);

  const one = gathered.ask('a');
  await clock.settle();
  const whileWaiting = statements.length;
  const more = keys.slice(0, 31).map((key) => gathered.ask(key));
  await untilRead(2);
  statements[1]?.answer();
  await Promise.all([one, ...more]);

  expect([whileWaiting, statements.map(({ keys: asked }) => asked.length)]).toEqual([1, [40, 32]]);
});
