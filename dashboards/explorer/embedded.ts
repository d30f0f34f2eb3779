// What the export has put into the page.
import type { ExplorerData } from '../../shared/explorer-data.ts';
import { byId } from '../live/format.js';

const textOf = (id: string): string => byId(id, HTMLScriptElement).text;

export const data = JSON.parse(textOf('explorer-data')) as ExplorerData;

/** Bytes of the weights, or of a program. */
export function bytesOf(id: string): Uint8Array<ArrayBuffer> {
  return toBytes(textOf(id));
}

export function toFloats(base64: string): Float32Array<ArrayBuffer> {
  return new Float32Array(toBytes(base64).buffer);
}

function toBytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
