// A membership of stub replicas, for tests of its starts and its end.
import type { MemberState } from '../../../../coordinator/replicas/member-state.ts';
import { type Life, Membership } from '../../../../coordinator/replicas/membership.ts';
import { RestartPolicy } from '../../../../coordinator/replicas/restart-policy.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { StubStarter } from './stub-replicas.ts';

/** Why a replica is lost. */
export const lost = () => new GanglionError('replica', 'it ended', { place: { replica: 0 }, reason: 'exit' });

/** A membership of members that are busy when the test says so; `events` is what it tells. */
export function create(count: number, maxRestarts = 100) {
  const starter = new StubStarter();
  const events: string[] = [];
  const busy = new Set<number>();
  const membership = new Membership<Life>({
    count,
    create: (id) => ({ id, isPage: false, state: 'waiting', replica: undefined, restarts: 0, failures: 0 }),
    start: starter.start,
    policy: new RestartPolicy({ maxRestarts, now: () => performance.now(), random: () => 1 }),
    isBusy: ({ id }) => busy.has(id),
    onLost: ({ id }, { message }) => events.push(`lost ${id}: ${message}`),
    onChange: () => {},
    onRestarted: (id) => events.push(`restarted ${id}`),
    onGiveUp: (error) => {
      events.push(`gave up: ${(error as Error).message.slice(0, 15)}`);
      membership.close();
    },
  });
  const states = (): Record<number, MemberState> =>
    Object.fromEntries(membership.members.map(({ id, state }) => [id, state]));
  const member = (id: number): Life => {
    const found = membership.members.find((each) => each.id === id);
    if (!found) throw new Error(`no member ${id}`);
    return found;
  };
  /** Holds the next starts back; each call of the result lets one go. */
  const holdStarts = () => {
    const held: (() => void)[] = [];
    starter.beforeStart = () => new Promise((go) => held.push(go));
    return () => held.shift()?.();
  };
  return { membership, starter, events, busy, states, member, holdStarts };
}
