// The version of this package.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

/** From the source; the compiled file is one folder deeper. */
const nearest = existsSync(new URL('../../package.json', import.meta.url))
  ? '../../package.json'
  : '../../../package.json';

export const { version: VERSION }: { version: string } = createRequire(import.meta.url)(nearest);
