// Flags of Node.js that a replica takes over from this process. A program that was given as text (`node --eval CODE`) is none of its
// business: a thread does not start with such flags, and a process would run the program again.

const PROGRAM_AS_TEXT = /^(--eval|--print|-e|-p|-pe)$/;
const OF_THIS_PROCESS = /^--(input-type|eval=|print=|inspect|cpu-prof|heap-prof|prof)/;

/** Flags for a process; it has a profiler or an inspector of its own, or none. */
export function flagsForProcess(execArgv: readonly string[] = process.execArgv): string[] {
  return execArgv.filter((flag, i) => {
    const before = execArgv[i - 1] ?? '';
    return !(OF_THIS_PROCESS.test(flag) || PROGRAM_AS_TEXT.test(flag) || PROGRAM_AS_TEXT.test(before));
  });
}

/**
 * Flags for a thread: all of them, which Node.js passes on where it is given none. With a program as text there are none: those of V8
 * hold for threads already, and a thread that is given one does not start.
 */
export function flagsForThread(execArgv: readonly string[] = process.execArgv): { execArgv?: string[] } {
  const isText = execArgv.some((flag) => /^(--input-type|--eval=|--print=)/.test(flag) || PROGRAM_AS_TEXT.test(flag));
  return isText ? { execArgv: [] } : {};
}
