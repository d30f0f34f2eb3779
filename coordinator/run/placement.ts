// Where the replicas of a run compute: on its devices in turn, without those that are lost.
import { type Device, type Devices, deviceOf, showDevices } from '../../shared/device.ts';
import { messageOf } from '../../shared/error.ts';

/** Starts of replicas that fail on a device, one after another, before it is given up: they take some ten seconds, with the delays between. */
export const MOST_FAILED_STARTS = 8;

/** The driver's code for memory that is full. */
const OUT_OF_MEMORY = '2';

/** What a GPU is on which a replica does not start, and that is given up, with the reason. */
export function whyGivenUp(error: unknown): string {
  const what = isLoss(error) ? 'is lost' : codeOf(error) === OUT_OF_MEMORY ? 'is full' : 'starts no replica';
  return `${what}: ${messageOf(error)}`;
}

/** The driver's code in an error. */
const codeOf = (error: unknown): string | undefined =>
  /: (?:CUDA_ERROR_\w+|unknown error) \((\d+)\)/.exec(messageOf(error))?.[1];

/**
 * Whether a replica on a GPU did not start because that is lost: the driver says so, or does not know it any more. Memory that is full, a
 * thread that cannot be made and a slow start may pass.
 */
export function isLoss(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return code !== OUT_OF_MEMORY;
  const said =
    /driver finds no GPU|driver does not start: it has not answered|expected a GPU that can be used|the GPU (has|does) not answer/;
  return said.test(messageOf(error));
}

export class Placement {
  #left: readonly Device[];
  readonly #spare: () => Device;
  /** Failed starts since one succeeded, by device. */
  readonly #failed = new Map<string, number>();

  /** @param spare what is left when all devices are lost */
  constructor(devices: Devices, spare: () => Device) {
    this.#left = devices;
    this.#spare = spare;
  }

  /** The device of a replica that starts now. */
  of(id: number): Device {
    const [first, ...others] = this.#left;
    return first === undefined ? this.spare : deviceOf([first, ...others], id);
  }

  /** What draws images now: a GPU, where one is left. */
  get drawing(): Device {
    return this.#left.find(({ backend }) => backend === 'cuda') ?? this.of(0);
  }

  /** What is left when all devices are lost. */
  get spare(): Device {
    return this.#spare();
  }

  /** Counts a start of a replica. @returns whether too many have failed on its device in a row, for whatever reason */
  countStart(device: Device, hasFailed: boolean): boolean {
    const name = showDevices([device]);
    const count = hasFailed ? (this.#failed.get(name) ?? 0) + 1 : 0;
    this.#failed.set(name, count);
    return count >= MOST_FAILED_STARTS;
  }

  /** Whether all devices are lost. */
  get areLost(): boolean {
    return this.#left.length === 0;
  }

  /** Gives a device up for good. */
  lose(lost: Device): void {
    this.#left = this.#left.filter((device) => showDevices([device]) !== showDevices([lost]));
  }

  /** What is left, for people. */
  get text(): string {
    return showDevices(this.areLost ? [this.spare] : this.#left);
  }
}
