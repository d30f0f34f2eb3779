// `train --profile FILE`: what every replica and the coordinator do in some steps, as a Chrome trace (chrome://tracing, Perfetto).
// All times are on one clock, performance.timeOrigin + performance.now(), which threads and processes of a machine agree on to 0.01 ms.
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { PassSeconds } from '../../shared/protocol.ts';
import type { Shard } from '../replicas/replica.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';
import type { CoordinatorPart } from '../training/span.ts';
import { COORDINATOR_LANE, FIRST_REPLICA_LANE, type NodeTrace, type Span, STEPS_LANE, writeTrace } from './trace.ts';

export interface ProfileOptions {
  /** File that this node writes; null: another writes what this one has recorded. */
  readonly path: string | null;
  /** The step after which recording begins, counted as `StepRecord.step`. */
  readonly after: number;
  /** Steps recorded. */
  readonly steps: number;
}

/** Milliseconds since 1970, far finer than Date.now(). */
const nowMs = (): number => performance.timeOrigin + performance.now();

/** Records steps `after + 1` to `after + steps`, then writes the file; outside of them it does nothing. */
export class Profile implements RunSink {
  readonly #options: ProfileOptions;
  /** Records, as functions that make their spans at the end: a profile should cost the steps that it shows little. */
  readonly #recorded: (() => Span[])[] = [];
  #state: 'before' | 'recording' | 'written' = 'before';
  #startedMs = 0;
  #spans: readonly Span[] = [];
  /** Where the step under way began, in microseconds, and what the event loop had done by then. */
  #stepFrom = 0;
  #loop: EventLoopUtilization | undefined;

  constructor(options: ProfileOptions) {
    this.#options = options;
  }

  /** Puts an empty trace in place. @throws GanglionError `environment` when the file cannot be written */
  open(): void {
    if (this.#options.path !== null) writeTrace(this.#options.path, []);
    if (this.#options.after === 0) this.#begin();
  }

  observe(event: RunEvent): void {
    switch (event.kind) {
      case 'computed':
        this.#computed(event.replica, event.shard, event.seconds);
        break;
      case 'span':
        this.#span(event.part, event.fromMs, event.toMs);
        break;
      case 'step':
        this.#span('commit', event.fromMs, performance.now());
        this.#committed(event.record.step);
        break;
      case 'ended':
        this.#close();
        break;
    }
  }

  /** Records that a replica has computed a pass of a shard. */
  #computed(replica: number, shard: Shard, seconds: PassSeconds): void {
    if (this.#state === 'recording') this.#recorded.push(() => this.#passSpans(replica, shard, seconds));
  }

  /** Records a part of a step of the coordinator; times of its `performance.now()`. */
  #span(part: CoordinatorPart, fromMs: number, toMs: number): void {
    if (this.#state !== 'recording') return;
    const at = (ms: number): number => this.#at(performance.timeOrigin + ms);
    this.#recorded.push(() => [{ name: part, lane: COORDINATOR_LANE, from: at(fromMs), to: at(toMs) }]);
  }

  /** A step has been committed. @throws GanglionError `environment` when the file cannot be written */
  #committed(step: number): void {
    const { after, steps } = this.#options;
    if (this.#state === 'before' && step >= after) {
      this.#begin();
      return;
    }
    if (this.#state !== 'recording') return;
    const to = this.#at(nowMs());
    // What the coordinator's thread computed and what it waited, which no span can tell: messages have none.
    const loop = performance.eventLoopUtilization();
    const { active, idle } = performance.eventLoopUtilization(loop, this.#loop);
    this.#loop = loop;
    const args = { active: Math.round(active * 1000), idle: Math.round(idle * 1000) };
    const from = this.#stepFrom;
    this.#recorded.push(() => [{ name: `step ${step}`, lane: STEPS_LANE, from, to, args }]);
    this.#stepFrom = to;
    if (step >= after + steps) this.#close();
  }

  /** What was recorded; nothing is after it. @throws GanglionError `environment` when the file cannot be written */
  take(): Pick<NodeTrace, 'startedMs' | 'spans'> {
    this.#close();
    this.#state = 'written';
    return { startedMs: this.#startedMs, spans: this.#spans };
  }

  /** Writes the records once. @throws GanglionError `environment` */
  #close(): void {
    if (this.#state !== 'recording') return;
    this.#state = 'written';
    this.#spans = this.#recorded.flatMap((spans) => spans());
    const { path } = this.#options;
    if (path !== null) writeTrace(path, [{ ...this.take(), node: null, host: '' }]);
  }

  #passSpans(
    replica: number,
    { step, pass, shard }: Shard,
    { start, prepare, compute, copy, precompute }: PassSeconds,
  ): Span[] {
    const lane = FIRST_REPLICA_LANE + replica;
    const args = { step, shard };
    const after = (passed: number): number => this.#at((start + passed) * 1000);
    const from = after(0);
    const prepared = after(prepare);
    const computed = after(prepare + compute);
    const to = after(prepare + compute + copy);
    const spans: Span[] = [
      { name: pass, lane, from, to, args },
      { name: 'prepare', lane, from, to: prepared },
      { name: 'compute', lane, from: prepared, to: computed },
      { name: 'copy', lane, from: computed, to },
    ];
    if (!precompute) return spans;
    const [began, ended] = [
      this.#at(precompute.start * 1000),
      this.#at((precompute.start + precompute.seconds) * 1000),
    ];
    return [...spans, { name: 'precompute', lane, from: began, to: ended, args }];
  }

  #begin(): void {
    this.#state = 'recording';
    this.#startedMs = nowMs();
    this.#loop = performance.eventLoopUtilization();
  }

  /** Rounded here, once, so that a part that ends where another begins still does, and parts stay within their whole. */
  #at(ms: number): number {
    return Math.round((ms - this.#startedMs) * 1000);
  }
}
