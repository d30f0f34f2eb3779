// Vectors in the memory of a GPU, for all threads of this process: results, parameters and state that never come to the host.
import type { Net } from './model/layout.ts';
import type { AdamFactors } from './update.ts';

/** Where a vector of float32 lies; what one thread tells another. */
export interface DevicePlace {
  /** In bytes; below 2^53. */
  readonly address: number;
  /** Numbers. */
  readonly length: number;
}

/** Numbers in the memory of the host, or of a device. */
export type Numbers = Float32Array | DevicePlace;

export function isOnHost(numbers: Numbers): numbers is Float32Array {
  return numbers instanceof Float32Array;
}

/** A part of a sum that moves running statistics. */
export interface Tracked {
  readonly running: DevicePlace;
  /** Of the part in the sum. */
  readonly offset: number;
}

/** What an update has done; the host asks for it later. */
export interface UpdateReport {
  /** L2 norm of the mean gradient. */
  readonly norm: number;
  readonly numbers: Float64Array;
  /** Whether nothing was changed, by this and all later updates: a vector that was added has a value that the exact sum cannot take. */
  readonly halted: boolean;
}

/** What a replica's stream waits for before it reads parameters, and the versions that they have then. */
export interface AfterUpdate {
  /** A mark of a stream, as threads tell each other. */
  readonly mark: number;
  readonly versions: Readonly<Record<Net, number>>;
}

/** Copies of vectors that come to the host while the device goes on, one at a time. */
export interface DeviceCopies {
  /** Begins a copy of what the vectors are once everything asked for has been done. */
  begin(): void;
  /**
   * The copy that has been begun.
   *
   * @param waits whether to wait for it
   * @returns undefined while it is under way; valid until the second copy from now is begun
   */
  take(waits: boolean): readonly Float32Array[] | undefined;
}

/** A GPU as the coordinator uses it. All calls throw an Error that names the driver's function. */
export interface UpdateDevice {
  /** Its number, as the driver counts. */
  readonly gpu: number;
  /** @returns a vector of zeros, which lives as long as the process */
  allocate(length: number): DevicePlace;
  /**
   * Copies images to the device, where replicas take them by their numbers.
   *
   * @returns their address; undefined where they would take too much of its memory
   */
  hold(images: Uint8Array): number | undefined;
  write(to: DevicePlace, from: Float32Array): void;
  /**
   * Asks for a sign that the device does what it has been asked for, by any thread.
   *
   * @returns whether it has done that; waits for nothing, and throws when it has not in time
   */
  ask(): () => boolean;
  /** Whether it has not answered in time, to any thread: what was asked of it may still be done, at any time. */
  isStuck(): boolean;
  /** Copies vectors, once everything asked for has been done. */
  read(from: readonly DevicePlace[]): Float32Array[];
  createCopies(of: readonly DevicePlace[]): DeviceCopies;
  copy(to: DevicePlace, from: DevicePlace): void;
  /** average = keep average + take values; both as long as each other */
  moveAverage(average: DevicePlace, values: DevicePlace, keep: number, take: number): void;
  /** @returns a mark behind everything asked for, which others may wait for until many more have been set */
  mark(): number;
  /** What is asked for from now on waits for what a thread has set a mark behind. */
  waitFor(mark: number): void;
  /** Updates change something again, after one that has not. */
  resume(): void;
  /**
   * @param length of the vectors that are added
   * @param limit magnitude that no value of theirs may reach
   */
  createUpdate(length: number, limit: number): DeviceUpdate;
}

/** Sum, Adam and running statistics of one net, with the bits of the host's (shared/update.ts, coordinator/training/state.ts). */
export interface DeviceUpdate {
  /** As many vectors as one pass over memory adds, at most. */
  addRounded(values: readonly DevicePlace[], isFirst: boolean): void;
  /** Where one of the vectors cannot be added, nothing is changed, also by later updates, until the device {@link UpdateDevice.resume}s. */
  applyAdam(
    factors: AdamFactors,
    net: { readonly parameters: DevicePlace; readonly m: DevicePlace; readonly v: DevicePlace },
    values: readonly DevicePlace[],
    isFirst: boolean,
  ): void;
  /** running = (1 - momentum) running + momentum * scale * sum */
  track(tracked: Tracked, momentum: number, scale: number): void;
  /**
   * What was done; one report at a time.
   *
   * @param offset of the numbers of the sum that are wanted, behind those of the parameters
   * @param count at most 8
   * @returns looks whether it is there; throws when the device has not done it in time
   */
  report(offset: number, count: number): () => UpdateReport | undefined;
}
