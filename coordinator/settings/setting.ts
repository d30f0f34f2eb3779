// A row of the table of settings.
import type { z } from 'zod';

export interface Setting<Schema extends z.ZodType> {
  /** Word for the value in --help. */
  readonly value: string;
  readonly expected: string;
  readonly schema: Schema;
  readonly default: z.input<Schema>;
  readonly description: string;
  /** Part of the model, the data or the optimiser: a run keeps it for life. */
  readonly immutable?: true;
  /** Neither stored nor shown. */
  readonly secret?: true;
  /** The flag alone means `on`. */
  readonly isSwitch?: true;
}

/** Checks that the default is one that the schema accepts. */
export const setting = <Schema extends z.ZodType>(one: Setting<Schema>): Setting<Schema> => one;
