import { expect, it, vi } from 'vitest';
import { fewOrAll, fewOrMany } from '../thorough.ts';
import { drawScenario } from './draw.ts';
import { fixedHistories } from './histories.ts';
import { play, startMs } from './play.ts';
import { hour, minute, type Scenario, uneventful } from './scenario.ts';
import { shrink } from './shrink.ts';

const calm: Scenario = {
  ...drawScenario(1, 1),
  sources: [{ name: 'offset', kind: 'offset', pageSize: 3, backMs: 0 }],
  sinks: [{ name: 'sink1', acknowledges: 'now', inFlight: 1, batchEvents: 10 }],
  events: [1, 2, 3, 4, 5].map((n) => ({ source: 'offset', n, at: n * minute, late: 0 })),
  ...uneventful,
};

it.each(fewOrAll(1, [1000, 1001]))('keeps every promise through the history of seed %i', async (seed) => {
  const { problems } = await play(drawScenario(seed, 4));

  expect(problems, `npm run sim -- --seed ${seed} --hours 4`).toEqual([]);
});

/** What it costs to play them is left to the long tests. */
const long = ['a second look that was planned while the clock was two years ahead'];
const short = Object.entries(fixedHistories).filter(([name]) => fewOrMany(0, 1) === 1 || !long.includes(name));

it.each(short)('keeps every promise through %s', async (_name, scenario) => {
  const { problems } = await play(scenario);

  expect(problems).toEqual([]);
});

it('delivers each record once where nothing goes wrong', async () => {
  const { problems, records, arrivals, lives } = await play(calm);

  // One more record of the source comes at the end.
  expect({ problems, records, arrivals, lives }).toEqual({ problems: [], records: 6, arrivals: 6, lives: 1 });
});

/** How many more listeners one signal got than were taken from it while `work` ran; of all signals, the most. */
async function listenersLeft(work: () => Promise<unknown>): Promise<number> {
  const add = vi.spyOn(AbortSignal.prototype, 'addEventListener');
  const remove = vi.spyOn(AbortSignal.prototype, 'removeEventListener');
  await work();
  const left = new Map<unknown, number>();
  for (const signal of add.mock.contexts) left.set(signal, (left.get(signal) ?? 0) + 1);
  for (const signal of remove.mock.contexts) left.set(signal, (left.get(signal) ?? 0) - 1);
  vi.restoreAllMocks();
  return Math.max(...left.values());
}

it('holds on to no more in a long life than in a short one', async () => {
  const short = await listenersLeft(() => play(calm));
  const long = await listenersLeft(() => play({ ...calm, hours: fewOrMany(4, 12) }));

  expect(long).toBeLessThanOrEqual(short);
});

it('plays a seed the same way every time', async () => {
  const [first, second] = [await play(drawScenario(7, 1)), await play(drawScenario(7, 1))];

  expect(second.fingerprint).toBe(first.fingerprint);
});

it('notices a record that a receiver says it took and has not', async () => {
  const lie = { on: 'sink1', kind: 'lie' as const, from: 0, to: 4 * minute + 30_000, share: 1 };

  const { problems } = await play({ ...calm, faults: [lie] }, { calmMs: hour });

  expect(problems.filter((text) => text.includes('was collected and is neither at sink1 nor in its dead letters'))).not.toEqual(
    [],
  );
});

it('repeats nothing when a receiver was only busy', async () => {
  const busy = { on: 'sink1', kind: 'busy' as const, from: 0, to: 30 * minute, share: 0.5 };

  const { problems, arrivals } = await play({ ...calm, faults: [busy] });

  expect({ problems, arrivals }).toEqual({ problems: [], arrivals: 6 });
});

it('finds the shortest history of a failure', async () => {
  const scenario = drawScenario(3, 4);
  const culprits = [5, 40].map((index) => scenario.events[index]?.n);
  const fails = ({ events }: Scenario) => culprits.every((culprit) => events.some(({ n }) => n === culprit));
  const pretend = (candidate: Scenario) =>
    Promise.resolve({
      scenario: candidate,
      problems: fails(candidate) ? ['2026-11-21T06:00:00.000Z record 9000 of token is lost'] : [],
      virtualMs: 0,
      cpuMs: 0,
      lives: 1,
      records: 0,
      arrivals: 0,
      fingerprint: '',
    });

  const { scenario: shortest } = await shrink(await pretend(scenario), pretend, startMs);

  expect({
    events: shortest.events.map(({ n }) => n),
    faults: shortest.faults,
    ends: shortest.ends,
    sources: shortest.sources.length,
    sinks: shortest.sinks.length,
  }).toEqual({ events: culprits, faults: [], ends: [], sources: 1, sinks: 1 });
});
