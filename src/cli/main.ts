#!/usr/bin/env node
import { widenThreadPool } from '../base/file-turns.ts';
import { boundHeap } from '../base/heap.ts';
import { commandContext } from './context.ts';
import { endProcess } from './end-process.ts';
import { runProgram } from './program.ts';

boundHeap();
widenThreadPool();

const args = process.argv.slice(2);
const isDaemon = args[0] === 'run';

// `penstock sample ... | head` closes our output early: that is no failure. In the daemon it is the matter of one sink, which holds.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isDaemon) return;
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const context = commandContext();
const code = await runProgram(args, context);
// A pipe takes 64 KiB at a time: what is still on its way must get out before the process ends. A person may page through it for long; a
// daemon that was told to stop waits for nobody who stands still.
const longestMs = 1000;
const written = Promise.all([process.stdout, process.stderr].map((stream) => new Promise((taken) => stream.write('', taken))));
await (isDaemon ? Promise.race([written, new Promise((over) => setTimeout(over, longestMs))]) : written);
await endProcess(code, context.seams.clock);
