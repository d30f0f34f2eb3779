// Puts the service of a replica on the channel that its process has from the coordinator (coordinator/replica-process.ts).
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { PlainError } from '../shared/error.ts';
import { encodeFrame, FrameDecoder, malformed } from '../shared/frame.ts';
import { layoutOf, type Net, type Pass, phaseOf } from '../shared/layout.ts';
import { phaseVectorOf } from '../shared/phase-vector.ts';
import {
  type Answer,
  bytesOf,
  FRAME_FD,
  type ProcessSetup,
  type Request,
  toRequest,
} from '../shared/process-protocol.ts';
import type { ReplicaService, ReplicaSetup, SampleJob } from '../shared/protocol.ts';
import { toReplicaError } from './replica.ts';

const NOTHING: Uint8Array = new Uint8Array();
/** Longest text of an error: a frame's header holds 64 KiB. */
const TEXT_LENGTH = 8_000;

/** What frames are read into, made once. */
interface Memory {
  readonly setup: ReplicaSetup;
  readonly pixels: Uint8Array;
  readonly statistics: Float32Array;
}

function memoryFor(setup: ProcessSetup): Memory {
  const { latent, shardSize } = setup;
  const parameters = (net: Net): Float32Array => new Float32Array(layoutOf(net, latent).parameterCount);
  // A result is on its way before the next call begins, so both slots may be the same.
  const slots = (pass: Pass): [Float32Array, Float32Array] => {
    const values = new Float32Array(phaseVectorOf(phaseOf(pass), latent).length);
    return [values, values];
  };
  return {
    setup: {
      ...setup,
      parameters: { generator: parameters('generator'), discriminator: parameters('discriminator') },
      results: { real: slots('real'), fake: slots('fake'), generator: slots('generator') },
    },
    pixels: new Uint8Array(shardSize * 784),
    statistics: new Float32Array(layoutOf('generator', latent).statisticsCount),
  };
}

function shortened({ stack, ...error }: PlainError): PlainError {
  const message = error.message.slice(0, TEXT_LENGTH);
  return { ...error, message, ...(stack === undefined ? {} : { stack: stack.slice(0, TEXT_LENGTH) }) };
}

/**
 * Serves this process's coordinator until it is gone or asks to stop; the process ends then.
 *
 * Requests are taken strictly one after another: the next one stays in the kernel's buffer until the answer to the one before is on
 * its way. So a net's parameters can be read right over the old ones, and one result array a phase is enough.
 */
export function serveProcess(service: ReplicaService): void {
  // Ctrl-C reaches the whole process group: what becomes of it is the coordinator's to decide.
  process.on('SIGINT', () => {});
  new Worker(new URL('./heartbeat-entry.js', import.meta.url), { name: 'heartbeat' });

  let memory: Memory | undefined;
  let request: Request | undefined;
  let body = NOTHING;
  let busy = false;
  const started = (): Memory => {
    if (!memory) throw malformed('a call before start');
    return memory;
  };

  /** Resolves when the kernel has taken all of it. */
  const send = (answer: Answer, values = NOTHING): Promise<void> =>
    new Promise((sent) => {
      socket.cork();
      const flushed = (): void => sent(); // also after an error: the socket closes then, and with it the process
      if (values.length === 0) socket.write(encodeFrame(answer, 0), flushed);
      else {
        socket.write(encodeFrame(answer, values.length));
        socket.write(values, flushed);
      }
      socket.uncork();
    });
  const fail = (call: number | null, error: PlainError): Promise<void> =>
    send({ kind: 'failed', call, error: shortened(error) });

  /** Where the body of a request is read into. */
  function placeFor(next: Request, bodyBytes: number): Uint8Array {
    switch (next.kind) {
      case 'parameters':
        return bytesOf(started().setup.parameters[next.net]);
      case 'compute':
        return bodyBytes === 0 ? NOTHING : started().pixels;
      case 'sample':
        return bodyBytes === 0 ? NOTHING : bytesOf(started().statistics);
      case 'start':
      case 'stop':
        return NOTHING;
    }
  }

  async function handle(next: Exclude<Request, { kind: 'parameters' }>): Promise<void> {
    const { call } = next;
    switch (next.kind) {
      case 'start': {
        memory = memoryFor(next.setup);
        const outcome = await service.start(memory.setup);
        return outcome.ok ? send({ kind: 'start', call, ready: outcome.ready }) : fail(call, outcome.error);
      }
      case 'compute': {
        const { step, pass, shard } = next;
        const job = { step, pass, shard, slot: 0, ...(body.length === 0 ? {} : { pixels: body }) } as const;
        const outcome = await service.compute(job);
        if (!outcome.ok) return fail(call, outcome.error);
        const { ok: _, ...answer } = outcome;
        return send({ kind: 'compute', call, ...answer }, bytesOf(started().setup.results[pass][0]));
      }
      case 'sample': {
        const { seed, count } = next;
        const statistics: SampleJob['statistics'] = body.length === 0 ? 'batch' : started().statistics;
        const outcome = await service.sample({ seed, count, statistics });
        return outcome.ok ? send({ kind: 'sample', call }, bytesOf(outcome.images)) : fail(call, outcome.error);
      }
      case 'stop':
        await service.stop();
        await send({ kind: 'stop', call });
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
      if (!request || request.kind === 'parameters') return;
      busy = true;
      handle(request).then(() => {
        busy = false;
        socket.resume();
      }, crash);
    },
  });
  // Read into place: half the time of chunks that are copied (test/bench/channel.mjs). @types/node knows `onread` of connect only.
  const onread: OnReadOpts = {
    buffer: () => decoder.space,
    callback: (count) => {
      decoder.advance(count);
      return !busy;
    },
  };
  const socket = new Socket({ fd: FRAME_FD, onread } as SocketConstructorOpts);
  socket.on('error', () => {}); // 'close' follows
  socket.on('close', () => process.exit());

  function crash(error: unknown): void {
    const plain = toReplicaError(error, memory?.setup.replica ?? -1).toPlain();
    fail(null, plain).then(() => process.exit(1));
  }
  process.on('uncaughtException', crash);
  socket.resume();
}
