// Penstock with a clock that a test moves: every line on standard input is the number of milliseconds that the wall clock is off from then
// on. PENSTOCK_HASTE makes the monotonic clock run that many times as fast, so that a test need not wait for long waits.
import { createInterface } from 'node:readline';
import { systemSeams } from '../../../src/base/seams.ts';
import { commandContext } from '../../../src/cli/context.ts';
import { runProgram } from '../../../src/cli/program.ts';

const seams = systemSeams();
const haste = Number(process.env['PENSTOCK_HASTE'] ?? 1);
let skewMs = 0;

createInterface({ input: process.stdin }).on('line', (line) => {
  skewMs = Number(line);
});
process.stdin.unref();

const clock = {
  now: () => seams.clock.now() + skewMs,
  monotonic: () => seams.clock.monotonic() * haste,
  timer: (ms: number, callback: () => void) => seams.clock.timer(ms / haste, callback),
};

process.exit(await runProgram(process.argv.slice(2), { ...commandContext(), seams: { ...seams, clock } }));
