// The exit codes of the command line, once; the table for people is in docs/unattended.md.

export const EXIT_CODES = {
  /** The command has done what it was asked for, or the run was stopped in order. */
  done: 0,
  /** An error of the machine. */
  machine: 1,
  /** A mistake in what was asked for. */
  mistake: 2,
  /** Too many faults: the same command would most likely end the same way. */
  gaveUp: 3,
  /** The run was stopped before its end: the same command goes on (EX_TEMPFAIL of sysexits.h). */
  goOn: 75,
} as const;
