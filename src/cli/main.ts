#!/usr/bin/env node
import { commandContext } from './context.ts';
import { runProgram } from './program.ts';

// `penstock sample ... | head` closes our output early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exit(await runProgram(process.argv.slice(2), commandContext()));
