// What stands in a report.
import type { LiveEvaluation, LiveHistory, LiveRunInfo } from '../../shared/live-protocol.ts';
import type { StoredCheckpoint } from './stored-checkpoints.ts';

/** A grid of samples after a step, as a PNG file. */
export interface Picture {
  readonly step: number;
  readonly base64: string;
}

export interface ReportData {
  readonly run: LiveRunInfo;
  readonly history: LiveHistory;
  /** The newest, in order of steps. */
  readonly evaluations: readonly LiveEvaluation[];
  readonly pictures: {
    readonly newest: Picture | null;
    /** Digits of the data, as a PNG file in base64. */
    readonly real: string | null;
    /** Earlier ones, evenly spread. */
    readonly course: readonly Picture[];
    /** A GIF file in base64; null where there is none, or it is too large. */
    readonly animation: string | null;
    readonly hasAnimation: boolean;
  };
  /** Newest first. */
  readonly checkpoints: readonly StoredCheckpoint[];
  /** Older ones, which are not listed. */
  readonly more: number;
  readonly version: string;
  /** When the report is written, in milliseconds since 1970. */
  readonly time: number;
}
