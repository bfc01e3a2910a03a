// Penstock with a wall clock that a test moves, for Penstock and for every library in it. PENSTOCK_HASTE makes the monotonic clock run that many
// times as fast, so that a test need not wait for long waits; without it the clock and the timers are those of the daemon.
import './skewed-date.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import { commandContext } from '../../../src/cli/context.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { hastyClock } from '../../hasty-clock.ts';

const seams = systemSeams();
const haste = Number(process.env['PENSTOCK_HASTE'] ?? 1);

const clock = haste === 1 ? seams.clock : hastyClock(haste, seams.clock);
process.exit(await runProgram(process.argv.slice(2), { ...commandContext(), seams: { ...seams, clock } }));
