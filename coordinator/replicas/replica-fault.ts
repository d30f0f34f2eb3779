// A failure as an error that names replica, step, pass and shard.
import { GanglionError, messageOf } from '../../shared/error.ts';
import { describeShard } from '../../shared/protocol.ts';
import type { Shard } from './replica.ts';

/** Adds the place to a failure: a replica that is gone cannot name the shard it was computing. */
export function toFault(error: unknown, replica: number, shard?: Shard): GanglionError {
  if (error instanceof GanglionError && (!shard || error.place.shard !== undefined)) return error;
  const { code, reason } =
    error instanceof GanglionError ? error : { code: 'replica' as const, reason: 'error' as const };
  const where = shard ? ` on ${describeShard(shard)}` : '';
  const place = shard ? { replica, step: shard.step, pass: shard.pass, shard: shard.shard } : { replica };
  const why = messageOf(error).replace(new RegExp(`^replica ${replica} `), ''); // named already
  return new GanglionError(code, `replica ${replica} failed${where}: ${why}`, { cause: error, place, reason });
}
