// Entry file of the side thread of a replica's process: a byte to the coordinator every quarter of a second, also while the main
// thread is inside a native call. A frozen process sends none. When the coordinator is gone the write fails, and the process ends.
import { writeSync } from 'node:fs';
import { systemErrorCode } from '../shared/error.ts';
import { HEARTBEAT_FD, HEARTBEAT_MS } from '../shared/process-protocol.ts';

const beat = Uint8Array.of(0);

function writeBeat(): void {
  try {
    writeSync(HEARTBEAT_FD, beat);
  } catch (error) {
    // A full pipe: the coordinator is there, but reads nothing just now. Anything else: it is gone, and nobody waits for an
    // orderly end; the main thread may be inside a call that lasts.
    if (systemErrorCode(error) !== 'EAGAIN') process.kill(process.pid, 'SIGKILL');
  }
}

writeBeat();
setInterval(writeBeat, HEARTBEAT_MS);
