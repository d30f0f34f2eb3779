import { expect, it } from 'vitest';
import { StopSwitch } from '../../../../coordinator/run/stop.ts';

it('notes who asks first, tells every listener once, and listens to no signal', async () => {
  const before = process.listenerCount('SIGINT');
  const stop = new StopSwitch();
  const asked: string[] = [];
  stop.onRequest((who) => asked.push(`first ${who}`));
  stop.onRequest((who) => asked.push(`second ${who}`));
  expect(stop.requested).toBe(false);
  stop.request('SIGINT');
  stop.request('a request over HTTP');
  expect(stop.requested).toBe(true);
  expect(asked).toEqual(['first SIGINT', 'second SIGINT']);
  expect(process.listenerCount('SIGINT')).toBe(before);
  await stop.whenRequested;
});
