#!/usr/bin/env node
import { commandContext } from './context.ts';
import { runProgram } from './program.ts';

process.exit(await runProgram(process.argv.slice(2), commandContext()));
