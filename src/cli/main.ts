#!/usr/bin/env node
import { boundHeap } from '../base/heap.ts';
import { commandContext } from './context.ts';
import { runProgram } from './program.ts';

boundHeap();

// `penstock sample ... | head` closes our output early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const code = await runProgram(process.argv.slice(2), commandContext());
// A pipe takes 64 KiB at a time: what is still on its way must get out before the process ends.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((written) => stream.write('', written))));
process.exit(code);
