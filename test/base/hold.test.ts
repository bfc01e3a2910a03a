import { expect, it } from 'vitest';
import { Hold, type HoldNote } from '../../src/base/hold.ts';
import { virtualClock } from '../virtual-clock.ts';

function held() {
  const clock = virtualClock(1_000);
  const kept: (HoldNote | null)[] = [];
  const hold = new Hold(clock, 15_000, async (note) => void kept.push(note));
  return { clock, kept, hold };
}

it('is probed after the first wait, then after twice as long each time up to five minutes', async () => {
  const { hold } = held();
  await hold.begin('refused', 'renew it');

  const waits = [hold.probeInMs];
  for (let probe = 0; probe < 6; probe += 1) {
    hold.postpone('refused');
    waits.push(hold.probeInMs);
  }

  expect(waits).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
});

it('waits as long as at first after a probe that learned nothing', async () => {
  const { hold } = held();
  await hold.begin('refused', undefined);
  hold.postpone('refused');

  hold.postpone('unclear');

  expect(hold.probeInMs).toBe(15_000);
});

it('probes at once when it is released, also where nothing else ends it', async () => {
  const { hold } = held();
  await hold.begin('gone', undefined);
  hold.postpone('forever');
  const before = hold.probeInMs;

  hold.release();

  expect({ before, after: hold.probeInMs }).toEqual({ before: Number.POSITIVE_INFINITY, after: 0 });
});

it('probes at once after a restart, and begins with the first wait again', () => {
  const { hold } = held();
  hold.restore({ since: 7, reason: 'refused', fix: undefined });
  const first = hold.probeInMs;

  hold.postpone('refused');

  expect({ note: hold.note, first, second: hold.probeInMs }).toEqual({
    note: { since: 7, reason: 'refused' },
    first: 0,
    second: 15_000,
  });
});

it('keeps its note once for each thing it says, and since when it lasts', async () => {
  const { hold, kept, clock } = held();
  await hold.begin('refused', 'renew it');
  await hold.begin('refused', 'renew it');
  await clock.advance(5_000);
  await hold.begin('gone', 'change it');
  const heldMs = await hold.end();
  const again = await hold.end();

  expect({ kept, heldMs, again }).toEqual({
    kept: [{ since: 1_000, reason: 'refused', fix: 'renew it' }, { since: 1_000, reason: 'gone', fix: 'change it' }, null],
    heldMs: 5_000,
    again: undefined,
  });
});

it('keeps a note later that could not be kept, and holds nevertheless', async () => {
  const kept: (HoldNote | null)[] = [];
  let isFull = true;
  const hold = new Hold(virtualClock(0), 15_000, async (note) => {
    if (isFull) throw new Error('no space');
    kept.push(note);
  });
  await expect(hold.begin('refused', undefined)).rejects.toThrow('no space');
  const during = hold.note;
  isFull = false;

  await hold.begin('refused', undefined);

  expect({ during, kept }).toEqual({ during: { since: 0, reason: 'refused' }, kept: [{ since: 0, reason: 'refused' }] });
});
