// The page's modules as one script, for a file that must not load anything. Each becomes a function that gives what the module exports; they
// are small and our own, so that the forms of import and export that they use are all there is to know: any other is refused.
import { fileURLToPath } from 'node:url';
import { readInstalled } from '../files/installed-file.ts';

const IMPORT = /^import (?:\{ (\w+(?:, \w+)*) \}|(\w+)) from '(\.[^']+)';$/gm;
const EXPORT = /^export (?=(?:async )?(?:class|function|const|let) (\w+))/gm;
const UNKNOWN = /^(?:import|export)\b.*$/m;

/**
 * @param entry a module; what it imports is found from it
 * @param given expressions for imported files that are not modules, by their end
 * @returns the text of a classic script
 * @throws Error for a form of import or export that is not known here, GanglionError `environment` for a module that cannot be read
 */
export function bundle(entry: URL, given: Readonly<Record<string, string>>): string {
  const names = new Map<string, string>();
  const modules: string[] = [];

  /** The name under which a module's exports are known. */
  function add(module: URL): string {
    const known = names.get(module.href);
    if (known !== undefined) return known;
    const source = readInstalled(module).toString('utf8');
    const imported = source.replace(IMPORT, (_, list: string | undefined, single: string | undefined, from: string) => {
      const expression = Object.entries(given).find(([end]) => from.endsWith(end))?.[1] ?? add(new URL(from, module));
      return list === undefined ? `const ${single} = ${expression};` : `const { ${list} } = ${expression};`;
    });
    const exports: string[] = [];
    const body = imported.replace(EXPORT, (_, name: string) => {
      exports.push(name);
      return '';
    });
    const unknown = UNKNOWN.exec(body);
    if (unknown) throw new Error(`${fileURLToPath(module)}: cannot put into one script: ${unknown[0]}`);
    const name = `module${names.size}`;
    names.set(module.href, name);
    modules.push(`const ${name} = (() => {\n${body}\nreturn { ${exports.join(', ')} };\n})();`);
    return name;
  }

  add(entry);
  return `(() => {\n'use strict';\n${modules.join('\n')}\n})();`;
}
