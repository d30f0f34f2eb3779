// Entry file of a replica in a worker thread: puts the service on the thread's port by Comlink, and shards on a channel of their own, if
// the thread was given one.
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { ShardChannel } from '../shared/protocol.ts';
import { createEngine } from './engines.ts';
import { replicaService } from './service.ts';

if (!parentPort) throw new Error('thread-entry runs in a worker thread');
const service = replicaService(createEngine);
const channel: ShardChannel | null = workerData;
if (channel) service.serve(channel);
expose(service, nodeEndpoint(parentPort));
