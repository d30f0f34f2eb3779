// SHA256SUMS, as sha256sum writes it, beside files that the installation brings: they are checked before they are used.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { GanglionError } from './error.ts';

/** The SHA-256 of every file that it names, by name. */
export function parseSums(sums: Uint8Array): ReadonlyMap<string, string> {
  const lines = Buffer.from(sums).toString('latin1').trimEnd().split('\n');
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)])); // two spaces between
}

/**
 * @param expected undefined for a file that is not named
 * @returns the SHA-256
 * @throws GanglionError `environment` when it is another
 */
export function checkSum(file: URL, content: Uint8Array, expected: string | undefined): string {
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (sha256 === expected) return sha256;
  const message = `${fileURLToPath(file)} was changed: it has another SHA-256; install Ganglion again`;
  throw new GanglionError('environment', message);
}
