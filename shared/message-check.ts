// Checks of messages between threads and processes. Not by zod: loading it takes a process 70 ms, a fifth of a replica's start, and a
// shard's outcome is checked a hundred times as fast here.

/**
 * Takes a part of a message if it is what it must be.
 *
 * @throws Misfit
 */
export type Check<T> = (part: unknown) => T;

/** A part of a message is not what it must be. Its message names the part: `setup.spec.latentSize: expected a whole number from 1`. */
export class Misfit extends Error {
  readonly #expected: string;
  #path = '';

  constructor(expected: string) {
    super();
    this.#expected = expected;
  }

  /** Says in which field the part stands. The path is put together on the way out, so that what fits costs nothing for it. */
  within(name: string | number): this {
    this.#path = this.#path ? `${name}.${this.#path}` : String(name);
    return this;
  }

  override get message(): string {
    return `${this.#path || 'message'}: expected ${this.#expected}`;
  }
}

/** Checks a part that stands in a field. */
function checkField<T>(check: Check<T>, part: unknown, name: string | number): T {
  try {
    return check(part);
  } catch (error) {
    throw error instanceof Misfit ? error.within(name) : error;
  }
}

/** A whole number. @param least smallest value */
export function whole(least = 0): Check<number> {
  return (part) => {
    if (typeof part === 'number' && Number.isSafeInteger(part) && part >= least) return part;
    throw new Misfit(`a whole number from ${least}`);
  };
}

/** A finite number. */
export const number: Check<number> = (part) => {
  if (typeof part === 'number' && Number.isFinite(part)) return part;
  throw new Misfit('a number');
};

export const text: Check<string> = (part) => {
  if (typeof part === 'string') return part;
  throw new Misfit('a text');
};

export const flag: Check<boolean> = (part) => {
  if (typeof part === 'boolean') return part;
  throw new Misfit('true or false');
};

/** One of these values. */
export function oneOf<T extends string | boolean>(values: readonly T[]): Check<T> {
  return (part) => {
    const found = values.find((value) => value === part);
    if (found !== undefined) return found;
    throw new Misfit(values.join(', '));
  };
}

/** This value. */
export const kind = <T extends string | boolean>(value: T): Check<T> => oneOf([value]);

/** What may also be absent. */
export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (part) => (part === undefined ? undefined : check(part));
}

/** A list of at least one item. */
export function list<T>(item: Check<T>): Check<readonly T[]> {
  return (part) => {
    if (!Array.isArray(part) || part.length === 0) throw new Misfit('a list of at least one');
    for (const [i, each] of part.entries()) checkField(item, each, i);
    return part;
  };
}

/** An object's own fields. */
type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(part: unknown): Fields {
  if (typeof part === 'object' && part !== null && !Array.isArray(part)) return part as Fields;
  throw new Misfit('an object');
}

/** A check of every field. */
export type FieldChecks<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/** An object of these fields and no others. */
export function object<T extends object>(fields: FieldChecks<T>): Check<T> {
  const checks = Object.entries<Check<unknown>>(fields);
  return (part) => {
    const given = fieldsOf(part);
    for (const name in given) {
      if (!Object.hasOwn(fields, name)) throw new Misfit('no such field').within(name);
    }
    for (const [name, check] of checks) checkField(check, given[name], name);
    return part as T;
  };
}

/** One of several objects, told apart by the value of one field. */
export function tagged<T extends object>(
  tag: string,
  variants: readonly (readonly [value: string | boolean, check: Check<T>])[],
): Check<T> {
  const checks = new Map<unknown, Check<T>>(variants);
  return (part) => {
    const check = checks.get(fieldsOf(part)[tag]);
    if (check) return check(part);
    throw new Misfit([...checks.keys()].join(', ')).within(tag);
  };
}
