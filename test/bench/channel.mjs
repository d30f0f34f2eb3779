// What carries the frames of a replica's process: round trips over every channel Node offers, in one interleaved run.
//
//   npm run build && node test/bench/channel.mjs [--rounds 30] [--calls 20]
//
// Every child answers a frame with one of the same size. `ipc` is the built-in channel with serialization 'advanced'; the others are
// Unix stream sockets: `pair` an extra stdio pipe (a socketpair), its child reading into chunks that it copies; `direct` the same,
// its child reading into place; `blocking` as direct, its child writing with fs.writeSync on a second pair; `listen` a listening
// Unix socket, both sides reading into place. Prints the median over rounds, and the CPU of both processes.
import cluster from 'node:cluster';
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeFrame, FrameDecoder } from '../../dist/shared/frame.js';

const CHANNELS = ['ipc', 'pair', 'direct', 'blocking', 'listen'];
const SIZES = [256, 170_000, 1_500_000];
const memory = new Uint8Array(SIZES.at(-1));

/** A decoder that reads every body into the same memory, and tells of each frame. */
function decoderInto(target, onFrame) {
  let header;
  let length = 0;
  return new FrameDecoder({
    open(given, bodyBytes) {
      header = given;
      length = bodyBytes;
      return target.subarray(0, bodyBytes);
    },
    complete: () => onFrame(header, target.subarray(0, length)),
  });
}

/** Options that make a socket read into the decoder's own memory. */
const reading = (decoder) => ({
  onread: {
    buffer: () => decoder.space,
    callback: (count) => {
      decoder.advance(count);
      return true;
    },
  },
});

function write(socket, header, body) {
  socket.cork();
  socket.write(encodeFrame(header, body.length));
  socket.write(body);
  socket.uncork();
}

function writeBlocking(fd, bytes) {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

const answer = () => {
  const { user, system } = process.cpuUsage();
  return { kind: 'answer', cpu: user + system };
};

async function child(channel, path) {
  if (channel === 'ipc') {
    process.on('message', ({ body }) => process.send({ header: answer(), body }));
    return;
  }
  let socket;
  const decoder = decoderInto(memory, (_, body) => {
    if (channel === 'blocking') {
      writeBlocking(5, encodeFrame(answer(), body.length));
      writeBlocking(5, body);
    } else write(socket, answer(), body);
  });
  if (channel === 'listen') {
    socket = new Socket(reading(decoder));
    socket.connect(path);
  } else if (channel === 'pair') {
    socket = new Socket({ fd: 4 });
    socket.on('data', (chunk) => decoder.push(chunk));
  } else {
    socket = new Socket({ fd: 4, ...reading(decoder) });
    socket.resume();
  }
  socket.on('close', () => process.exit());
}

async function open(channel, folder) {
  cluster.setupPrimary({
    exec: fileURLToPath(import.meta.url),
    args: [channel, join(folder, channel)],
    serialization: 'advanced',
    stdio: ['ignore', 2, 2, 'ipc', 'pipe', 'pipe'],
  });
  const target = new Uint8Array(memory.length);
  let done;
  if (channel === 'ipc') {
    const worker = cluster.fork();
    worker.on('message', ({ header }) => done(header));
    await new Promise((resolve) => worker.once('online', resolve));
    return {
      worker,
      call: (body) =>
        new Promise((resolve) => {
          done = resolve;
          worker.send({ header: { kind: 'call' }, body });
        }),
    };
  }
  const decoder = decoderInto(target, (header) => done(header));
  let socket;
  let worker;
  if (channel === 'listen') {
    const server = createServer({ pauseOnConnect: true });
    server.listen(join(folder, channel));
    worker = cluster.fork();
    const accepted = await new Promise((resolve) => server.once('connection', resolve));
    server.close();
    socket = new Socket({ handle: accepted._handle, ...reading(decoder) });
    socket.resume();
  } else {
    worker = cluster.fork();
    socket = worker.process.stdio[4];
    (channel === 'blocking' ? worker.process.stdio[5] : socket).on('data', (chunk) => decoder.push(chunk));
  }
  const call = (body) =>
    new Promise((resolve) => {
      done = resolve;
      write(socket, { kind: 'call' }, body);
    });
  await call(memory.subarray(0, 16));
  return { worker, call };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function parent() {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '30' }, calls: { type: 'string', default: '20' } },
  });
  const [rounds, calls] = [Number(values.rounds), Number(values.calls)];
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-channel-'));
  try {
    const channels = new Map();
    for (const channel of CHANNELS) channels.set(channel, await open(channel, folder));
    const figures = new Map();
    for (let round = -2; round < rounds; round++) {
      for (const size of SIZES) {
        const body = memory.subarray(0, size);
        for (const [channel, { call }] of channels) {
          const before = (await call(body)).cpu;
          const own = process.cpuUsage();
          const started = performance.now();
          let last;
          for (let i = 0; i < calls; i++) last = await call(body);
          const ms = (performance.now() - started) / calls;
          const { user, system } = process.cpuUsage(own);
          const cpuMs = (user + system + last.cpu - before) / 1000 / calls;
          if (round < 0) continue;
          const key = `${channel} ${size}`;
          figures.set(key, [...(figures.get(key) ?? []), { ms, cpuMs }]);
        }
      }
    }
    const rows = {};
    for (const size of SIZES) {
      for (const channel of CHANNELS) {
        const taken = figures.get(`${channel} ${size}`);
        rows[`${size} bytes, ${channel}`] = {
          'round trip ms': Number(median(taken.map(({ ms }) => ms)).toFixed(3)),
          'CPU ms, both': Number(median(taken.map(({ cpuMs }) => cpuMs)).toFixed(3)),
        };
      }
    }
    console.table(rows);
    for (const { worker } of channels.values()) worker.process.kill('SIGKILL');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (cluster.isPrimary) await parent();
else await child(process.argv[2], process.argv[3]);
