// The page's side of the frames: a replica that computes shards in this thread, and knows no socket. Frames are taken one after another:
// what arrives meanwhile waits, so that nothing is read over what a shard is computed with.
import { ARITHMETIC } from '../../shared/arithmetic.ts';
import { encodeFrame, FrameDecoder, malformed } from '../../shared/frame.ts';
import { layoutOf, type Net, type Pass, phaseOf } from '../../shared/model/layout.ts';
import { phaseVectorOf } from '../../shared/model/phase-vector.ts';
import { imageSizeOf } from '../../shared/model/spec.ts';
import { type Answer, bytesOf, type ProcessSetup, type Request, toRequest } from '../../shared/process-protocol.ts';
import type { HostSetup, ShardOutcome, ShardRequest } from '../../shared/protocol.ts';
import { runnerOf } from '../../workers/engines/kernels/runner-of.ts';
import { ProgramEngine } from '../../workers/engines/program-engine.ts';
import { WasmBinding } from '../../workers/engines/wasm/binding.ts';
import type { WasmKernels } from '../../workers/engines/wasm/kernels.ts';
import { Replica, toReplicaError } from '../../workers/replica/replica.ts';

export interface LentReplicaOptions {
  /** Kernels in WebAssembly that round a multiply-add once. */
  readonly kernels: WasmKernels;
  /** Sends a frame. */
  readonly send: (frame: Uint8Array<ArrayBuffer>) => void;
  /** The programs have run once: shards of so many images may come. */
  readonly onReady?: (shardSize: number) => void;
  /** A shard has been computed. */
  readonly onShard?: () => void;
}

const NOTHING: Uint8Array = new Uint8Array();
/** The kernels come from the coordinator's own installation. */
const VERSION = 'page';

/** What the replica computes with. */
interface Memory {
  readonly setup: HostSetup;
  readonly pixels: Uint8Array;
  readonly replica: Replica;
}

/** Memory for parameters, and for the one result that is under way. */
function withMemory(setup: ProcessSetup): HostSetup {
  const { spec } = setup;
  const parameters = (net: Net): Float32Array => new Float32Array(layoutOf(net, spec).parameterCount);
  const result = (pass: Pass): [Float32Array] => [new Float32Array(phaseVectorOf(phaseOf(pass), spec).length)];
  return {
    ...setup,
    parameters: { generator: parameters('generator'), discriminator: parameters('discriminator') },
    results: { real: result('real'), fake: result('fake'), generator: result('generator') },
  };
}

export class LentReplica {
  readonly #options: LentReplicaOptions;
  readonly #decoder: FrameDecoder;
  #last: Promise<void> = Promise.resolve();
  #memory: Memory | undefined;
  #request: Request | undefined;
  #body = NOTHING;

  constructor(options: LentReplicaOptions) {
    this.#options = options;
    this.#decoder = new FrameDecoder({
      open: (header, bodyBytes) => {
        this.#request = toRequest(header);
        this.#body = this.#placeFor(this.#request, bodyBytes);
        return this.#body;
      },
      complete() {},
    });
  }

  /** Takes a frame of the coordinator. Rejects where it is none, or the replica does not start; no frame is taken after that. */
  take(frame: Uint8Array): Promise<void> {
    this.#last = this.#last.then(async () => {
      this.#decoder.push(frame);
      if (this.#request && this.#decoder.atBoundary) await this.#handle(this.#request);
    });
    return this.#last;
  }

  get #started(): Memory {
    if (!this.#memory) throw malformed('a call before start');
    return this.#memory;
  }

  #placeFor(next: Request, bodyBytes: number): Uint8Array {
    if (next.kind === 'parameters') return bytesOf(this.#started.setup.parameters[next.net]);
    return next.kind === 'compute' && bodyBytes > 0 ? this.#started.pixels : NOTHING;
  }

  async #handle(next: Request): Promise<void> {
    const { onReady, onShard } = this.#options;
    switch (next.kind) {
      case 'parameters':
        return;
      case 'start': {
        const setup = withMemory(next.setup);
        const pixels = new Uint8Array(setup.shardSize * imageSizeOf(setup.spec));
        this.#memory = { setup, pixels, replica: await this.#start(setup) };
        const ready = { engine: 'kernels-wasm', libraryVersion: VERSION, arithmetic: ARITHMETIC, threadId: 0, pid: 0 };
        this.#answer({ kind: 'start', call: next.call, outcome: { ok: true, ready } });
        onReady?.(setup.shardSize);
        return;
      }
      case 'compute': {
        const outcome = await this.#compute(next.job);
        const [values] = this.#started.setup.results[next.job.pass];
        this.#answer({ kind: 'compute', call: next.call, outcome }, outcome.ok && values ? bytesOf(values) : NOTHING);
        onShard?.();
        return;
      }
      default:
        throw malformed(`a page does not ${next.kind}`);
    }
  }

  #start(setup: HostSetup): Promise<Replica> {
    const runner = runnerOf(new WasmBinding(this.#options.kernels));
    return Replica.start(new ProgramEngine({ ...runner, libraryVersion: VERSION }), setup);
  }

  async #compute(job: ShardRequest): Promise<ShardOutcome> {
    const { setup, replica } = this.#started;
    const { step, pass, shard } = job;
    try {
      const pixels = this.#body.length === 0 ? {} : { pixels: [this.#body] };
      const seconds = await replica.compute({ step, pass, shard, slot: 0, ...pixels });
      return { ok: true, step, pass, shard, seconds, tensors: 0 };
    } catch (error) {
      const { stack: _, ...plain } = toReplicaError(error, setup.replica).toPlain();
      return { ok: false, error: plain };
    }
  }

  #answer(answer: Answer, values = NOTHING): void {
    const header = encodeFrame(answer, values.length);
    const frame = new Uint8Array(header.length + values.length);
    frame.set(header);
    frame.set(values, header.length);
    this.#options.send(frame);
  }
}
