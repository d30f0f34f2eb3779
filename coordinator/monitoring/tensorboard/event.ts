// The events of TensorBoard that a run leaves, as protobuf. Messages: tensorflow/core/util/event.proto (Event, SessionLog) and
// tensorflow/core/framework/summary.proto (Summary), whose field numbers stand here.
import { ProtobufWriter } from './protobuf.ts';

/** Files of this version and later have purges by step: see {@link startEvent}. */
const FILE_VERSION = 'brain.Event:2';
const SESSION_START = 1;
const GREYSCALE = 1;

/** A picture as a PNG file. */
export interface EventImage {
  readonly width: number;
  readonly height: number;
  readonly png: Uint8Array;
}

/** @param timeMs since 1970 */
function event(timeMs: number, step: number): ProtobufWriter {
  return new ProtobufWriter().double(1, timeMs / 1000).integer(2, step);
}

/** The first event of every file. */
export function versionEvent(timeMs: number): Uint8Array {
  return new ProtobufWriter()
    .double(1, timeMs / 1000)
    .string(3, FILE_VERSION)
    .finish();
}

/** Says that steps from this one on are done (again): TensorBoard forgets what earlier files have of them. */
export function startEvent(timeMs: number, step: number): Uint8Array {
  return event(timeMs, step).message(7, new ProtobufWriter().integer(1, SESSION_START)).finish();
}

/** Values of a step, as float32, each under its tag. */
export function scalarsEvent(
  timeMs: number,
  step: number,
  tags: readonly string[],
  values: readonly number[],
): Uint8Array {
  const summary = new ProtobufWriter();
  for (const [i, tag] of tags.entries()) {
    summary.message(1, new ProtobufWriter().string(1, tag).float(2, values[i] ?? Number.NaN));
  }
  return event(timeMs, step).message(5, summary).finish();
}

export function imageEvent(timeMs: number, step: number, tag: string, { width, height, png }: EventImage): Uint8Array {
  const image = new ProtobufWriter().integer(1, height).integer(2, width).integer(3, GREYSCALE).bytes(4, png);
  const value = new ProtobufWriter().string(1, tag).message(4, image);
  return event(timeMs, step).message(5, new ProtobufWriter().message(1, value)).finish();
}
