// The command lines of what draws with a trained generator: `ganglion sample`, `evaluate` and `export`.
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Weights } from '../../shared/evaluation.ts';
import { VERSION } from '../machine/version.ts';
import { PROGRAMS } from '../run/programs.ts';
import { fromEnvironment, fromFlags } from '../settings/settings.ts';
import { SETTINGS, type Settings } from '../settings/settings-table.ts';
import { examples, wholeNumber } from './help.ts';
import type { Signals } from './signals.ts';

/** The page of `export` is put together from its files, and from its modules as the build has compiled them. */
const EXPLORER = {
  page: new URL('../../../dashboards/explorer/', import.meta.url),
  live: PROGRAMS.page,
  compiled: PROGRAMS.compiled,
  kernels: PROGRAMS.kernels,
};

function weightsOf(text: string): Weights {
  if (text === 'ema' || text === 'raw') return text;
  throw new InvalidArgumentError('Expected ema or raw.');
}

const BACKEND = new Option('--backend <NAME>', `${SETTINGS.backend.description} (default: as the run was told)`);
const SEED = new Option('--seed <N>', 'seed of the noise')
  .default(1)
  .argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER));
const WEIGHTS = new Option(
  '--weights <ema|raw>',
  'weights of the generator: averaged, or as trained (default: averaged where the run keeps an average)',
).argParser(weightsOf);

/** The backend that a flag or the environment asks for; undefined when neither does. */
function backendOf(flag: string | undefined): Settings['backend'] | undefined {
  return { ...fromEnvironment(process.env), ...fromFlags(flag === undefined ? {} : { backend: flag }) }.backend;
}

/** Draws digits. */
export function sampleProgram(signals: Signals): Command {
  return new Command('sample')
    .description('draw images from the newest checkpoint of a run')
    .requiredOption('--run <DIR>', 'folder of the run')
    .option('--count <N>', 'images to draw', wholeNumber(1, 65536), 64)
    .addOption(SEED)
    .option('--output <FILE>', 'X.png: a grid; X.npy: float32 [N, height, width] in [-1, 1]', 'samples.png')
    .addOption(BACKEND)
    .addOption(WEIGHTS)
    .option('--batch-statistics', "BatchNorm on the batch's own statistics instead of the running ones")
    .addHelpText('after', examples('ganglion sample --run runs/a --count 100 --seed 3 --output digits.png'))
    .action(async ({ backend: name, batchStatistics = false, ...options }) => {
      const { sampleCommand } = await import('./sample.ts');
      await sampleCommand({ ...options, batchStatistics, backend: backendOf(name), programs: PROGRAMS, signals });
    });
}

/** Says how good they are. */
export function evaluateProgram(signals: Signals): Command {
  return new Command('evaluate')
    .description('say how good the images of a run are: Fréchet distance, precision, recall, share of every digit')
    .argument('<RUN|FILE>', 'run folder, of which it is the newest valid checkpoint, or checkpoint file')
    .option('--count <N>', 'images to draw', wholeNumber(2, 65536), 10_000)
    .addOption(SEED)
    .addOption(BACKEND)
    .option('--data <DIR>', 'folder of the data that it was trained on (default: where it was then)')
    .addOption(WEIGHTS)
    .option('--json', 'as JSON')
    .addHelpText('after', examples('ganglion evaluate runs/a', 'ganglion evaluate runs/a --count 2048 --json'))
    .action(async (path, { backend: name, json = false, ...options }) => {
      const { evaluateCommand } = await import('./evaluate.ts');
      const { data } = fromFlags(options.data === undefined ? {} : { data: options.data });
      await evaluateCommand({ ...options, path, json, data, backend: backendOf(name), programs: PROGRAMS, signals });
    });
}

/** Writes the generator for a browser. */
export function exportProgram(signals: Signals): Command {
  return new Command('export')
    .description('write the generator for a browser: a model of TensorFlow.js, and a page to explore it')
    .requiredOption('--run <DIR>', 'folder of the run')
    .requiredOption('--output <DIR>', 'folder for model.json, its weights and explorer.html')
    .addOption(BACKEND)
    .addOption(WEIGHTS)
    .addHelpText('after', examples('ganglion export --run runs/a --output explorer'))
    .action(async ({ backend: name, ...options }) => {
      const { exportCommand } = await import('./export.ts');
      await exportCommand({
        ...options,
        backend: backendOf(name),
        version: VERSION,
        programs: PROGRAMS,
        pages: EXPLORER,
        signals,
      });
    });
}
