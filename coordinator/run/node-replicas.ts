// The replicas of a node: how they are started, where, and where instead when a GPU is lost.
import { type Device, needsProcess, showDevices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import type { GroupObserver } from '../replicas/group-options.ts';
import type { Replica } from '../replicas/replica.ts';
import { ReplicaGroup } from '../replicas/replica-group.ts';
import { startProcessReplica } from '../replicas/transports/process-replica.ts';
import { MemoryPool } from '../replicas/transports/thread-memory.ts';
import { startThreadReplica } from '../replicas/transports/thread-replica.ts';
import type { DeviceState } from '../training/device-state.ts';
import { toUnusable } from '../training/load-device-state.ts';
import type { NodeOptions } from './node-options.ts';
import { isLoss, type Placement, whyGivenUp } from './placement.ts';

/** Deadline for an answer of a replica, which is lost when it passes. */
export const DEADLINE_MS = 120_000;

/** Where replicas are started. */
export interface Place {
  readonly devices: Placement;
  /** The state on the first GPU, while it lies there; all replicas compute on GPUs then. */
  state: DeviceState | undefined;
  /** Why the state goes on elsewhere, though its GPU may answer: no replica starts there. */
  left?: GanglionError;
  /** Whether all have started once: from then on a GPU may be lost. */
  hasStarted: boolean;
}

/** What every replica of a node is told, whatever it computes on. */
export function setupOf({ config, state }: Pick<NodeOptions, 'config' | 'state'>) {
  return {
    shardSize: config.batch / config.shards,
    spec: state.spec,
    seed: config.seed,
    shards: config.shards,
    realLabel: Math.fround(1 - config.labelSmoothing),
    parameters: { generator: state.generator.parameters, discriminator: state.discriminator.parameters },
  };
}

/** The replicas, which are not started yet. @param restarts of those whose places they take, by now */
export function createReplicas(
  options: NodeOptions,
  count: number,
  place: Place,
  restarts: ReadonlyMap<number, number> = new Map(),
): ReplicaGroup {
  const { config, state, dataset, faults, programs, profiled = false, emit } = options;
  const { images } = dataset;
  const setup = setupOf(options);
  const givenTo = (device: Device) => ({ setup: { ...setup, ...device }, images, deadlineMs: DEADLINE_MS });
  let pool: MemoryPool | undefined;
  const startOn = (
    device: Device,
    id: number,
    held: DeviceState | undefined,
    abandon: AbortSignal,
  ): Promise<Replica> => {
    const { setup: own, ...rest } = givenTo(device);
    const given = { ...rest, abandon };
    if (config.isolation === 'process' || needsProcess(device))
      return startProcessReplica(id, { ...given, setup: own, entry: programs.processEntry });
    pool ??= new MemoryPool(state.spec, setup.shardSize, held?.device);
    const parameters = held?.parameters ?? own.parameters;
    const { gpu } = device;
    const placed = { ...own, parameters, imagesAt: held?.imagesAt(gpu), vectorsOn: held?.device.gpu };
    return startThreadReplica(id, {
      ...{ ...given, setup: placed, entry: programs.threadEntry, pool },
      mayWriteLate: () => held?.isStuck(gpu) ?? false,
    });
  };
  const start = async (id: number, abandon: AbortSignal): Promise<Replica> => {
    const device = place.devices.of(id);
    const held = place.state; // the state may be lost, and said to be, while a replica starts
    try {
      await held?.answered(abandon); // the one before may be lost as the GPU hangs
      const replica = await startOn(device, id, held, abandon);
      place.devices.countStart(device, false);
      return replica;
    } catch (error) {
      if (abandon.aborted) throw error; // it says nothing about the device
      if (held && !place.hasStarted) throw toUnusable(error); // as without memory for its results
      if (!place.hasStarted || device.backend !== 'cuda') throw error;
      const isTooOften = place.devices.countStart(device, true);
      if (held?.isOn(device.gpu)) {
        const trains = group.status.some(({ state: its }) => its === 'idle' || its === 'busy');
        if (isTooOften && !trains) {
          place.left = new GanglionError('faults', `the GPU that holds the state ${whyGivenUp(error)}`, {
            cause: error,
          });
          group.fail(place.left);
        }
        look(held);
        throw error;
      }
      if (held) look(held); // where its device is lost, that may be why
      if (held?.lost || (!isLoss(error) && !isTooOften)) throw error;
      place.devices.lose(device);
      const text = `${showDevices([device])} ${whyGivenUp(error)}; its workers go on with ${place.devices.text}`;
      emit({ kind: 'gpuLost', text });
      return start(id, abandon);
    }
  };
  /** A replica was lost, perhaps with the GPU that holds the state: that others fail, too, need not be waited for. */
  const look = (held = place.state): void => {
    const lost = held?.look();
    if (lost) group.fail(lost);
  };
  const observer = toObserver(emit, profiled);
  const group = new ReplicaGroup({
    ...{ count, start, restarts },
    observer: {
      ...observer,
      fault(error) {
        observer.fault(error);
        queueMicrotask(() => look()); // once its shards are taken back
      },
    },
    maxRestarts: config.maxRestarts,
    maxShardLosses: config.maxShardLosses,
    audit: config.audit,
    pageAudit: config.pageAudit,
    faults: faults ? (shard, replica) => faults.take(shard, replica) : undefined,
  });
  return group;
}

/** Turns what the replicas report into events. */
function toObserver(emit: NodeOptions['emit'], profiled: boolean): GroupObserver {
  return {
    fault: (error) => emit({ kind: 'lost', error }),
    straggler: (shard, replica) => emit({ kind: 'straggler', shard, replica }),
    audit: () => emit({ kind: 'audit' }),
    restarted: (replica) => emit({ kind: 'restarted', replica }),
    left: (replica, shards, { message }) => {
      const text = `page ${replica} lends no more, after ${shards} shards that counted: ${message.replace(/^replica \d+ /, '')}`;
      emit({ kind: 'page', text });
    },
    ...(profiled
      ? { computed: (replica, shard, { seconds }) => emit({ kind: 'computed', replica, shard, seconds }) }
      : {}),
  };
}
