// What the coordinator does in a step beside waiting and handling messages, for a profile.
export type CoordinatorPart = 'data' | 'sum' | 'reduce' | 'adam' | 'commit';

/** Receives when a part was done, in milliseconds of `performance.now()`. */
export type OnSpan = (part: CoordinatorPart, fromMs: number, toMs: number) => void;
