import { describe, expect, it } from 'vitest';
import { toPipError } from '../../../../workers/build/pip-wheel.ts';
import { CONTENTS, neededBytes } from '../../../../workers/engines/tensorflow/wheel.ts';

const { wheels } = CONTENTS.cpu;
const failed = (output: string) => toPipError({ exitCode: 1, output }, '/cache', wheels[0], neededBytes('cpu', wheels));

describe('toPipError', () => {
  it('reads an unreachable index, and quotes the last line of pip', () => {
    const error = failed(
      "WARNING: Retrying after connection broken by 'NewConnectionError'\n" +
        'ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: none)\n' +
        'ERROR: No matching distribution found for tensorflow-cpu==2.21.0\n\n',
    );
    expect(error.code).toBe('environment');
    expect(error.message).toMatch(/check the network, the proxy and the package index/);
    expect(error.message).toMatch(/pip said: ERROR: No matching distribution found for tensorflow-cpu==2\.21\.0\)$/);
  });

  it('reads a wrong hash, with what was got', () => {
    const got = 'ab'.repeat(32);
    const error = failed(
      `ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  Expected sha256 2b\n  Got        ${got}\n`,
    );
    expect(error.message).toMatch(new RegExp(`wrong SHA-256: expected 2b847d21.*, got ${got};`));
  });

  it('reads a full disk', () => {
    const error = failed('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n');
    expect(error.message).toMatch(/not enough disk space: .* in \/cache, the disk ran full; .*GANGLION_CACHE/);
  });

  it('passes on the last line of anything else', () => {
    expect(failed('ERROR: no such option: --platform').message).toMatch(
      /exit code 1 \(pip said: ERROR: no such option/,
    );
  });

  it('is always one line', () => {
    for (const output of ['', 'a\nb\n', 'Max retries exceeded\n\n']) expect(failed(output).message).not.toContain('\n');
  });
});
