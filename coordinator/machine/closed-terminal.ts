// Node.js resets its terminal when it ends, and aborts when that is gone (SIGABRT, with a core; seen with 20, 22 and 24).
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

const STANDARD_STREAMS = [0, 1, 2];

/** Lets this process end in order also when its terminal has been closed. To be called at its start. */
export function outliveTerminal(): void {
  const terminals = STANDARD_STREAMS.filter((descriptor) => isatty(descriptor));
  if (terminals.length === 0) return;
  process.on('exit', () => {
    for (const descriptor of terminals.filter((each) => !isatty(each))) {
      closeSync(descriptor);
      openSync('/dev/null', 'r+'); // takes the lowest number that is free: this one
    }
  });
}
