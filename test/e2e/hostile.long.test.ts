// Vendors of every hostile kind beside one that is well, in a heap of 512 MB. What was measured is printed, and nothing of it asserted: `own` times
// leave out how long the daemon's loop waited for a core that other processes had, so they say something on a busy machine too.
import { afterEach, expect, it } from 'vitest';
import { fewOrAll } from '../thorough.ts';
import { until, untilStatus } from './conditions.ts';
import { hostileConfig, momentsOf, peakMb, startHealthySide, startHostileVendors, took, worst } from './hostile-scene.ts';
import { hostileKinds } from './hostile-vendors.ts';
import { penstock, type RunningPenstock } from './penstock.ts';

const polls = Number(process.env['HOSTILE_POLLS'] ?? 40);
const env = { NODE_OPTIONS: `--max-old-space-size=512 ${process.env['HOSTILE_NODE_OPTIONS'] ?? ''}` };
const asked = process.env['HOSTILE_KINDS']?.split(',');

let daemon: RunningPenstock | undefined;
afterEach(() => void daemon?.child.kill('SIGKILL'));

const scenes: readonly (readonly [string, readonly string[]])[] = [
  ['of every kind', hostileKinds],
  ['with tables and lines of 16 MB each', Array.from({ length: 20 }, (_, n) => `${n % 2 === 0 ? 'csv' : 'ndjson'}-rows-${n}`)],
];

it.each(asked === undefined ? fewOrAll(1, scenes) : [['of kinds that were asked for', asked] as const])(
  'polls and delivers a healthy source beside hostile vendors %s, loses none of its events, and lives in 512 MB',
  async (name, kinds) => {
    using hostile = await startHostileVendors();
    await using healthy = await startHealthySide();
    const file = await hostileConfig(hostile.origin, healthy, kinds);
    daemon = penstock(['run', '-c', file], { env });
    const { exited, child } = daemon;
    healthy.pid = child.pid;

    await Promise.race([until(`${polls} polls of the healthy vendor`, () => healthy.polls.length >= polls), exited]);
    expect([child.exitCode, child.signalCode], daemon.stderr().slice(-2000)).toEqual([null, null]);
    const { sources } = await untilStatus(file, 'the healthy source has answered', ({ running }) => running);
    const expected = [...healthy.given.keys()];
    await until('what it gave has arrived', () => expected.every((id) => healthy.arrived.has(id)));
    const [peak, stop] = [await peakMb(child.pid), momentsOf(child.pid)];
    let end = stop;
    const looking = setInterval(() => void (end = momentsOf(child.pid).ran > 0 ? momentsOf(child.pid) : end), 20);
    child.kill('SIGTERM');
    const code = await exited;
    clearInterval(looking);

    const { consecutive_failures: failures } = sources.find((source) => source.name === 'healthy') ?? {};
    expect([code, failures]).toEqual([0, 0]);
    const gaps = healthy.polls.slice(1).map((poll, n) => took(healthy.polls[n] ?? poll, poll));
    const deliveries = expected.map((id) => took(healthy.given.get(id) ?? stop, healthy.arrived.get(id) ?? stop));
    console.info(
      JSON.stringify({
        [name]: { vendors: kinds.length, gap: worst(gaps), delivery: worst(deliveries), stop: took(stop, end), peakMb: peak },
      }),
    );
  },
);
