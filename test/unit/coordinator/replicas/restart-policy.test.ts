import { describe, expect, it } from 'vitest';
import { RestartPolicy } from '../../../../coordinator/replicas/restart-policy.ts';

describe('RestartPolicy', () => {
  it('gives up on one loss more in a minute than allowed, and says why, the newest five', () => {
    let ms = 0;
    const policy = new RestartPolicy({ maxRestarts: 6, now: () => ms, random: () => 0 });
    for (let i = 0; i < 6; i++) {
      policy.lost(`reason ${i}`);
      ms += 1000;
    }
    ms = 59_999;
    expect(() => policy.lost('reason 6')).toThrow(
      '7 replicas lost within 60 s, expected at most 6 (--max-restarts): reason 2; reason 3; reason 4; reason 5; reason 6; and 2 before',
    );
  });

  it('forgets losses after a minute', () => {
    let ms = 0;
    const policy = new RestartPolicy({ maxRestarts: 1, now: () => ms, random: () => 0 });
    for (; ms < 600_000; ms += 60_000) policy.lost('again');
    ms -= 1;
    expect(() => policy.lost('too soon')).toThrow('2 replicas lost');
  });

  it('allows none when told so', () => {
    const policy = new RestartPolicy({ maxRestarts: 0, now: () => 5, random: () => 0 });
    expect(() => policy.lost('once')).toThrow('1 replicas lost within 60 s, expected at most 0 (--max-restarts): once');
  });

  it('waits twice as long each time, up to 10 s, half of it by chance', () => {
    const delays = (random: number) => {
      const policy = new RestartPolicy({ maxRestarts: 0, now: () => 0, random: () => random });
      return [1, 2, 3, 8, 9, 50].map((failures) => policy.delayMs(failures));
    };
    expect(delays(1)).toEqual([50, 100, 200, 6400, 10_000, 10_000]);
    expect(delays(0)).toEqual([25, 50, 100, 3200, 5000, 5000]);
  });
});
