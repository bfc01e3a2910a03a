import { expect, it } from 'vitest';
import { Semaphore } from '../../src/base/semaphore.ts';

/** Who got a turn so far, in order. */
function queue(limit: number) {
  const turns = new Semaphore(limit);
  const got: string[] = [];
  const ask = (name: string): Promise<unknown> =>
    turns.take().then(
      () => got.push(name),
      (error: Error) => got.push(`${name}: ${error.message}`),
    );
  return { turns, got, ask };
}

it('lets as many go as there are turns, and the others in the order in which they came', async () => {
  const { turns, got, ask } = queue(2);

  const asked = ['a', 'b', 'c', 'd'].map(ask);
  await Promise.all(asked.slice(0, 2));
  const first = [...got];
  turns.give();
  turns.give();
  await Promise.all(asked);

  expect([first, got]).toEqual([
    ['a', 'b'],
    ['a', 'b', 'c', 'd'],
  ]);
});

it('has fewer and more turns as the limit says', async () => {
  const { turns, got, ask } = queue(2);

  const asked = ['a', 'b', 'c', 'd'].map(ask);
  turns.limit = 1;
  turns.give();
  await Promise.all(asked.slice(0, 2));
  const withFewer = [...got];
  turns.limit = 3;
  turns.next();
  await Promise.all(asked);

  expect([withFewer, got]).toEqual([
    ['a', 'b'],
    ['a', 'b', 'c', 'd'],
  ]);
});

it('fails those that wait when what they wait for is in vain, and nobody who has a turn', async () => {
  const { turns, got, ask } = queue(1);

  const asked = ['a', 'b', 'c'].map(ask);
  turns.drop(new Error('in vain'));
  await Promise.all(asked);
  turns.give();
  await ask('d');

  expect(got).toEqual(['a', 'b: in vain', 'c: in vain', 'd']);
});

it('counts a turn that was to be exchanged as taken, also where no other came', async () => {
  const { turns, got, ask } = queue(1);

  await ask('a');
  const waiting = [ask('b')];
  const exchanged = turns.takeAnother().catch((error: Error) => error.message);
  turns.drop(new Error('in vain'));
  waiting.push(ask('c'));
  const message = await exchanged;
  turns.give();
  turns.give();
  await Promise.all(waiting);

  expect([message, got]).toEqual(['in vain', ['a', 'b', 'c']]);
});

it('lets those out of the queue who want no turn any more, wherever they stand', async () => {
  const { turns, got, ask } = queue(1);
  const gone = new AbortController();

  await ask('a');
  const left = turns.take(gone.signal).catch((error: Error) => error.message);
  const next = ask('b');
  gone.abort(new Error('gone'));
  turns.give();
  await next;
  const late = turns.take(gone.signal).catch((error: Error) => error.message);

  expect([await left, await late, got]).toEqual(['gone', 'gone', ['a', 'b']]);
});
