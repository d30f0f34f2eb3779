// The command line, and the composition root: what the commands need from outside is passed in from here. Each command is loaded when it
// runs: what the others need would take a third of the time until training begins.
import { Command, CommanderError, Option } from 'commander';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { EXIT_CODES } from '../../shared/exit-codes.ts';
import { printLine } from '../../shared/print.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { countPhysicalCores } from '../machine/cores.ts';
import { VERSION } from '../machine/version.ts';
import { joinNodes, prefixOf } from '../nodes/join-nodes.ts';
import { exitWithoutThreads } from '../replicas/transports/living-threads.ts';
import { PROGRAMS } from '../run/programs.ts';
import { StopSwitch } from '../run/stop.ts';
import { fromEnvironment, fromFlags } from '../settings/settings.ts';
import { SETTING_NAMES, SETTINGS, type SettingName } from '../settings/settings-table.ts';
import { EndedElsewhere } from '../training/exchange.ts';
import { checkCurrentFolder } from './current-folder.ts';
import { dataProgram } from './data-program.ts';
import { evaluateProgram, exportProgram, sampleProgram } from './generator-programs.ts';
import { examples, toOption, wholeNumber } from './help.ts';
import { launchProgram } from './launch-program.ts';
import { stopWithParent } from './lost-parent.ts';
import { restoreNpmFlags } from './npm-flags.ts';
import { tellEnd } from './rank-records.ts';
import type { Signals } from './signals.ts';
import { stopBySignals } from './stop-signals.ts';
import { AlreadyReported, runDoctor, runSetup } from './worker-programs.ts';

/** A trace of them shows what repeats and what does not, and is quick to open. */
const PROFILE_STEPS = 20;

function trainProgram(signals: Signals): Command {
  const command = new Command('train').description('train the DCGAN; the weights do not depend on --workers');
  for (const name of SETTING_NAMES) command.addOption(toOption(name));
  return command
    .option(
      '--resume <DIR|auto>',
      'resume the run in this folder from its newest valid checkpoint; auto: that of --run, if any',
    )
    .option('--config <FILE>', 'JSON file of settings, named as in config.json; flags win over it')
    .option('--dry-run', 'print the whole resolved config and end')
    .option('--profile <FILE>', 'write a Chrome trace of some steps: what every replica and the coordinator do')
    .option('--profile-steps <N>', `steps of the profile (default: ${PROFILE_STEPS})`, wholeNumber(1, 100_000))
    .addHelpText(
      'after',
      examples(
        'ganglion train --workers 4',
        'ganglion train --workers 2 --steps 60 --seed 7 --run runs/a',
        'ganglion train --resume runs/a --steps 120 --workers 4',
        'ganglion train --run runs/a --resume auto    # begins the run, or goes on with it',
        'ganglion train --data mnist --epochs 8',
        'npm run train:distributed --workers 4',
      ),
    )
    .action(async ({ resume, config, dryRun, profile, profileSteps: steps, ...flags }: TrainOptions) => {
      tellEnd();
      const stop = new StopSwitch();
      const stoppedBy = stopBySignals(stop, signals);
      stopWithParent(stop);
      if (steps !== undefined && profile === undefined) {
        throw new GanglionError('usage', `--profile-steps ${steps}: expected --profile FILE with it`);
      }
      const { trainCommand } = await import('./train.ts');
      // Nothing runs beside it: Open MPI changes the environment while it starts, which no other thread may read meanwhile.
      const nodes = await joinNodes();
      // Said before the nodes leave: mpirun ends all others when one leaves with an error. One that crashes leaves nobody waiting.
      await trainCommand({
        flags: () => fromFlags(flags),
        environment: () => fromEnvironment(process.env),
        configFile: config,
        resume,
        dryRun: dryRun ?? false,
        profile: profile === undefined ? null : { path: profile, steps: steps ?? PROFILE_STEPS },
        programs: PROGRAMS,
        ...{ nodes, signals, stop, stoppedBy },
      })
        .catch((error: unknown) => report(error, prefixOf(nodes)))
        .then(() => nodes.close());
    });
}

/** Flags of train as commander hands them over. */
interface TrainOptions extends Partial<Record<SettingName, string>> {
  readonly resume?: string;
  readonly config?: string;
  readonly dryRun?: boolean;
  readonly profile?: string;
  readonly profileSteps?: number;
}

function program(signals: Signals): Command {
  const ganglion = new Command('ganglion')
    .description('distributed DCGAN training whose weights do not depend on the cluster')
    .version(VERSION)
    .enablePositionalOptions(); // what follows `launch train` belongs to train
  ganglion.hook('preAction', (_, command) => {
    checkCurrentFolder();
    if (!['train', 'launch'].includes(command.name())) signals.begin(); // these take them, and so those that came before
  });
  ganglion.addCommand(trainProgram(signals));
  ganglion.addCommand(launchProgram(signals, () => strictly(trainProgram(signals))));
  ganglion.addCommand(sampleProgram(signals));
  ganglion.addCommand(evaluateProgram(signals));
  ganglion.addCommand(exportProgram(signals));
  ganglion
    .command('view')
    .description('show a run that does not train in the live page, from its files')
    .argument('<RUN>', 'folder of the run')
    .option('--port <N>', 'port of the page; 0 picks a free one', wholeNumber(0, 65535), 9465)
    .option('--allowed-hosts <NAMES>', SETTINGS.allowedHosts.description)
    .option('--base-path <PATH>', SETTINGS.basePath.description)
    .addHelpText('after', examples('ganglion view runs/a', 'npm run view -- runs/a'))
    .action(async (path, { port, ...flags }) => {
      const { allowedHosts = null, basePath = null } = fromFlags(flags);
      const { viewCommand } = await import('./view.ts');
      await viewCommand({ path, port, allowedHosts, basePath, page: PROGRAMS.page, signals });
    });
  ganglion
    .command('report')
    .description('write report.html and the animation of a run again, from its files')
    .argument('<RUN>', 'folder of the run')
    .addHelpText('after', examples('ganglion report runs/a', 'npm run report -- runs/a'))
    .action(async (path) => {
      const { reportCommand } = await import('./report.ts');
      await reportCommand({ path, page: PROGRAMS.page });
    });
  ganglion
    .command('inspect')
    .description('verify a checkpoint, or all of a run, and print it')
    .argument('<FILE|RUN>', 'checkpoint file or run folder')
    .addHelpText('after', examples('ganglion inspect runs/a'))
    .action(async (path) => {
      const { inspectCommand } = await import('./inspect.ts');
      await inspectCommand(path);
    });
  ganglion
    .command('doctor')
    .description('say what is installed, try every backend, and name the one that training would take')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('ganglion doctor'))
    .action(async ({ json }) => {
      const setting = fromEnvironment(process.env).backend ?? 'auto';
      exitWith(await runDoctor(signals, [String(countPhysicalCores()), setting, ...(json ? ['--json'] : [])]));
    });
  ganglion.addCommand(dataProgram());
  ganglion
    .command('setup')
    .description('compile the kernels, also after a set-up that failed; does nothing when they are there')
    .option(
      '--cuda',
      'set up the GPU engine for every kind of NVIDIA GPU, without one: for images; downloads 90 MB by pip',
    )
    .option('--mpi', "set up Open MPI, which trains on several machines: downloads 7 MB by pip, or takes the system's")
    .addOption(
      new Option(
        '--tensorflow [KIND]',
        'set up TensorFlow instead, by pip: cpu downloads 274 MB and takes 850 MB of disk, gpu 2.5 GB and 4.2 GB',
      )
        .choices(['cpu', 'gpu'])
        .preset('cpu'),
    )
    .addHelpText('after', examples('ganglion setup', 'ganglion setup --tensorflow', 'ganglion setup --tensorflow gpu'))
    .action(async ({ cuda, mpi, tensorflow }) => {
      const flags = { '--cuda': cuda, '--mpi': mpi, [`--tensorflow=${tensorflow}`]: tensorflow };
      const given = Object.entries(flags).filter(([, isSet]) => isSet);
      exitWith(
        await runSetup(
          signals,
          given.map(([flag]) => flag),
        ),
      );
    });
  return ganglion;
}

function exitWith(exitCode: number): void {
  process.exitCode = exitCode;
}

/** The scripts of package.json that run a command; npm takes their flags away. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'train:distributed'],
  sample: ['sample'],
  evaluate: ['evaluate'],
  export: ['export'],
  doctor: ['doctor'],
  setup: ['setup'],
  data: ['data'],
};

/** Arguments with the flags that npm took away. */
function restoredArguments(ganglion: Command, argv: readonly string[]): string[] {
  const [name = '', ...rest] = argv;
  const command = ganglion.commands.find((known) => known.name() === name);
  const scripts = SCRIPTS[name];
  if (!command || !scripts) return [...argv];
  const flags = command.options.map(({ long, required, optional }) => {
    return { flag: long ?? '', takesValue: optional ? ('optional' as const) : required };
  });
  return [
    name,
    ...restoreNpmFlags(rest, process.env, { scripts, flags, takesWords: command.registeredArguments.length > 0 }),
  ];
}

/** One line for a mistake; anything unexpected is a broken invariant and crashes with its stack. */
function report(error: unknown, prefix = ''): void {
  if (error instanceof AlreadyReported) {
    process.exitCode = error.exitCode;
  } else if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.mistake; // help and version are no errors
  } else if (error instanceof EndedElsewhere) {
    process.exitCode = error.exitCode;
  } else if (error instanceof GanglionError) {
    printLine(process.stderr, `ganglion: ${prefix}${messageOf(error)}`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}

/** Who reads may end first, as `head` does, or the terminal be closed: what is left goes nowhere, and the command goes on. */
function onOutputError(error: Error): void {
  const code = systemErrorCode(error);
  if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || (code === 'EIO' && process.stdout.isTTY)) return;
  report(fromSystemError('cannot write the output', error));
}

/** Lets a mistake be one line, and no argument go unread. */
function strictly(command: Command): Command {
  return command
    .exitOverride()
    .allowExcessArguments(false)
    .configureOutput({ outputError: (text) => printLine(process.stderr, toErrorLine(text)) });
}

/** Ends the process without threads that have not ended, but for a crash: Node.js has its stack to print then. */
function endWithoutThreads(): void {
  let hasCrashed = false;
  process.on('uncaughtExceptionMonitor', () => {
    hasCrashed = true;
  });
  process.on('exit', (code) => {
    if (!hasCrashed) exitWithoutThreads(Number(process.exitCode ?? code));
  });
}

/** Runs the command line; sets the exit code of the process. */
export async function runProgram(argv: readonly string[], signals: Signals): Promise<void> {
  process.stdout.on('error', onOutputError);
  process.stderr.on('error', () => {}); // nobody is left to tell
  endWithoutThreads();
  const ganglion = program(signals);
  for (const command of [ganglion, ...ganglion.commands]) strictly(command);
  try {
    await ganglion.parseAsync(restoredArguments(ganglion, argv), { from: 'user' });
  } catch (error) {
    report(error);
  }
}

/** What commander says of a mistake, as one line. */
function toErrorLine(text: string): string {
  const line = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
  const hint = line.startsWith('too many arguments') ? ' Write every value behind its flag, as in --workers 4.' : '';
  return `ganglion: ${line}${hint}`;
}
