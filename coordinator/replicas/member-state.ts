// The life of a member of a group, as a table of states and events (membership.ts).
//
//   waiting -> starting -> ready -> lost -> waiting ...        any -> draining -> gone

/**
 * `waiting` for its turn or its delay; `starting`; `ready` to compute; `lost`, while the replica that failed is being ended; `draining`:
 * no longer wanted, finishes its start or its shards; `gone`.
 */
export type MemberState = 'waiting' | 'starting' | 'ready' | 'lost' | 'draining' | 'gone';

/**
 * `begin`: its start begins; `started`; `fail`: the start or the replica failed; `ended`: the failed replica has ended, or nobody waits
 * for that; `drain`: it is no longer wanted; `finish`: it has nothing left to do; `stop`: the group stops, and no start is under way.
 */
export type MemberEvent = 'begin' | 'started' | 'fail' | 'ended' | 'drain' | 'finish' | 'stop';

const TRANSITIONS: Readonly<Record<MemberState, Readonly<Partial<Record<MemberEvent, MemberState>>>>> = {
  waiting: { begin: 'starting', drain: 'gone', stop: 'gone' },
  starting: { started: 'ready', fail: 'lost', drain: 'draining' },
  ready: { fail: 'lost', drain: 'draining', stop: 'gone' },
  lost: { ended: 'waiting', drain: 'gone', stop: 'gone' },
  draining: { started: 'draining', fail: 'gone', finish: 'gone', stop: 'gone' },
  gone: {},
};

/** The state after an event. @throws Error when the event cannot happen in this state */
export function transition(state: MemberState, event: MemberEvent): MemberState {
  const next = TRANSITIONS[state][event];
  if (!next) throw new Error(`a replica that is ${state} cannot ${event}`);
  return next;
}
