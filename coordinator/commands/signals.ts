// The signals of the command line. They are taken before the program is loaded, which takes some time, and held until it is known which
// command has to end: so none is lost, and none ends a run that has something to write.
import { isatty } from 'node:tty';
import { closeDebugger, exitCodeOf, STOP_SIGNALS, type StopSignal } from '../../shared/stop-signals.ts';
import { outliveTerminal } from '../machine/closed-terminal.ts';

/** Receives every signal that asks for an end. */
export type SignalTaker = (signal: StopSignal) => void;

const STANDARD_OUTPUT = 1;

export class Signals {
  readonly #takers = new Set<SignalTaker>();
  /** A closed terminal asks for an end only where it was one: a program cannot see that nohup had the signal ignored. */
  readonly #onTerminal = isatty(STANDARD_OUTPUT);
  /** Those that came before a command took them. */
  #held: StopSignal[] | undefined = [];

  constructor() {
    for (const signal of STOP_SIGNALS) process.on(signal, () => this.#receive(signal));
    closeDebugger(() => this.#receive('SIGUSR1'));
    outliveTerminal();
  }

  /** The command has begun: from now on a signal that nobody takes ends the process, as it would have without this class. */
  begin(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const signal of held) this.#receive(signal);
  }

  /** Begins the command, and gives every signal to `taker`. @returns gives it none any more */
  take(taker: SignalTaker): () => void {
    this.#takers.add(taker);
    this.begin();
    return () => void this.#takers.delete(taker);
  }

  #receive(signal: StopSignal): void {
    if (signal === 'SIGHUP' && !this.#onTerminal) return;
    if (this.#held) this.#held.push(signal);
    else if (this.#takers.size === 0) endBy(signal);
    else for (const taker of [...this.#takers]) taker(signal);
  }
}

/** Ends the process by a signal, so that a shell knows, after what is due at its end. */
function endBy(signal: StopSignal): void {
  process.prependOnceListener('exit', () => {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
  process.exit(exitCodeOf(signal)); // the first process of a container outlives its own signals
}
