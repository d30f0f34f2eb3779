// The command line of `ganglion data`.
import { Command } from 'commander';
import { GanglionError } from '../../shared/error.ts';
import { fromFlags } from '../settings/settings.ts';
import type { SettingName } from '../settings/settings-table.ts';
import { examples, toOption } from './help.ts';

/** The settings that prepare images. */
const PREPARING = [
  'imageSize',
  'channels',
  'resize',
  'transpose',
  'invert',
  'background',
  'skipBroken',
] as const satisfies readonly SettingName[];

/** Looks at images, or fetches a known set. */
export function dataProgram(): Command {
  const command = new Command('data')
    .description('look at images before training on them, or fetch a known set')
    .argument('[PATH|NAME]', 'what to look at, as --data takes it; or with --output mnist or fashion-mnist')
    .option('--output <DIR>', 'folder for the four files of a set from its public mirrors, which are checked')
    .option('--mirror <URL...>', 'base addresses to try instead of the public ones')
    .option('--picture <FILE>', 'grid of 64 images', 'data.png')
    .option('--json', 'as JSON');
  for (const name of PREPARING) command.addOption(toOption(name));
  return command
    .addHelpText(
      'after',
      examples('ganglion data --output mnist', 'ganglion data --output fashion fashion-mnist', 'ganglion data faces'),
    )
    .action(async (path: string | undefined, { output, mirror, picture, json = false, ...flags }) => {
      const { fetchCommand, lookCommand } = await import('./data.ts');
      if (output !== undefined) return fetchCommand({ name: path ?? 'mnist', output, mirrors: mirror });
      if (path !== undefined) return lookCommand({ path, flags: fromFlags(flags), picture, json });
      throw new GanglionError('usage', 'data: expected PATH to look at, or --output DIR to fetch a set into');
    });
}
