// A replica in a process of its own. Parameters and results travel as frames.
import { needsProcess, visibleAlone } from '../../../shared/device.ts';
import { STOP_SIGNALS } from '../../../shared/stop-signals.ts';
import type { Replica } from '../replica.ts';
import { ReplicaProcess } from './child-process.ts';
import { FrameCalls, type FrameOptions } from './frame-calls.ts';

export interface ProcessOptions extends FrameOptions {
  /** Compiled entry file of the process. */
  readonly entry: URL;
  /** Ends a start that is under way. */
  readonly abandon?: AbortSignal;
}

/** For the answer to `stop`; after that a signal ends the process, also inside a native call. */
const STOP_MS = 1_000;
/** From the answer to `stop` to the end of the process. */
const EXIT_MS = 1_000;
/** Starts of a process that a signal meant for the coordinator ends before it can ignore it. */
const STARTS = 3;

/** Opens a process, and its calls. @throws GanglionError `environment` when no process can be made */
function openProcess(
  id: number,
  options: ProcessOptions,
): { readonly calls: FrameCalls; readonly child: ReplicaProcess } {
  const { setup, entry } = options;
  const env = needsProcess(setup) ? { CUDA_VISIBLE_DEVICES: visibleAlone(setup.gpu ?? 0) } : {};
  let child: ReplicaProcess | undefined;
  const calls = new FrameCalls(id, options, (watcher) => {
    child = new ReplicaProcess(entry, `replica-${id}`, env, watcher);
    return child;
  });
  if (!child) throw new Error('the calls open their channel');
  return { calls, child };
}

/**
 * Starts a replica in a process of its own and waits until it has run every program once.
 *
 * @throws GanglionError when it does not start; the process has ended then
 */
export async function startProcessReplica(id: number, options: ProcessOptions): Promise<Replica> {
  for (let starts = 1; ; starts++) {
    const { calls, child } = openProcess(id, options);
    const stop = async (): Promise<void> => {
      const graceMs = await calls.stop(STOP_MS).then(
        () => EXIT_MS,
        () => 0,
      );
      await child.end(graceMs);
    };
    const abandon = (): void => void calls.lose('exit', 'was not wanted any more when it had started');
    options.abandon?.addEventListener('abort', abandon);
    try {
      const ready = await calls.start();
      child.expectHeartbeat();
      return {
        id,
        kind: 'process',
        ready,
        compute: (shard) => calls.compute(shard),
        sample: (job) => calls.sample(job),
        stop,
      };
    } catch (error) {
      await stop();
      // They may reach the whole process group, and a process that has only just begun does not ignore them yet.
      const early = STOP_SIGNALS.some((signal) => signal === child.endedBy);
      if (!early || starts === STARTS) throw error;
    } finally {
      options.abandon?.removeEventListener('abort', abandon);
    }
  }
}
