// Entry file of a replica in a process of its own: the thread beside it computes.
import { serveProcess } from '../replica/process-service.ts';

serveProcess(new URL('./thread-entry.js', import.meta.url));
