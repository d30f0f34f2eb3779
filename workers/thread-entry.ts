// Entry file of a replica in a worker thread: puts the service on the thread's port by Comlink.
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { createEngine } from './engines.ts';
import { replicaService } from './service.ts';

if (!parentPort) throw new Error('thread-entry runs in a worker thread');
expose(replicaService(createEngine), nodeEndpoint(parentPort));
