// The command line of `ganglion launch`.
import { Command } from 'commander';
import { GanglionError } from '../../shared/error.ts';
import { show } from '../../shared/printable.ts';
import { AUTO } from '../run/plan-run.ts';
import { fromFlags } from '../settings/settings.ts';
import { examples, wholeNumber } from './help.ts';
import { MOST_NODES } from './hosts.ts';
import type { Signals } from './signals.ts';

/** @param trainProgram makes the command line of `train`: a mistake in it is found before anything starts */
export function launchProgram(signals: Signals, trainProgram: () => Command): Command {
  return new Command('launch')
    .description('train on several nodes, here or on other machines: starts mpirun, stops all of it in order')
    .argument('<COMMAND...>', 'train, with its flags')
    .option(
      '-n, --nodes <N>',
      'nodes in all (default: those of --hosts); each has --workers',
      wholeNumber(1, MOST_NODES),
    )
    .option('--hosts <LIST>', 'machines to reach by ssh, each with its number of nodes: a,b:2 (default: this one)')
    .option('--dry-run', "print mpirun's line and end")
    .passThroughOptions()
    .addHelpText(
      'after',
      examples(
        'ganglion launch -n 2 train --workers 1 --run runs/a --resume auto',
        'ganglion launch --hosts a,b:2 train --run runs/a --resume auto',
        'ganglion launch -n 4 --dry-run train --steps 60',
      ),
    )
    .action(async ([name, ...args]: string[], { nodes, hosts, dryRun = false }) => {
      if (name !== 'train') throw new GanglionError('usage', `launch: expected train, got ${show(name)}`);
      const {
        resume,
        config: _,
        dryRun: prints,
        profile: _p,
        profileSteps: _s,
        ...flags
      } = await readFlags(trainProgram(), args);
      fromFlags(flags);
      if (prints)
        throw new GanglionError('usage', 'launch: --dry-run stands before train: it prints the line of mpirun');
      const { launchCommand } = await import('./launch.ts');
      await launchCommand({ ...{ nodes, hosts, dryRun, signals }, command: [name, ...args], goesOn: resume === AUTO });
    });
}

/** Flags of train as commander hands them over. @throws CommanderError for a mistake, and after help */
async function readFlags(train: Command, args: readonly string[]): Promise<ReturnType<Command['opts']>> {
  await train.action(() => {}).parseAsync(args, { from: 'user' });
  return train.opts();
}
