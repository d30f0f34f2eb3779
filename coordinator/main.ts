#!/usr/bin/env node
// Entry file of the command line. It takes the signals first: to load the program takes several times as long as to start Node.js.
import { Signals } from './commands/signals.ts';

const signals = new Signals();
try {
  const { runProgram } = await import('./commands/program.ts');
  await runProgram(process.argv.slice(2), signals);
} catch (error) {
  // The program's own files may be too many.
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
  process.stderr.write('ganglion: too many open files; raise the limit (ulimit -n) to 256 or more\n');
  process.exitCode = 1;
}
