// Entry file of a replica in a process of its own: puts the service on the process's channel.
import { nativeEngine } from './native-engine.ts';
import { serveProcess } from './process-service.ts';
import { replicaService } from './service.ts';

serveProcess(replicaService(nativeEngine));
