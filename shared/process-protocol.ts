// The messages between the coordinator and a replica's process: headers of frames (frame.ts), checked on arrival, and the raw body of each.
// Answers come in the order of the calls. Shards and outcomes are those of protocol.ts.
import { z } from 'zod';
import { BACKENDS } from './backend.ts';
import { ERROR_CODES, FAULT_REASONS, type PlainError } from './error.ts';
import { FAULT_KINDS, type InjectedFault } from './fault.ts';
import { malformed } from './frame.ts';
import type { Layer, ModelSpec } from './model/spec.ts';
import type { ReplicaReady, ReplicaSetup, ShardOutcome, ShardRequest } from './protocol.ts';

/** File descriptors of the child: frames both ways; one byte every {@link HEARTBEAT_MS} towards the coordinator. */
export const FRAME_FD = 4;
export const HEARTBEAT_FD = 5;
export const HEARTBEAT_MS = 250;

const whole = z.int().min(0);
const net = z.enum(['generator', 'discriminator']);
const pass = z.enum(['real', 'fake', 'generator']);
const seconds = z.strictObject({
  start: z.number(),
  prepare: z.number(),
  compute: z.number(),
  copy: z.number(),
  precompute: z.strictObject({ start: z.number(), seconds: z.number() }).exactOptional(),
});

const layer: z.ZodType<Layer> = z.strictObject({
  kind: z.enum(['convolution', 'transposedConvolution']),
  inputs: whole.min(1),
  outputs: whole.min(1),
  kernel: whole.min(1),
  stride: whole.min(1),
  padding: whole,
  bias: z.boolean(),
  norm: z.boolean(),
  activation: z.union([
    z.strictObject({ kind: z.enum(['none', 'relu', 'tanh']) }),
    z.strictObject({ kind: z.literal('leakyRelu'), slope: z.number() }),
  ]),
});

const spec: z.ZodType<ModelSpec> = z.strictObject({
  latentSize: whole.min(1),
  epsilon: z.number().min(0),
  generator: z.array(layer).min(1),
  discriminator: z.array(layer).min(1),
});

export type ProcessSetup = Omit<ReplicaSetup, 'parameters' | 'results'>;

const setup: z.ZodType<ProcessSetup> = z.strictObject({
  replica: whole,
  backend: z.enum(BACKENDS),
  shardSize: whole.min(1),
  spec,
  seed: whole,
  shards: whole.min(1),
});

const ready: z.ZodType<ReplicaReady> = z.strictObject({
  backend: z.string(),
  libraryVersion: z.string(),
  device: z.string().exactOptional(),
  threadId: whole,
  pid: whole,
});

const plainError: z.ZodType<PlainError> = z.strictObject({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  place: z.strictObject({
    replica: whole.exactOptional(),
    step: whole.exactOptional(),
    pass: z.string().exactOptional(),
    shard: whole.exactOptional(),
  }),
  reason: z.enum(FAULT_REASONS).exactOptional(),
  stack: z.string().exactOptional(),
});

const fault: z.ZodType<InjectedFault> = z.strictObject({ kind: z.enum(FAULT_KINDS), ms: z.number().exactOptional() });

const job: z.ZodType<ShardRequest> = z.strictObject({
  step: whole,
  pass,
  shard: whole,
  fault: fault.exactOptional(),
});

const failed = z.strictObject({ ok: z.literal(false), error: plainError });
/** How a call ended: with `given`, or with an error. */
const outcomeOf = <Given extends z.core.$ZodLooseShape>(given: Given) =>
  z.discriminatedUnion('ok', [z.strictObject({ ok: z.literal(true), ...given }), failed]);

const shardOutcome: z.ZodType<ShardOutcome> = outcomeOf({ step: whole, pass, shard: whole, seconds, tensors: whole });

const requestSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('start'), call: whole, setup }),
  /** Body: the net's parameters, float32. Has no answer; holds for all calls after it. */
  z.strictObject({ kind: z.literal('parameters'), net }),
  /** Body: uint8 pixels, or nothing. */
  z.strictObject({ kind: z.literal('compute'), call: whole, job }),
  /** Body: running statistics of the generator, float32, or nothing for those of the batch. */
  z.strictObject({ kind: z.literal('sample'), call: whole, seed: whole, count: whole.min(1) }),
  z.strictObject({ kind: z.literal('stop'), call: whole }),
]);

const answerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('start'), call: whole, outcome: outcomeOf({ ready }) }),
  /** Body: the phase vector; of errors none. */
  z.strictObject({ kind: z.literal('compute'), call: whole, outcome: shardOutcome }),
  /** Body: the images, float32; of errors none. */
  z.strictObject({ kind: z.literal('sample'), call: whole, outcome: outcomeOf({}) }),
  z.strictObject({ kind: z.literal('stop'), call: whole, outcome: outcomeOf({}) }),
  /** The process has crashed, and ends. */
  z.strictObject({ kind: z.literal('crashed'), error: plainError }),
]);

export type Request = z.infer<typeof requestSchema>;
export type Answer = z.infer<typeof answerSchema>;

function check<T>(schema: z.ZodType<T>, header: unknown): T {
  const parsed = schema.safeParse(header);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`its header is not a message: ${issue?.path.join('.') || 'kind'}: ${issue?.message}`);
}

/** @throws GanglionError with reason `frame` */
export const toRequest = (header: unknown): Request => check(requestSchema, header);

/** @throws GanglionError with reason `frame` */
export const toAnswer = (header: unknown): Answer => check(answerSchema, header);

/** The bytes of an array, in place. */
export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
