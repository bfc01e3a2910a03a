import { expect, it } from 'vitest';
import { RefusalRate } from '../../../src/deliver/hold/refusal-rate.ts';

it('calls the 20th of many different refused events systematic', () => {
  const rate = new RefusalRate();
  rate.accepted(1);

  const answers = Array.from({ length: 21 }, (_, index) => rate.refused(`e${index}`, '7'));

  expect(answers.indexOf(true)).toBe(19);
});

it('calls the third of different refused events systematic when nothing was ever taken', () => {
  const rate = new RefusalRate();

  expect([rate.refused('e0', '7'), rate.refused('e0', '7'), rate.refused('e1', '7'), rate.refused('e2', '7')]).toEqual([
    false,
    false,
    false,
    true,
  ]);
});

it('does not mistake one event that is refused again and again', () => {
  const rate = new RefusalRate();

  const answers = Array.from({ length: 100 }, () => rate.refused('same', '7'));

  expect(answers).not.toContain(true);
});

it('does not add up different codes', () => {
  const rate = new RefusalRate();

  const answers = Array.from({ length: 60 }, (_, index) => rate.refused(`e${index}`, `code ${index % 4}`));

  expect(answers).not.toContain(true);
});

it('stays calm at one refusal in ten, and alarms at one in nine', () => {
  const alarmAt = (everyNth: number): boolean => {
    const rate = new RefusalRate();
    return Array.from({ length: 100 }, (_, index) => {
      rate.accepted(everyNth - 1);
      return rate.refused(`e${index}`, '6');
    }).includes(true);
  };

  expect({ tenth: alarmAt(10), ninth: alarmAt(9) }).toEqual({ tenth: false, ninth: true });
});

it('lets the letters of a forgiven code pass', () => {
  const rate = new RefusalRate();
  rate.forgive('7');

  const answers = Array.from({ length: 50 }, (_, index) => rate.refused(`e${index}`, '7'));

  expect(answers).not.toContain(true);
});

it('does not add up different causes of one code, unless most events are refused with it', () => {
  const alarmAt = (taken: number): number => {
    const rate = new RefusalRate();
    rate.accepted(1);
    const answers = Array.from({ length: 60 }, (_, index) => {
      rate.accepted(taken);
      return rate.refused(`e${index}`, '400', { cause: `field ${index % 10}` });
    });
    return answers.indexOf(true);
  };

  expect({ oneInThree: alarmAt(2), all: alarmAt(0) }).toEqual({ oneInThree: -1, all: 19 });
});

it('waits for many of different events that must not be sent again, though nothing was ever taken', () => {
  const rate = new RefusalRate();

  const answers = Array.from({ length: 20 }, (_, index) => rate.refused(`e${index}`, 'not_taken', { isFinal: true }));

  expect(answers.indexOf(true)).toBe(19);
});
