// The profile of several nodes: every node records, and the first one writes what all have recorded.
import { hostname } from 'node:os';
import type { Profile } from '../monitoring/profile.ts';
import type { NodeTrace } from '../monitoring/trace.ts';
import { share } from '../nodes/messages.ts';
import type { Communicator } from '../training/communicator.ts';

/** @returns what every node has recorded, the first one's first @throws GanglionError `nodes` when too few are left */
export function shareTrace(communicator: Communicator, profile: Profile): Promise<readonly NodeTrace[]> {
  return share(communicator, { node: communicator.node, host: hostname(), ...profile.take() });
}
