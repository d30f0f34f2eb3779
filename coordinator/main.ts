#!/usr/bin/env node
// Entry file of the command line. It takes the signals first: to load the program takes several times as long as to start Node.js.
import { Signals } from './commands/signals.ts';

const signals = new Signals();
const { runProgram } = await import('./program.ts');
await runProgram(process.argv.slice(2), signals);
