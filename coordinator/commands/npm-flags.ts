// npm 11 takes flags away from `npm run train:distributed --workers 4`: argv becomes ['4'] and npm_config_workers 'true';
// `--workers=4` becomes npm_config_workers '4' and no argv. This puts them back.
import { GanglionError } from '../../shared/error.ts';

export interface NpmFlag {
  /** `--checkpoint-every`. */
  readonly flag: string;
  /** Whether the flag takes a value; `optional` may stand alone. */
  readonly takesValue: boolean | 'optional';
}

/** A command that npm's scripts run. */
export interface NpmCommand {
  readonly scripts: readonly string[];
  readonly flags: readonly NpmFlag[];
  /** Whether it takes words that belong to no flag, such as a path. */
  readonly takesWords?: boolean;
}

const PREFIX = 'npm_config_';
/** Settings of npm's own, which it puts into the environment unasked (`audit=false` in .npmrc): they say nothing about ours. */
const OWN_OF_NPM: readonly string[] = ['--audit'];

/** npm's name in the environment for a flag: `npm_config_checkpoint_every`. */
function environmentName(flag: string): string {
  return `${PREFIX}${flag.replace(/^--/, '').replaceAll('-', '_')}`;
}

/**
 * The arguments as the user meant them.
 *
 * @param argv arguments after the command's name
 * @param env npm's flags count only when `npm_lifecycle_event` is one of `scripts`
 * @throws GanglionError `usage` when values cannot be told apart
 */
export function restoreNpmFlags(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  { scripts, flags, takesWords = false }: NpmCommand,
): string[] {
  const script = env.npm_lifecycle_event;
  if (script === undefined || !scripts.includes(script)) return [...argv];
  refuseMisspelt(env, flags);
  const restored: string[] = [];
  const waiting: string[] = [];
  for (const { flag, takesValue } of flags) {
    const value = env[environmentName(flag)];
    if (value === undefined || OWN_OF_NPM.includes(flag)) continue;
    if (argv.some((argument) => argument === flag || argument.startsWith(`${flag}=`))) continue;
    if (takesValue !== true) {
      if (value === 'true') restored.push(flag);
      else if (takesValue === 'optional' && value !== '') restored.push(`${flag}=${value}`);
    } else {
      // A flag given more than once is one text with blank lines between.
      for (const part of value.split('\n\n')) {
        if (part === 'true' || part === '') waiting.push(flag);
        else restored.push(`${flag}=${part}`);
      }
    }
  }
  // Words before the first flag of argv are values that npm has parted from their flags.
  const firstFlag = argv.findIndex((argument) => argument.startsWith('-'));
  const words = firstFlag === -1 ? argv : argv.slice(0, firstFlag);
  const rest = argv.slice(words.length);
  const [flag] = waiting;
  if (waiting.length === 0 && (words.length === 0 || takesWords)) return [...words, ...restored, ...rest];
  if (waiting.length === 1 && words.length === 1 && flag !== undefined) {
    return [...restored, `${flag}=${words[0]}`, ...rest];
  }
  const spelling = [...waiting.map((name) => `${name} VALUE`), ...restored.map((name) => name.replace('=', ' '))];
  if (spelling.length === 0) spelling.push('--FLAG VALUE');
  const values = words.length === 0 ? 'no value' : `values ${words.join(', ')}`;
  const owners = waiting.length === 0 ? 'no flag' : waiting.join(', ');
  throw new GanglionError(
    'usage',
    `npm has parted flags from their values: got ${values} for ${owners}; write: npm run ${script} -- ${spelling.join(' ')}`,
  );
}

/** npm swallows `--wrokers=4` without a word: a name that is nearly one of ours is a mistake. Short names are too near to npm's own. */
const SHORTEST_GUARDED = 5;
const NEAR = 2;

function refuseMisspelt(env: NodeJS.ProcessEnv, flags: readonly NpmFlag[]): void {
  const known = flags.map(({ flag }) => environmentName(flag));
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX) || known.includes(name)) continue;
    const near = flags.find(
      ({ flag }) => flag.length - 2 >= SHORTEST_GUARDED && editDistance(environmentName(flag), name) <= NEAR,
    );
    if (!near) continue;
    const given = `--${name.slice(PREFIX.length).replaceAll('_', '-')}`;
    throw new GanglionError('usage', `unknown option '${given}' (Did you mean ${near.flag}?)`);
  }
}

/** Fewest insertions, deletions and substitutions that turn one word into the other (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const substituted = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(substituted, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
