// The replica's side of a ShardChannel. Each message wakes the coordinator, which costs a replica's time where the coordinator has no core
// of its own: outcomes travel together where it would only wait after the first of them.
import { OUTCOMES_TOGETHER } from '../../shared/flow.ts';
import { viewsOf } from '../../shared/pixels.ts';
import type { ShardChannel, ShardJob, ShardOutcome } from '../../shared/protocol.ts';
import { type SerialQueue, yieldToEventLoop } from './serial-queue.ts';

/** Beside a pass that takes longer, in milliseconds, a message costs nothing, and its shard would seem late: it is answered at once. */
const SLOW_MS = 10;

/**
 * Computes the shards that come over a channel, one message after another. Outcomes of one pass go by twos. Those of passes over real
 * images that end a message go with the next outcomes of another pass, or when no shard waits: such passes are computed beside another
 * phase, and no one waits for them before the fake ones.
 *
 * @param compute never rejects
 * @param now a clock in milliseconds
 */
export function serveShards(
  { port, images, imageSize, indices, begun }: ShardChannel,
  compute: (job: ShardJob) => Promise<ShardOutcome>,
  queue: SerialQueue,
  now: () => number = () => performance.now(),
): void {
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
      Atomics.add(begun, 0, 1);
      const own = indices[job.slot];
      const startedMs = now();
      outcomes.push(
        await compute(job.pass === 'real' && own ? { ...job, pixels: viewsOf(images, own, imageSize) } : job),
      );
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
  port.on('message', (jobs: readonly ShardJob[]) => {
    messages += 1;
    void queue.run(() => computeAll(jobs));
  });
}
