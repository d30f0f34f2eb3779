// The tables of a document, each row by the names of its columns.
import { readFileSync } from 'node:fs';

export type Row = Readonly<Record<string, string>>;

/** Tables in order. @param document path from the repository's root */
export function tablesOf(document: string): Row[][] {
  const text = readFileSync(new URL(`../../../${document}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^\|(.*)\|\n\|[-| ]+\|\n((?:\|.*\|\n)+)/gm)].map(([, head = '', body = '']) => {
    const columns = cellsOf(head);
    return body
      .trimEnd()
      .split('\n')
      .map((line) => {
        const cells = cellsOf(line.slice(1, -1));
        return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
      });
  });
}

function cellsOf(line: string): string[] {
  return line.split('|').map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
}

/** The table whose first column has this name. */
export function tableOf(document: string, column: string, nth = 0): Row[] {
  const table = tablesOf(document).filter(([row]) => Object.keys(row ?? {})[0] === column)[nth];
  if (!table) throw new Error(`${document}: expected a table of ${column}`);
  return table;
}

/** The rows without those of what is there only sometimes (`only where ..`) and is not there now. */
export function rowsFor(table: readonly Row[], column: string, there: readonly string[]): Row[] {
  return table.filter((row) => !row.meaning?.startsWith('only where') || there.includes(row[column] ?? ''));
}
