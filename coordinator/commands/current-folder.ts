// A folder can be removed while somebody is in it: then no path is one, and no replica starts.
import { GanglionError } from '../../shared/error.ts';

/** @throws GanglionError `environment` when the current folder is gone */
export function checkCurrentFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    throw new GanglionError('environment', 'the current folder does not exist any more; change to another', { cause });
  }
}
