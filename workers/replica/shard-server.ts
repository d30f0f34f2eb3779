// The replica's side of a ShardChannel. Each message wakes the coordinator, which costs a replica's time where the coordinator has no core
// of its own: outcomes travel together where it would only wait after the first of them.
import { OUTCOMES_TOGETHER } from '../../shared/flow.ts';
import { viewsOf } from '../../shared/pixels.ts';
import type { ShardBegun, ShardJob, ShardOutcome } from '../../shared/protocol.ts';
import type { ShardChannel } from '../../shared/shard-channel.ts';
import { type SerialQueue, yieldToEventLoop } from './serial-queue.ts';

/** Beside a pass that takes longer, in milliseconds, a message costs nothing, and its shard would seem late: it is answered at once. */
const SLOW_MS = 10;

/** What computes the shards of a message. */
export interface ShardComputer {
  /**
   * Begins jobs of one step and pass; never throws.
   *
   * @param onBegun told the mark of the device behind which all results are there, where there is one
   * @returns waits for their outcomes, in the order in which passes were begun
   */
  begin(jobs: readonly ShardJob[], onBegun?: (mark: number) => void): () => Promise<readonly ShardOutcome[]>;
  /** Whether images are named by their numbers: they lie where the shards are computed. */
  hasImages(): boolean;
  /** Shards that are computed at once. If more than one, passes are begun when they come, and those of a pass answered at once. */
  together(): number;
}

/**
 * Computes the shards that come over a channel, one message after another. Outcomes of one pass go by twos. Those of passes over real
 * images that end a message go with the next outcomes of another pass, or when no shard waits: such passes are computed beside another
 * phase, and no one waits for them before the fake ones.
 *
 * @param now a clock in milliseconds
 */
export function serveShards(
  { port, images, imageSize, indices, begun: begunJobs }: ShardChannel,
  computer: ShardComputer,
  queue: SerialQueue,
  now: () => number = () => performance.now(),
): void {
  const withImages = (job: ShardJob): ShardJob => {
    const own = indices[job.slot];
    if (job.pass !== 'real' || !own) return job;
    return computer.hasImages() ? { ...job, images: own } : { ...job, pixels: viewsOf(images, own, imageSize) };
  };
  let outcomes: ShardOutcome[] = [];
  /** Messages that have not been answered in full. */
  let messages = 0;
  const answer = (): void => {
    if (outcomes.length > 0) port.postMessage(outcomes);
    outcomes = [];
  };
  const answerWhenIdle = async (): Promise<void> => {
    await yieldToEventLoop();
    if (messages === 0) answer();
  };
  const computeAll = async (jobs: readonly ShardJob[]): Promise<void> => {
    if (jobs[0]?.pass === 'real') answer();
    let together = 0;
    for (const [i, job] of jobs.entries()) {
      Atomics.add(begunJobs, 0, 1);
      const startedMs = now();
      outcomes.push(...(await computer.begin([withImages(job)])()));
      const isSlow = now() - startedMs > SLOW_MS;
      together += 1;
      const next = jobs[i + 1];
      if (!isSlow && next && next.pass === job.pass && together < OUTCOMES_TOGETHER) continue;
      together = 0;
      if (isSlow || next || job.pass !== 'real') answer();
    }
    messages -= 1;
    if (outcomes.length > 0) void answerWhenIdle();
  };
  /** Answers of passes that have been begun, in their order. */
  let ended = Promise.resolve();
  /** Passes that have been asked for, and not ended. */
  let open = 0;
  const beginAll = (jobs: readonly ShardJob[]): void => {
    let begun: ShardBegun[] = [];
    const tell = (): void => {
      if (begun.length > 0) port.postMessage(begun);
      begun = [];
    };
    for (const group of toGroups(jobs, computer.together())) {
      const isAhead = group[0]?.ahead ?? false;
      open += 1;
      const finish = computer.begin(group.map(withImages), (mark) => {
        if (!isAhead) return;
        if (begun.length === 0) queueMicrotask(tell); // those of a message together
        begun.push(...group.map(({ pass, slot }) => ({ pass, slot, mark })));
      });
      ended = ended.then(async () => {
        Atomics.add(begunJobs, 0, 1);
        outcomes.push(...(await finish()));
        Atomics.add(begunJobs, 0, group.length - 1);
        open -= 1;
        // Nobody waits for what is begun over real images before the pass that comes next.
        if (open === 0 || !isAhead || group[0]?.pass !== 'real') answer();
      });
    }
  };
  port.on('message', (jobs: readonly ShardJob[]) => {
    if (computer.together() > 1) {
      beginAll(jobs);
      return;
    }
    messages += 1;
    void queue.run(() => computeAll(jobs));
  });
}

/** Jobs that are computed at once: neighbours of one step and pass, told of alike. One with a fault is computed alone. */
function toGroups(jobs: readonly ShardJob[], together: number): ShardJob[][] {
  const groups: ShardJob[][] = [];
  for (const job of jobs) {
    const group = groups.at(-1);
    const [first] = group ?? [];
    const fits = first && group && group.length < together && first.pass === job.pass && first.step === job.step;
    if (fits && !first.fault && !job.fault && first.ahead === job.ahead) group.push(job);
    else groups.push([job]);
  }
  return groups;
}
