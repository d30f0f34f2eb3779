// What the command lines are made of: examples, numbers, and the flags of settings.
import { InvalidArgumentError, Option } from 'commander';
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

/** A whole number from `min` to `max`, for flags that belong to no run. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}
