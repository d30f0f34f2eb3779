// The files below a folder of data, in a fixed order. What hides itself, and what systems leave behind, is none of the data.
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { diskFile, readError, type SourceFile } from './source-file.ts';

const MOST_DEPTH = 16;
const MOST_FILES = 10_000_000;
const LEFTOVERS = new Set(['__MACOSX', 'Thumbs.db', 'desktop.ini']);

/** Whether a path below a folder or in an archive can be data. */
export function isData(path: string): boolean {
  return path.split('/').every((part) => part !== '' && !part.startsWith('.') && !LEFTOVERS.has(part));
}

/** Whether an entry leads to a folder; what leads nowhere is told when it is read. */
function isFolder(entry: Dirent, place: string): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  try {
    return statSync(place).isDirectory();
  } catch {
    return false;
  }
}

/** Every file below `folder`; links are followed. @throws GanglionError for a folder that cannot be read, is too deep or in itself */
export function filesIn(folder: string): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (place: string, path: string, above: readonly string[]): void => {
    const real = toReal(place);
    if (above.includes(real))
      throw new GanglionError('data', `${place}: expected a folder, got a link to a folder above`);
    if (above.length >= MOST_DEPTH)
      throw new GanglionError('data', `${place}: expected folders at most ${MOST_DEPTH} deep`);
    for (const entry of list(place)) {
      if (!isData(entry.name)) continue;
      const [inPlace, inPath] = [join(place, entry.name), path === '' ? entry.name : `${path}/${entry.name}`];
      if (isFolder(entry, inPlace)) visit(inPlace, inPath, [...above, real]);
      else files.push(diskFile(inPlace, inPath));
      if (files.length > MOST_FILES) throw new GanglionError('data', `${folder}: expected at most ${MOST_FILES} files`);
    }
  };
  visit(folder, '', []);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw readError(`data folder ${folder}`, error);
  }
}

function toReal(folder: string): string {
  try {
    return realpathSync(folder);
  } catch (error) {
    throw readError(`data folder ${folder}`, error);
  }
}
