// Ends a run in order: the first SIGINT or SIGTERM asks for it, or a request over HTTP; a second SIGINT ends the process at once.

/** Tells whether an end was asked for. */
export interface StopSwitch {
  readonly requested: boolean;
  /** Asks for an end; does nothing when one was asked for. @param who asks, for people to read */
  request(who: string): void;
  /** Stops listening. */
  dispose(): void;
}

/** A terminal's Ctrl-C reaches a program that npm runs twice, from the terminal and from npm: within this time, one press. */
const SAME_PRESS_MS = process.env.npm_lifecycle_event === undefined ? 0 : 500;
const EXIT_SIGINT = 130;

/** @param onRequest told once, with the signal's name or who else asked */
export function createStopSwitch(onRequest: (who: string) => void): StopSwitch {
  let requestedMs: number | undefined;
  const request = (who: string): void => {
    if (requestedMs !== undefined) return;
    requestedMs = performance.now();
    onRequest(who);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (requestedMs === undefined) request(signal);
    else if (signal === 'SIGINT' && performance.now() - requestedMs >= SAME_PRESS_MS) {
      process.exit(EXIT_SIGINT);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    get requested() {
      return requestedMs !== undefined;
    },
    request,
    dispose() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
