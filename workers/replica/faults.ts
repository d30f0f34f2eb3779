// Injects the faults that a test has planned (coordinator/replicas/fault-plan.ts) where real ones would happen.
import { spawn } from 'node:child_process';
import type { InjectedFault } from '../../shared/fault.ts';
import type { ShardOutcome } from '../../shared/protocol.ts';

/** Exit code of a thread that ends by plan: that of a process ended by SIGKILL. */
const KILLED = 137;

/** Blocks the thread, as a long native call would. */
function block(ms: number | undefined): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function kill({ wholeProcess }: InjectedFault): void {
  if (!wholeProcess) process.exit(KILLED);
  process.kill(process.pid, 'SIGKILL');
  block(undefined);
}

/** Stops the process with all its threads, or only this one where it is one of several in a process. */
function freeze({ ms, wholeProcess }: InjectedFault): void {
  if (!wholeProcess) {
    block(ms);
    return;
  }
  if (ms !== undefined) {
    // Nothing in a stopped process can wake it. The helper ends with the process.
    const wake = `i=0; while [ $i -lt ${Math.ceil(ms / 20)} ] && kill -0 ${process.pid}; do sleep 0.02; i=$((i+1)); done; kill -CONT ${process.pid}`;
    spawn('/bin/sh', ['-c', wake], { detached: true, stdio: 'ignore' }).unref();
  }
  process.kill(process.pid, 'SIGSTOP');
}

/** What happens before a shard is computed. */
export function strikeBefore(fault: InjectedFault): void {
  const { kind, ms } = fault;
  if (kind === 'kill') kill(fault);
  else if (kind === 'freeze') freeze(fault);
  else if (kind === 'delay') block(ms);
  else if (kind === 'throw') throw new Error('injected fault');
}

/** What happens to a result that is ready to go: the lowest bit of its first value. */
export function strikeResult({ kind }: InjectedFault, values: Float32Array): void {
  if (kind !== 'flip') return;
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  words[0] = (words[0] ?? 0) ^ 1;
}

/** What happens to the answer of a thread. */
export function strikeOutcome({ kind, wholeProcess }: InjectedFault, outcome: ShardOutcome): ShardOutcome {
  return kind === 'corrupt' && !wholeProcess ? ({ ok: true, step: 'no number' } as unknown as ShardOutcome) : outcome;
}

/** What happens to the frame of an answer of a process. */
export function strikeFrame({ kind }: InjectedFault, frame: Uint8Array): void {
  if (kind === 'corrupt') frame.fill(0xff, 0, 4);
}
