import { expect, it } from 'vitest';
import { Gathered } from '../../src/journal/postgres/gathered.ts';

/** Statements that are answered when the test says so; the answer to a key is the key in capitals. */
function reader() {
  const statements: { readonly keys: readonly string[]; readonly answer: (error?: Error) => void }[] = [];
  const gathered = new Gathered<string, string>(
    (keys) =>
      new Promise((resolve, reject) => {
        statements.push({
          keys,
          answer: (error) => (error === undefined ? resolve(keys.map((key) => key.toUpperCase())) : reject(error)),
        });
      }),
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
