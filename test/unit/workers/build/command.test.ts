import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { lastLine, runCommand } from '../../../../workers/build/command.ts';

/** Whether a process exists and is no zombie: an orphan that was killed stays one until init collects it. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('runCommand', () => {
  it('resolves with exit code and output, whatever the code', async () => {
    const result = await runCommand('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toMatchObject({ exitCode: 3, killedBy: null, stdout: 'out\n' });
    expect(result.output.split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  it('rejects when the program is not there', async () => {
    await expect(runCommand('/absent/program', [])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('kills the program and its children on abort, and rejects with the reason', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ganglion-command-'));
    try {
      const pidFile = join(folder, 'pid');
      const controller = new AbortController();
      const running = runCommand('sh', ['-c', `sleep 60 & echo $! > ${pidFile}; wait`], { signal: controller.signal });
      while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await delay(20);
      const childPid = Number(readFileSync(pidFile, 'utf8'));
      const reason = new Error('stop');
      controller.abort(reason);
      await expect(running).rejects.toBe(reason);
      for (let tries = 0; isRunning(childPid) && tries < 100; tries++) await delay(20);
      expect(isRunning(childPid)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('lastLine', () => {
  it('is the last line that is not blank', () => {
    expect(lastLine('a\n  b  \n\n')).toBe('b');
    expect(lastLine('\n')).toBe('');
  });
});
