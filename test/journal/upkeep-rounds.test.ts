import { expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { UpkeepRounds } from '../../src/journal/upkeep-rounds.ts';
import { loudLog } from '../loud-log.ts';
import { virtualClock } from '../virtual-clock.ts';

const begins = 'journal upkeep fails: nothing is deleted until it works again; it is tried every ten seconds';

it.each([
  { code: 'PEN_JOURNAL_UNAVAILABLE', level: 40, passes: true },
  { code: 'PEN_JOURNAL_UNWRITABLE', level: 50, passes: false },
] as const)(
  'says once that upkeep fails with $code, keeps why, and says that it works again',
  async ({ code, level, passes }) => {
    const clock = virtualClock(1_000_000);
    const { log, said } = loudLog();
    let isAway = true;
    let rounds = 0;
    const round = (): Promise<void> => {
      rounds += 1;
      return isAway ? Promise.reject(new PenstockError(code, 'no answer', { fix: 'look' })) : Promise.resolve();
    };

    const upkeep = new UpkeepRounds({ clock, log, round });
    await clock.advance(120_000);
    const during = [...said];
    const { trouble } = upkeep;
    isAway = false;
    await clock.advance(120_000);

    expect(rounds).toBe(25);
    expect(during).toEqual([`${level} ${begins}`]);
    expect(trouble).toEqual({ since: 1_000_000, error: 'no answer; look', passes });
    expect(said).toEqual([...during, '30 journal upkeep works again']);
    expect(upkeep.trouble).toBeUndefined();
    await upkeep.close();
  },
);
