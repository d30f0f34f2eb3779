// A replica in a process of its own: its thread computes, and the process's main thread serves the channel from the coordinator
// (coordinator/replicas/transports/child-process.ts). So frames travel beside the computing, and the heartbeat goes on inside a native call.
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { PlainError } from '../../shared/error.ts';
import type { InjectedFault } from '../../shared/fault.ts';
import { SHARDS_IN_HAND } from '../../shared/flow.ts';
import { encodeFrame, FrameDecoder, malformed } from '../../shared/frame.ts';
import { layoutOf, type Net, type Pass, phaseOf } from '../../shared/model/layout.ts';
import { phaseVectorOf } from '../../shared/model/phase-vector.ts';
import { imageSizeOf } from '../../shared/model/spec.ts';
import {
  type Answer,
  bytesOf,
  FRAME_FD,
  HEARTBEAT_FD,
  HEARTBEAT_MS,
  type ProcessSetup,
  type Request,
  toRequest,
} from '../../shared/process-protocol.ts';
import type { HostSetup, ReplicaService, SampleJob } from '../../shared/protocol.ts';
import { strikeFrame } from './faults.ts';
import { toReplicaError } from './replica.ts';

const NOTHING: Uint8Array = new Uint8Array();
/** Longest text of an error: a frame's header holds 64 KiB. */
const TEXT_LENGTH = 8_000;

/** The outcome of a call that failed. */
interface Failure {
  readonly ok: false;
  readonly error: PlainError;
}

/** Memory for the bodies that arrive and the results that are sent, shared with the thread. */
interface Memory {
  readonly setup: HostSetup;
  /** As many as there are shards in hand. */
  readonly pixels: readonly Uint8Array[];
  /** Statistics of a generator, then its parameters. */
  readonly sampling: Float32Array;
}

function memoryFor(setup: ProcessSetup): Memory {
  const { spec, shardSize } = setup;
  const { statisticsCount, parameterCount } = layoutOf('generator', spec);
  const floats = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));
  const parameters = (net: Net): Float32Array => floats(layoutOf(net, spec).parameterCount);
  const inHand = <T>(create: () => T): T[] => Array.from({ length: SHARDS_IN_HAND }, create);
  const slots = (pass: Pass): Float32Array[] => {
    const { length } = phaseVectorOf(phaseOf(pass), spec);
    return inHand(() => floats(length));
  };
  return {
    setup: {
      ...setup,
      parameters: { generator: parameters('generator'), discriminator: parameters('discriminator') },
      results: { real: slots('real'), fake: slots('fake'), generator: slots('generator') },
    },
    pixels: inHand(() => new Uint8Array(new SharedArrayBuffer(shardSize * imageSizeOf(spec)))),
    sampling: new Float32Array(statisticsCount + parameterCount),
  };
}

/** Where the body of a sample's request is read into: statistics alone, or with the parameters. */
function placeOfSampling({ setup, sampling }: Memory, bodyBytes: number): Uint8Array {
  const all = bytesOf(sampling);
  return bodyBytes === all.length ? all : all.subarray(0, 4 * layoutOf('generator', setup.spec).statisticsCount);
}

/** What to draw with, from the body of a request. */
function generatorIn(body: Uint8Array, { setup, sampling }: Memory): Pick<SampleJob, 'statistics' | 'parameters'> {
  if (body.length === 0) return { statistics: 'batch' };
  const { statisticsCount } = layoutOf('generator', setup.spec);
  const parameters = body.length === sampling.byteLength ? sampling.subarray(statisticsCount) : undefined;
  return { statistics: sampling.subarray(0, statisticsCount), parameters };
}

/** An error whose texts fit into a frame's header. */
function shortenError({ stack, ...error }: PlainError): PlainError {
  const message = error.message.slice(0, TEXT_LENGTH);
  return { ...error, message, ...(stack === undefined ? {} : { stack: stack.slice(0, TEXT_LENGTH) }) };
}

function shortened({ ok, error }: Failure): Failure {
  return { ok, error: shortenError(error) };
}

/** Ends this process at once: an orderly exit would wait for the thread, and so for its native call. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Sends a byte now and then until the coordinator is gone. */
function beginHeartbeat(): void {
  const beat = Uint8Array.of(0);
  const socket = new Socket({ fd: HEARTBEAT_FD });
  socket.on('error', die);
  socket.on('close', die);
  socket.write(beat);
  setInterval(() => socket.write(beat), HEARTBEAT_MS);
}

/**
 * Serves this process's coordinator until it asks to stop or is gone; the process ends then.
 *
 * Bodies are read over what was there while the thread may be computing. What it computes with is not touched: the coordinator sends
 * a net's parameters again when all results that need the old ones have been accepted, and there are as many places for pixels as calls.
 *
 * @param threadEntry compiled entry file of the thread that computes
 */
export function serveProcess(threadEntry: URL): void {
  process.prependListener('disconnect', die); // before node:cluster's own listener, which exits in order
  beginHeartbeat();
  const thread = new Worker(threadEntry, { env: SHARE_ENV, name: 'replica' });
  const service = wrap<ReplicaService>(nodeEndpoint(thread));

  let memory: Memory | undefined;
  let request: Request | undefined;
  let body = NOTHING;
  let slot = 0;
  /** The place of the newest call. */
  const slotOf = <T>(places: readonly T[]): T => places[slot] as T;
  const started = (): Memory => {
    if (!memory) throw malformed('a call before start');
    return memory;
  };

  /** Resolves when the kernel has taken all of it. */
  const send = (answer: Answer, values = NOTHING, fault?: InjectedFault): Promise<void> =>
    new Promise((sent) => {
      const flushed = (): void => sent(); // also after an error: the socket closes then, and with it the process
      const frame = encodeFrame(answer, values.length);
      if (fault) strikeFrame(fault, frame);
      socket.cork();
      socket.write(frame, values.length === 0 ? flushed : undefined);
      if (values.length > 0) socket.write(values, flushed);
      socket.uncork();
    });

  /** Where the body of a request is read into. */
  function placeFor(next: Request, bodyBytes: number): Uint8Array {
    switch (next.kind) {
      case 'parameters':
        return bytesOf(started().setup.parameters[next.net]);
      case 'compute':
        slot = (slot + 1) % SHARDS_IN_HAND;
        return bodyBytes === 0 ? NOTHING : slotOf(started().pixels);
      case 'sample':
        return bodyBytes === 0 ? NOTHING : placeOfSampling(started(), bodyBytes);
      case 'start':
      case 'stop':
        return NOTHING;
    }
  }

  /** The thread takes calls one after another, so the answers come in their order. */
  async function handle(next: Exclude<Request, { kind: 'parameters' }>): Promise<void> {
    const { call } = next;
    switch (next.kind) {
      case 'start': {
        memory = memoryFor(next.setup);
        const outcome = await service.start(memory.setup);
        return send({ kind: 'start', call, outcome: outcome.ok ? outcome : shortened(outcome) });
      }
      case 'compute': {
        const { fault, pass } = next.job;
        const values = slotOf(started().setup.results[pass]);
        const outcome = await service.compute({
          ...next.job,
          slot,
          ...(body.length === 0 ? {} : { pixels: [body] }),
          ...(fault ? { fault: { ...fault, wholeProcess: true } } : {}),
        });
        if (!outcome.ok) return send({ kind: 'compute', call, outcome: shortened(outcome) });
        return send({ kind: 'compute', call, outcome }, bytesOf(values), fault);
      }
      case 'sample': {
        const { seed, count } = next;
        const outcome = await service.sample({ seed, count, ...generatorIn(body, started()) });
        if (!outcome.ok) return send({ kind: 'sample', call, outcome: shortened(outcome) });
        return send({ kind: 'sample', call, outcome: { ok: true } }, bytesOf(outcome.images));
      }
      case 'stop':
        await service.stop();
        await send({ kind: 'stop', call, outcome: { ok: true } });
        thread.off('exit', endWithThread);
        await thread.terminate();
        process.exit();
    }
  }

  const decoder = new FrameDecoder({
    open(header, bodyBytes) {
      request = toRequest(header);
      body = placeFor(request, bodyBytes);
      return body;
    },
    complete() {
      if (request && request.kind !== 'parameters') handle(request).catch(crash);
    },
  });
  // Read into place: half the time of chunks that are copied (test/bench/channel.mjs). @types/node knows `onread` of connect only.
  const onread: OnReadOpts = {
    buffer: () => decoder.space,
    callback: (count) => {
      decoder.advance(count);
      return true;
    },
  };
  const socket = new Socket({ fd: FRAME_FD, onread } as SocketConstructorOpts);
  socket.on('error', die);
  socket.on('close', die);

  function crash(error: unknown): void {
    const plain = toReplicaError(error, memory?.setup.replica ?? -1).toPlain();
    send({ kind: 'crashed', error: shortenError(plain) }).then(die);
  }
  function endWithThread(code: number): void {
    process.exit(code);
  }
  process.on('uncaughtException', crash);
  thread.on('error', (error) => {
    thread.off('exit', endWithThread); // the error says more than the exit that follows it
    crash(error);
  });
  thread.on('exit', endWithThread);
  socket.resume();
}
