import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { openContext } from '../../../src/collect/context.ts';
import { compareRange } from '../../../src/collect/index.ts';
import { type Stretch, type Window, WindowSize, windows } from '../../../src/collect/windows/windows.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, hour, minute, never, noon, row, settings, vendor } from '../fixture.ts';

const from = noon - 3 * hour;
const second = 1000;
const tooLarge = new PenstockError('PEN_WINDOW_TOO_LARGE', 'more than 1000 records');

function cutting(maxMs: number) {
  const clock = at(noon);
  const { deps } = bench(clock, memoryJournal().journal, vendor([], { clock }).open);
  const source = settings({ window: { overlapMs: 0, settleMs: minute, maxMs, minMs: 10 * minute } });
  const context = openContext(source, deps);
  return { clock, context, size: new WindowSize(context) };
}

const minutes = (window: Window): [number, number] => [(window.from - from) / minute, (window.to - from) / minute];

it('cuts a stretch into windows that share an instant', () => {
  const { context, size } = cutting(hour);

  const cut = [...windows(context, { from: from + 1, until: { atMost: from + 150 * minute } }, size)];

  expect(cut).toEqual([
    { from, to: from + hour },
    { from: from + hour - second, to: from + 2 * hour - second },
    { from: from + 2 * hour - 2 * second, to: from + 150 * minute },
  ]);
});

it.each<[string, Stretch['until'], number]>([
  ['what has settled by now', { atLeast: from }, noon - minute],
  ['what is complete, where less has settled', { atLeast: noon + minute }, noon + minute],
  ['what was asked for', { atMost: noon - hour }, noon - hour],
  ['now, where more was asked for', { atMost: noon + hour }, noon],
])('ends with %s', (_what, until, end) => {
  const { context, size } = cutting(12 * hour);

  expect([...windows(context, { from, until }, size)].map(({ to }) => to)).toEqual([end]);
});

it('begins with the window left behind, and goes on where that ends', () => {
  const { context, size } = cutting(hour);
  const first = { from: from - hour, to: from + 30 * minute };

  const cut = [...windows(context, { from, until: { atMost: from + hour }, first }, size)];

  expect(cut).toEqual([first, { from: from + 30 * minute - second, to: from + hour }]);
  expect(cut[0]).toBe(first);
});

it('cuts a refused window anew, half as large, and doubles the size with each that works', () => {
  const { context, size } = cutting(hour);
  const cut: [number, number][] = [];
  for (const window of windows(context, { from, until: { atMost: from + 2 * hour } }, size)) {
    cut.push(minutes(window));
    if (cut.length <= 2) size.refuse(window, tooLarge);
    else size.grow(window);
  }

  const step = second / minute;
  expect(cut).toEqual([
    [0, 60],
    [0, 30],
    [0, 15],
    [15 - step, 45 - step],
    [45 - 2 * step, 105 - 2 * step],
    [105 - 3 * step, 120],
  ]);
});

it('keeps windows short where a poll got stuck, until that time is passed', () => {
  const { context, size } = cutting(hour);
  size.shrinkAt({ from: from + 30 * minute, to: from + hour + 30 * minute });
  size.grow({ from, to: from + minute });

  const cut: [number, number][] = [];
  for (const window of windows(context, { from, until: { atMost: from + 3 * hour } }, size)) {
    cut.push(minutes(window));
    size.grow(window);
  }

  expect(cut.filter(([start, end]) => start < 90 && end > 30).every(([start, end]) => end - start <= 30)).toBe(true);
  expect(Math.max(...cut.map(([start, end]) => end - start))).toBe(60);
});

it('refuses nothing but what is a matter of size, and never cuts below the smallest window', () => {
  const { size } = cutting(hour);
  const other = new PenstockError('PEN_HTTP_TIMEOUT', 'no answer');

  expect(() => size.refuse({ from, to: from + hour }, other)).toThrow(other);
  expect(() => size.refuse({ from, to: from + 10 * minute }, tooLarge)).toThrow(
    expect.objectContaining({ code: 'PEN_SOURCE_REFUSED', cause: tooLarge }) as Error,
  );
  size.refuse({ from, to: from + 15 * minute }, tooLarge);
  expect(size.at(from)).toBe(10 * minute);
});

it('compares in smaller windows where the vendor refuses a large one', async () => {
  const clock = at(noon);
  const api = vendor([row('a', from + minute), row('b', noon - minute)], { clock });
  const { deps } = bench(clock, memoryJournal().journal, api.open);
  api.onRequest = (request) => {
    if (request.to - request.from > hour) throw tooLarge;
    return undefined;
  };
  const found: (number | undefined)[] = [];

  for await (const records of compareRange(settings(), deps, { from, to: noon }, never))
    found.push(...records.map(({ time }) => time));

  expect(found).toEqual([from + minute, noon - minute]);
});

it('keeps windows small where a poll got stuck until that is passed, and nowhere else', () => {
  const { size } = cutting(8 * hour);
  size.shrinkAt({ from, to: from + 2 * hour });
  for (const back of [20, 19]) size.grow({ from: from - back * hour, to: from - (back - 1) * hour });

  const before = [from - 4 * hour, from - hour, from, from + 2 * hour].map((at) => size.at(at) / hour);
  size.grow({ from: from + hour, to: from + 2 * hour });

  expect({ before, after: size.at(from) / hour }).toEqual({ before: [4, 1, 1, 4], after: 8 });
});
