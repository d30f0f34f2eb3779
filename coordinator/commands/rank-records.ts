// What ranks tell `ganglion launch`, in standard output, which mpirun brings from every machine: a record is RS, JSON, a line feed (RFC 7464).
// mpirun's own exit code says nothing: it is 0 when a machine is lost.
import { z } from 'zod';
import { printRecord } from '../../shared/print.ts';
import { LAUNCH, rankOf } from '../machine/rank.ts';

const RankRecord = z.discriminatedUnion('kind', [
  /** The run in that folder begins, or goes on. */
  z.object({ kind: z.literal('begun'), run: z.string().max(4096) }),
  /** A signal to a rank has stopped the training. */
  z.object({ kind: z.literal('stopped') }),
  /** The program of that rank has come to its end; a rank that was killed tells nothing. */
  z.object({ kind: z.literal('ended'), rank: z.int().min(0), exitCode: z.int().min(0).max(255) }),
]);
export type RankRecord = z.infer<typeof RankRecord>;

/** Tells `launch`, where that has started this process. */
export function tellLaunch(record: RankRecord, env: NodeJS.ProcessEnv = process.env): void {
  if (env[LAUNCH] !== undefined) printRecord(process.stdout, record);
}

/**
 * Tells `launch` how this process ends. To mpirun it then ends well, whatever its exit code: of another mpirun would end the rest of the
 * job at once, and print some lines about it. A crash stays one.
 */
export function tellEnd(): void {
  if (process.env[LAUNCH] === undefined) return;
  let hasCrashed = false;
  process.on('uncaughtExceptionMonitor', () => {
    hasCrashed = true;
  });
  // First of all: what comes later may end the process at once.
  process.prependListener('exit', (exitCode) => {
    tellLaunch({ kind: 'ended', rank: rankOf() ?? 0, exitCode });
    if (!hasCrashed) process.exitCode = 0;
  });
}

const START = 0x1e;
const END = 0x0a;
/** A longer one is none. */
const MOST_BYTES = 8192;

/** Takes the records out of an output. */
export class RecordReader {
  readonly #onRecord: (record: RankRecord) => void;
  /** What may be the beginning of a record. */
  #held = Buffer.alloc(0);

  constructor(onRecord: (record: RankRecord) => void) {
    this.#onRecord = onRecord;
  }

  /** @returns what is no record */
  push(bytes: Buffer): Buffer {
    const text: Buffer[] = [];
    let rest = Buffer.concat([this.#held, bytes]);
    for (;;) {
      const start = rest.indexOf(START);
      if (start === -1) break;
      const end = rest.indexOf(END, start);
      if (end === -1 && rest.length - start <= MOST_BYTES) {
        this.#held = rest.subarray(start);
        return Buffer.concat([...text, rest.subarray(0, start)]);
      }
      text.push(rest.subarray(0, start));
      const record = end === -1 ? undefined : parseRecord(rest.toString('utf8', start + 1, end));
      if (record) this.#onRecord(record);
      else text.push(rest.subarray(start + 1, end === -1 ? undefined : end + 1));
      rest = end === -1 ? Buffer.alloc(0) : rest.subarray(end + 1);
    }
    this.#held = Buffer.alloc(0);
    return Buffer.concat([...text, rest]);
  }
}

function parseRecord(text: string): RankRecord | undefined {
  try {
    return RankRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
