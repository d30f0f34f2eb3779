import { expect, it } from 'vitest';
import { countPlaces, parseHosts, showHosts } from '../../../../coordinator/commands/hosts.ts';

it('reads machines and how many nodes each has', () => {
  const hosts = parseHosts('a, node-1.example.org:2,10.0.0.3:16');
  expect(hosts).toEqual([
    { name: 'a', nodes: 1 },
    { name: 'node-1.example.org', nodes: 2 },
    { name: '10.0.0.3', nodes: 16 },
  ]);
  expect(countPlaces(hosts)).toBe(19);
  expect(showHosts(hosts)).toBe('a:1,node-1.example.org:2,10.0.0.3:16');
});

it.each([
  '',
  ',',
  'a,',
  'a:0',
  'a:',
  'a:x',
  'a:1025',
  'a:99999',
  '-oProxyCommand=x',
  'a b',
  'a;b',
  'user@a',
  '::1',
  'a/b',
  `${'a'.repeat(300)}`,
])('refuses %j', (list) =>
  expect(() => parseHosts(list)).toThrow(/^--hosts: expected names of machines, each with its number of nodes/),
);

it('refuses a name twice, and more nodes than there can be', () => {
  expect(() => parseHosts('a,b,a')).toThrow('--hosts: a is named twice; write a:2');
  expect(() => parseHosts('a:1000,b:1000')).toThrow('--hosts: expected at most 1024 nodes, got 2000');
});
