// A replica that a page of a browser lends, over a WebSocket: one frame a message. The page is nobody's to trust: every number of what it
// says is looked at, and its times are measured here.
import type { WebSocket } from 'ws';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { exactLimit, findOutside } from '../../../shared/exact-sum.ts';
import { encodeFrame, FrameDecoder, MAX_HEADER_BYTES, PREFIX_BYTES } from '../../../shared/frame.ts';
import { phaseVectorOf } from '../../../shared/model/phase-vector.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import { CLOSED_BY_RUN, toCloseReason } from '../../../shared/page-protocol.ts';
import { toPrintable } from '../../../shared/printable.ts';
import { describeShard } from '../../../shared/protocol.ts';
import type { Replica, Shard, ShardResult } from '../replica.ts';
import { FrameCalls, type FrameOptions, type FrameWatcher } from './frame-calls.ts';

/** How often a page is asked whether it lives, and how often in a row it may say nothing. */
const PING_MS = 10_000;
const MISSED_PINGS = 2;
/** Characters of what a page calls its engine. */
const NAME_LENGTH = 40;
/** From the last word to the end of the connection. */
const CLOSE_MS = 1_000;

/** A page's replica, and when it is gone. */
export interface PageReplica extends Replica {
  /** Resolves once it is lost, with the reason. */
  readonly lost: Promise<GanglionError>;
}

/** Bytes of the largest message that a page may send: a phase vector in a frame. */
export function mostBytesFrom(spec: ModelSpec): number {
  const longest = Math.max(phaseVectorOf('discriminator', spec).length, phaseVectorOf('generator', spec).length);
  return PREFIX_BYTES + MAX_HEADER_BYTES + longest * Float32Array.BYTES_PER_ELEMENT;
}

/**
 * Waits until a page has run every program once.
 *
 * @param socket open; messages of more than {@link mostBytesFrom} are refused by it
 * @throws GanglionError when it does not start; the connection is closed then
 */
export async function startPageReplica(id: number, socket: WebSocket, options: FrameOptions): Promise<PageReplica> {
  const { shards } = options.setup;
  const limit = exactLimit(shards * 2);
  let tell: (why: GanglionError) => void = () => {};
  const lost = new Promise<GanglionError>((resolve) => {
    tell = resolve;
  });
  const calls = new FrameCalls(id, options, (watcher) => {
    watch(socket, watcher);
    return {
      send(request, body) {
        if (socket.readyState !== socket.OPEN) return watcher.lost('exit', 'has left'); // its end may take long
        // Copied: what waits here to be sent must not change with the parameters, as late answers are compared, too. What may wait is
        // bounded by the shards that a page holds.
        socket.send(body ? Buffer.concat([encodeFrame(request, body.length), body]) : encodeFrame(request, 0));
      },
      kill(why) {
        close(socket, why);
        tell(why);
      },
    };
  });
  let answeredMs = 0;
  const compute = async (shard: Shard): Promise<ShardResult> => {
    const askedMs = Date.now();
    const result = await calls.compute(shard);
    const fromMs = Math.max(askedMs, answeredMs); // it computes one after another
    answeredMs = Date.now();
    const { values, release } = result;
    if (!(values instanceof Float32Array)) throw new Error('a page gives values of the host');
    if (findOutside(values, limit) !== -1) {
      release();
      throw calls.lose('range', `gave a value that is not finite or too large for ${describeShard(shard)}`);
    }
    const seconds = { start: fromMs / 1000, prepare: 0, compute: (answeredMs - fromMs) / 1000, copy: 0 };
    return { values, seconds, tensors: 0, release };
  };
  try {
    const given = await calls.start();
    const { arithmetic } = given;
    const nameOf = (text: string): string => toPrintable(text, NAME_LENGTH);
    const names = { engine: nameOf(given.engine), libraryVersion: nameOf(given.libraryVersion) };
    const ready = { ...names, ...(arithmetic === undefined ? {} : { arithmetic }), threadId: 0, pid: 0 };
    return {
      ...{ id, kind: 'page', ready, lost, compute },
      sample: () => Promise.reject(new Error('pages draw no samples')),
      async stop(why = new GanglionError('replica', 'the run has ended')) {
        close(socket, why);
        calls.lose('exit', 'was ended', why);
        await closed(socket);
      },
    };
  } catch (error) {
    calls.lose('error', messageOf(error), error);
    throw error;
  }
}

/** Tells what a page sends, and that it is gone. */
function watch(socket: WebSocket, { frames, lost }: FrameWatcher): void {
  const decoder = new FrameDecoder(frames);
  let missed = 0;
  const pings = setInterval(() => {
    if (missed === MISSED_PINGS) lost('heartbeat', `gave no sign of life for ${(missed * PING_MS) / 1000} s`);
    missed += 1;
    socket.ping();
  }, PING_MS);
  socket.on('pong', () => {
    missed = 0;
  });
  socket.on('message', (data, isBinary) => {
    missed = 0;
    try {
      if (!isBinary || !Buffer.isBuffer(data)) throw new Error('message that is text, expected a frame');
      decoder.push(data);
      if (!decoder.atBoundary) throw new Error('message that ends within a frame');
    } catch (error) {
      lost('frame', `sent a ${messageOf(error)}`, error);
    }
  });
  socket.on('error', (error) => lost('frame', `broke the connection: ${messageOf(error)}`, error)); // too long a message
  socket.on('close', () => {
    clearInterval(pings);
    lost('exit', 'has left');
  });
}

/** Says why, and ends the connection, also where nobody answers. */
function close(socket: WebSocket, { message }: GanglionError): void {
  if (socket.readyState === socket.CLOSED) return;
  socket.close(CLOSED_BY_RUN, toCloseReason(message.replace(/^replica \d+ /, '')));
  const timer = setTimeout(() => socket.terminate(), CLOSE_MS).unref();
  socket.on('close', () => clearTimeout(timer));
}

function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => socket.on('close', () => resolve()));
}
