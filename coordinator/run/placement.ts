// Where the replicas of a run compute: on its devices in turn, without those that are lost.
import { type Device, type Devices, deviceOf, showDevices } from '../../shared/device.ts';

export class Placement {
  #left: readonly Device[];
  readonly #spare: () => Device;

  /** @param spare what is left when all devices are lost */
  constructor(devices: Devices, spare: () => Device) {
    this.#left = devices;
    this.#spare = spare;
  }

  /** The device of a replica that starts now. */
  of(id: number): Device {
    const [first, ...others] = this.#left;
    return first === undefined ? this.#spare() : deviceOf([first, ...others], id);
  }

  /** Gives a device up for good. */
  lose(lost: Device): void {
    this.#left = this.#left.filter((device) => showDevices([device]) !== showDevices([lost]));
  }

  /** What is left, for people. */
  get text(): string {
    return showDevices(this.#left.length > 0 ? this.#left : [this.#spare()]);
  }
}
