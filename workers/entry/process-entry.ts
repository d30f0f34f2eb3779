// Entry file of a replica in a process of its own: the thread beside it computes.
import { leaveSignals, STOP_SIGNALS } from '../../shared/stop-signals.ts';

// Ctrl-C reaches the whole process group, and signals of systemd and of schedulers the whole service or job: what becomes of it is the
// coordinator's to decide, which needs its replicas to finish the step.
leaveSignals(STOP_SIGNALS);
const { serveProcess } = await import('../replica/process-service.ts');
serveProcess(new URL('./thread-entry.js', import.meta.url));
