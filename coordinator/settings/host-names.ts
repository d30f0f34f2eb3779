// The list of names in --allowed-hosts, as Vite's `allowedHosts` has it: a name, or with a dot before it that name and those below it.
import { domainToASCII } from 'node:url';

const NAME = /^\.?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

/** Names of a comma-separated list, in ASCII and lower case; an empty text where there is none. */
export function allowedNames(list: string): string[] {
  return list.split(',').map((given) => {
    const [, dot = '', name = ''] = /^(\.?)(.*?)\.?$/.exec(given.trim()) ?? [];
    // Of a text that is no name, the part before a slash would be left.
    return `${dot}${/^[\p{L}\p{M}\p{N}._-]+$/u.test(name) ? domainToASCII(name) : name}`;
  });
}

/** Whether every part of a list is a name. */
export function areHostNames(list: string): boolean {
  return allowedNames(list).every((name) => NAME.test(name));
}
