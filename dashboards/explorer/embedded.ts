// What the export has put into the page.
import type { ExplorerData } from '../../shared/explorer-data.ts';
import { byId } from '../live/format.js';

const textOf = (id: string): string => byId(id, HTMLScriptElement).text;

export const data = JSON.parse(textOf('explorer-data')) as ExplorerData;

export function toBytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

export function toFloats(base64: string): Float32Array {
  return new Float32Array(toBytes(base64).buffer);
}

/** Bytes of the weights, in the order of the model's manifest. */
export function weights(): ArrayBuffer {
  return toBytes(textOf('weights')).buffer;
}

/** Address of the program of the backend wasm. */
export function wasmUrl(): string {
  return `data:application/wasm;base64,${textOf('wasm')}`;
}
