// The command line's part of a stop: the first SIGINT or SIGTERM asks for it; a second SIGINT ends the process at once.
import type { StopSwitch } from '../run/stop.ts';

/** A terminal's Ctrl-C reaches a program that npm runs twice, from the terminal and from npm: within this time, one press. */
const SAME_PRESS_MS = process.env.npm_lifecycle_event === undefined ? 0 : 500;
const EXIT_SIGINT = 130;

/** @returns stops listening */
export function listenToSignals(stop: StopSwitch): () => void {
  let requestedMs = 0;
  stop.onRequest(() => {
    requestedMs = performance.now();
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!stop.requested) stop.request(signal);
    else if (signal === 'SIGINT' && performance.now() - requestedMs >= SAME_PRESS_MS) process.exit(EXIT_SIGINT);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}
