// The life of a member, cell by cell.
import { describe, expect, it } from 'vitest';
import { type MemberEvent, type MemberState, transition } from '../../../../coordinator/replicas/member-state.ts';

const EVENTS = ['begin', 'started', 'fail', 'ended', 'drain', 'finish', 'stop'] as const;
/** A row a state, a column an event; `-` cannot happen. */
const TABLE = `
  state     begin     started   fail      ended     drain     finish    stop
  waiting   starting  -         -         -         gone      -         gone
  starting  -         ready     lost      -         draining  -         -
  ready     -         -         lost      -         draining  -         gone
  lost      -         -         -         waiting   gone      -         gone
  draining  -         draining  gone      -         -         gone      gone
  gone      -         -         -         -         -         -         -
`;
const [header = [], ...rows] = TABLE.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));
const cells = rows.flatMap(([state, ...row]) =>
  row.map((next, i) => ({ state: state as MemberState, event: EVENTS[i] as MemberEvent, next })),
);

describe('transition', () => {
  it('is asked for every state and event', () => {
    expect(header.slice(1)).toEqual(EVENTS);
    expect(cells.length).toBe(6 * EVENTS.length);
  });

  it.each(cells)('$state, $event: $next', ({ state, event, next }) => {
    if (next === '-') expect(() => transition(state, event)).toThrow(`a replica that is ${state} cannot ${event}`);
    else expect(transition(state, event)).toBe(next);
  });
});
