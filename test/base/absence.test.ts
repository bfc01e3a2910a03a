import { expect, it } from 'vitest';
import { Absence } from '../../src/base/absence.ts';
import { virtualClock } from '../virtual-clock.ts';

const minute = 60_000;

/** Looks every ten seconds for so long, and says what is gone at the last look. */
function looks() {
  const clock = virtualClock(0);
  const absence = new Absence<string>(clock);
  const during = async (ms: number, ...away: readonly string[]): Promise<readonly string[]> => {
    let gone: readonly string[] = [];
    for (let passed = 0; passed < ms; passed += 10_000) {
      await clock.advance(10_000);
      gone = absence.look(away);
    }
    return gone;
  };
  return { clock, absence, during };
}

it('takes for gone what nobody had at any look for ten minutes', async () => {
  const { during } = looks();

  const before = await during(10 * minute, 'a');
  const after = await during(10_000, 'a', 'b');

  expect([before, after]).toEqual([[], ['a']]);
});

it('begins anew where somebody has it again', async () => {
  const { during } = looks();
  await during(9 * minute, 'a');
  await during(10_000);

  expect(await during(10 * minute, 'a')).toEqual([]);
});

it('counts no time in which nobody could look', async () => {
  const { clock, absence, during } = looks();
  await during(minute, 'a');

  await clock.advance(60 * minute);

  expect(absence.look(['a'])).toEqual([]);
  expect(await during(8 * minute, 'a')).toEqual([]);
});
