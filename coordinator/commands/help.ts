// What the commands' help is made of: examples, and the flags of settings.
import { Option } from 'commander';
import { flagOf, SETTINGS, type SettingName } from '../settings/settings-table.ts';

/** Lines to stand under a command's flags. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}

/** The flag of a setting. */
export function toOption(name: SettingName): Option {
  const { value, description, default: initial, isSwitch } = SETTINGS[name];
  const shown = initial === null ? description : `${description} (default: ${initial})`;
  return isSwitch
    ? new Option(`${flagOf(name)} [${value}]`, shown).preset('on')
    : new Option(`${flagOf(name)} <${value}>`, shown);
}
