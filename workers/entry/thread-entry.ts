// Entry file of a replica in a worker thread: puts the service on the thread's port by Comlink, and shards on a channel of their own, if
// the thread was given one.
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { ShardChannel } from '../../shared/shard-channel.ts';
import { createEngine } from '../engines/engines.ts';
import { replicaService } from '../replica/service.ts';

/** Added to the nice value of the process; the lowest priority is nice 19. */
const YIELDING = 10;
const LOWEST = 19;

if (!parentPort) throw new Error('thread-entry runs in a worker thread');
if (process.platform === 'linux') {
  // There a thread has a priority of its own. The coordinator's is higher: what it does in between, all replicas wait for.
  setPriority(Math.min(LOWEST, getPriority() + YIELDING));
}
const service = replicaService(createEngine);
const channel: ShardChannel | null = workerData;
if (channel) service.serve(channel);
expose(service, nodeEndpoint(parentPort));
