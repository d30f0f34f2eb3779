// The worker of a page that lends its processor: gets the kernels, then a ticket, connects, and computes until one side has enough. It tells the
// page what becomes of it.
import { messageOf } from '../../shared/error.ts';
import { CLOSED_BY_RUN, LEND_PATH, LEND_PROTOCOL, type LendNews } from '../../shared/page-protocol.ts';
import {
  isFused,
  startKernels,
  WASM_FILES,
  WASM_IMPORTS,
  type WasmKernels,
} from '../../workers/engines/wasm/kernels.ts';
import { LentReplica } from './lent-replica.ts';

/** News go to the page this often at most. */
const NEWS_MS = 500;

const tell = (news: LendNews): void => postMessage(news);

async function loadKernels(): Promise<WasmKernels> {
  const response = await fetch(new URL(WASM_FILES.fused, location.href));
  if (!response.ok) throw new Error(`the kernels cannot be had: ${response.status}`);
  const bytes = await response.arrayBuffer();
  if (!WebAssembly.validate(bytes)) throw new Error('this browser has no relaxed SIMD, which the kernels need');
  const { instance } = await WebAssembly.instantiate(bytes, WASM_IMPORTS);
  const kernels = startKernels(instance.exports);
  if (!isFused(kernels)) throw new Error('WebAssembly rounds a multiply-add twice here, and would give other bits');
  return kernels;
}

/** Connects, and computes until the connection ends. */
function lend(kernels: WasmKernels, ticket: string): void {
  const url = new URL(`../${LEND_PATH}`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url, [LEND_PROTOCOL, ticket]);
  socket.binaryType = 'arraybuffer';
  let [shards, shardSize, toldMs] = [0, 0, 0];
  const end = (reason: string): void => {
    tell({ kind: 'ended', reason });
    close();
  };
  const replica = new LentReplica({
    kernels,
    send: (frame) => socket.send(frame),
    onReady(size) {
      shardSize = size;
      tell({ kind: 'lending', shards, images: 0 });
    },
    onShard() {
      shards += 1;
      if (performance.now() - toldMs < NEWS_MS) return;
      toldMs = performance.now();
      tell({ kind: 'lending', shards, images: shards * shardSize });
    },
  });
  socket.addEventListener('message', ({ data }) => {
    replica.take(new Uint8Array(data)).catch((error) => {
      socket.close();
      end(messageOf(error));
    });
  });
  socket.addEventListener('close', ({ code, reason }) => {
    end(code === CLOSED_BY_RUN ? reason : 'the connection was lost');
  });
}

loadKernels().then(
  (kernels) => {
    addEventListener('message', ({ data }: MessageEvent<string>) => lend(kernels, data));
    tell({ kind: 'loaded' });
  },
  (error: unknown) => tell({ kind: 'ended', reason: messageOf(error) }),
);
