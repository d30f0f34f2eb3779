// Checks of messages between threads and processes. Not by zod: loading it takes a process 70 ms, a fifth of a replica's start, and a
// shard's outcome is checked a hundred times as fast here.

/**
 * Takes a part of a message if it is what it must be.
 *
 * @param path where the part stands: `setup.spec.latentSize`
 * @throws Misfit
 */
export type Check<T> = (part: unknown, path: string) => T;

/** A part of a message is not what it must be; the message of the error names its path. */
export class Misfit extends Error {}

function misfit(path: string, expected: string): Misfit {
  return new Misfit(`${path || 'message'}: expected ${expected}`);
}

/** A whole number. @param least smallest value */
export function whole(least = 0): Check<number> {
  return (part, path) => {
    if (typeof part === 'number' && Number.isSafeInteger(part) && part >= least) return part;
    throw misfit(path, `a whole number from ${least}`);
  };
}

/** A finite number. */
export const number: Check<number> = (part, path) => {
  if (typeof part === 'number' && Number.isFinite(part)) return part;
  throw misfit(path, 'a number');
};

export const text: Check<string> = (part, path) => {
  if (typeof part === 'string') return part;
  throw misfit(path, 'a text');
};

export const flag: Check<boolean> = (part, path) => {
  if (typeof part === 'boolean') return part;
  throw misfit(path, 'true or false');
};

/** One of these values. */
export function oneOf<T extends string | boolean>(values: readonly T[]): Check<T> {
  return (part, path) => {
    const found = values.find((value) => value === part);
    if (found !== undefined) return found;
    throw misfit(path, values.join(', '));
  };
}

/** This value. */
export const kind = <T extends string | boolean>(value: T): Check<T> => oneOf([value]);

/** What may also be absent. */
export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (part, path) => (part === undefined ? undefined : check(part, path));
}

/** A list of at least one item. */
export function list<T>(item: Check<T>): Check<readonly T[]> {
  return (part, path) => {
    if (!Array.isArray(part) || part.length === 0) throw misfit(path, 'a list of at least one');
    part.forEach((each, i) => {
      item(each, `${path}.${i}`);
    });
    return part;
  };
}

/** An object's own fields. */
type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(part: unknown, path: string): Fields {
  if (typeof part === 'object' && part !== null && !Array.isArray(part)) return part as Fields;
  throw misfit(path, 'an object');
}

const inside = (path: string, name: string): string => (path ? `${path}.${name}` : name);

/** A check of every field. */
export type FieldChecks<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/** An object of these fields and no others. */
export function object<T extends object>(fields: FieldChecks<T>): Check<T> {
  const checks = Object.entries<Check<unknown>>(fields);
  return (part, path) => {
    const given = fieldsOf(part, path);
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(fields, name)) throw misfit(inside(path, name), 'no such field');
    }
    for (const [name, check] of checks) check(given[name], inside(path, name));
    return part as T;
  };
}

/** One of several objects, told apart by the value of one field. */
export function tagged<T extends object>(
  tag: string,
  variants: readonly (readonly [value: string | boolean, check: Check<T>])[],
): Check<T> {
  const checks = new Map<unknown, Check<T>>(variants);
  return (part, path) => {
    const check = checks.get(fieldsOf(part, path)[tag]);
    if (check) return check(part, path);
    throw misfit(inside(path, tag), [...checks.keys()].join(', '));
  };
}
