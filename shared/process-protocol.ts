// The messages between the coordinator and a replica's process: headers of frames (frame.ts), checked on arrival, and the raw body of each.
// Answers come in the order of the calls. Shards and outcomes are those of protocol.ts.
import { BACKENDS } from './backend.ts';
import type { PlainError } from './error.ts';
import { FAULT_KINDS, type InjectedFault } from './fault.ts';
import { malformed } from './frame.ts';
import {
  type Check,
  flag,
  kind,
  list,
  Misfit,
  number,
  object,
  oneOf,
  optional,
  tagged,
  text,
  whole,
} from './message-check.ts';
import type { Net } from './model/layout.ts';
import type { Activation, Layer, ModelSpec } from './model/spec.ts';
import type { HostSetup, ReplicaReady, ShardOutcome, ShardRequest, StartOutcome } from './protocol.ts';
import { errorCheck, type Failure, outcomeOf, passCheck, shardOutcome } from './shard-outcome.ts';

/** File descriptors of the child: frames both ways; one byte every {@link HEARTBEAT_MS} towards the coordinator. */
export const FRAME_FD = 4;
export const HEARTBEAT_FD = 5;
export const HEARTBEAT_MS = 250;

type Call<Kind extends string> = { readonly kind: Kind; readonly call: number };

/** What a process is told at its start; it has memory of its own. */
export type ProcessSetup = Omit<HostSetup, 'parameters' | 'results' | 'imagesAt' | 'vectorsOn'>;

/** From the coordinator to a process. */
export type Request =
  | (Call<'start'> & { readonly setup: ProcessSetup })
  /** Body: the net's parameters, float32. Has no answer; holds for all calls after it. */
  | { readonly kind: 'parameters'; readonly net: Net }
  /** Body: uint8 pixels, or nothing. */
  | (Call<'compute'> & { readonly job: ShardRequest })
  /** Body: running statistics of the generator, float32, and its parameters where they are others; or nothing for statistics of the batch. */
  | (Call<'sample'> & { readonly seed: number; readonly count: number })
  | Call<'stop'>;

/** How a call ended that gives nothing but a body. */
type Outcome = { readonly ok: true } | Failure;

/** From a process to the coordinator. */
export type Answer =
  | (Call<'start'> & { readonly outcome: StartOutcome })
  /** Body: the phase vector; of errors none. */
  | (Call<'compute'> & { readonly outcome: ShardOutcome })
  /** Body: the images, float32; of errors none. */
  | (Call<'sample'> & { readonly outcome: Outcome })
  | (Call<'stop'> & { readonly outcome: Outcome })
  /** The process has crashed, and ends. */
  | { readonly kind: 'crashed'; readonly error: PlainError };

const layer = object<Layer>({
  kind: oneOf<Layer['kind']>(['convolution', 'transposedConvolution']),
  inputs: whole(1),
  outputs: whole(1),
  kernel: whole(1),
  stride: whole(1),
  padding: whole(),
  bias: flag,
  norm: flag,
  activation: tagged<Activation>('kind', [
    ['none', object({ kind: kind('none') })],
    ['relu', object({ kind: kind('relu') })],
    ['tanh', object({ kind: kind('tanh') })],
    ['leakyRelu', object({ kind: kind('leakyRelu'), slope: number })],
  ]),
});

const setup = object<ProcessSetup>({
  replica: whole(),
  backend: oneOf(BACKENDS),
  gpu: optional(whole()),
  shardSize: whole(1),
  spec: object<ModelSpec>({
    latentSize: whole(1),
    epsilon: number,
    generator: list(layer),
    discriminator: list(layer),
  }),
  seed: whole(),
  shards: whole(1),
  realLabel: optional(number),
});

const job = object<ShardRequest>({
  step: whole(),
  pass: passCheck,
  shard: whole(),
  fault: optional(
    object<InjectedFault>({ kind: oneOf(FAULT_KINDS), ms: optional(number), wholeProcess: optional(kind(true)) }),
  ),
});

const ready = object<ReplicaReady>({
  engine: text,
  libraryVersion: text,
  arithmetic: optional(whole()),
  device: optional(text),
  threadId: whole(),
  pid: whole(),
  together: optional(whole(1)),
});

const call = whole();
const bare = outcomeOf(object<{ readonly ok: true }>({ ok: kind(true) }));
const started = outcomeOf(object<Extract<StartOutcome, { readonly ok: true }>>({ ok: kind(true), ready }));

const requestCheck = tagged<Request>('kind', [
  ['start', object({ kind: kind('start'), call, setup })],
  ['parameters', object({ kind: kind('parameters'), net: oneOf<Net>(['generator', 'discriminator']) })],
  ['compute', object({ kind: kind('compute'), call, job })],
  ['sample', object({ kind: kind('sample'), call, seed: whole(), count: whole(1) })],
  ['stop', object({ kind: kind('stop'), call })],
]);

const answerCheck = tagged<Answer>('kind', [
  ['start', object({ kind: kind('start'), call, outcome: started })],
  ['compute', object({ kind: kind('compute'), call, outcome: shardOutcome })],
  ['sample', object({ kind: kind('sample'), call, outcome: bare })],
  ['stop', object({ kind: kind('stop'), call, outcome: bare })],
  ['crashed', object({ kind: kind('crashed'), error: errorCheck })],
]);

function checkHeader<T>(check: Check<T>, header: unknown): T {
  try {
    return check(header);
  } catch (error) {
    if (error instanceof Misfit) throw malformed(`its header is not a message: ${error.message}`);
    throw error;
  }
}

/** @throws GanglionError with reason `frame` */
export const toRequest = (header: unknown): Request => checkHeader(requestCheck, header);

/** @throws GanglionError with reason `frame` */
export const toAnswer = (header: unknown): Answer => checkHeader(answerCheck, header);

/** The bytes of an array, in place. */
export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
