// Images as rows of numbers in a text file, as Kaggle's MNIST has them: `label,pixel0,pixel1 ...`. Read byte by byte: 60,000 rows are 110 MB.

import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { show } from '../../shared/printable.ts';
import { type Dataset, nameWithCount, toDataset } from './dataset.ts';
import { nameOfKnown } from './known-sets.ts';
import { type LoadOptions, prepare } from './load-options.ts';
import { allocateImages, checkFits } from './memory.ts';
import type { Preparation } from './preparation.ts';
import { openContent, type SourceFile } from './source-file.ts';

/** Longest first line. */
const MOST_LINE = 2 ** 20;
const PIECE = 2 ** 20;
/** Images in a part while their number is not known. */
const PART = 4096;
const MOST_CLASSES = 2 ** 16;

const [LINE_FEED, RETURN, QUOTE, BLANK, POINT, ZERO, NINE] = [10, 13, 34, 32, 46, 48, 57];
const SEPARATORS = new Set([44, 59, 9]); // , ; and tab

/** What the first line says of the columns. */
interface Columns {
  readonly count: number;
  /** Place of the class; -1 for none. */
  readonly label: number;
  readonly side: number;
  /** Values of a pixel, which follow each other: 3 where the number of columns is that of a square in colour. */
  readonly channels: 1 | 3;
  readonly hasNames: boolean;
}

const isNumber = (cell: string): boolean => /^\d+(\.0*)?$/.test(cell);

/** Reads the first line of a table; undefined where it cannot be one of images. */
export function columnsOf(line: string): Columns | undefined {
  const cells = line
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split(/[,;\t]/)
    .map((cell) => cell.replaceAll('"', '').trim());
  const hasNames = !cells.every(isNumber);
  const squareOf = (count: number): Pick<Columns, 'side' | 'channels'> | undefined =>
    ([1, 3] as const)
      .map((channels) => ({ side: Math.sqrt(count / channels), channels }))
      .find(({ side }) => side >= 4 && Number.isInteger(side));
  const named = hasNames ? cells.findIndex((cell) => /^(label|class|target|y)$/i.test(cell)) : -1;
  const bare = named === -1 ? squareOf(cells.length) : undefined;
  const square = bare ?? squareOf(cells.length - 1);
  if (square === undefined) return undefined;
  return { count: cells.length, label: bare === undefined ? Math.max(named, 0) : -1, ...square, hasNames };
}

/** The first line among bytes, as text; undefined for bytes that are no text, or a line that does not end among them. */
export function firstLine(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(LINE_FEED);
  const line = bytes.subarray(0, end === -1 ? bytes.length : end);
  if (line.some((byte) => byte < BLANK && byte !== RETURN && !SEPARATORS.has(byte))) return undefined;
  return Buffer.from(line).toString('utf8');
}

/** Loads the images of a table. @throws GanglionError `data` that names the line of a value that is none */
export function loadTable(file: SourceFile, options: LoadOptions): Promise<Dataset> {
  return prepare(options, (preparation) => readTable(file, preparation, options));
}

async function readTable(file: SourceFile, preparation: Preparation, options: LoadOptions): Promise<Dataset> {
  const { reader, close } = await openContent(file);
  try {
    const head = await reader.take(MOST_LINE);
    const line = firstLine(head);
    const columns = line === undefined ? undefined : columnsOf(line);
    if (columns === undefined) {
      const expected = 'rows of as many numbers as a square has pixels, in grey or colour, with a class or without';
      const got = line === undefined ? 'no text' : `${line.split(/[,;\t]/).length} columns`;
      throw new GanglionError('data', `${file.name}: expected ${expected}, got ${got}`);
    }
    const rows = new TableRows(file.name, columns, preparation);
    for (let piece = head; piece.length > 0; piece = await reader.take(PIECE)) {
      rows.read(piece);
      options.onProgress(rows.count, rows.count);
    }
    return rows.end(options.name);
  } finally {
    await close();
  }
}

class TableRows {
  readonly #name: string;
  readonly #columns: Columns;
  readonly #preparation: Preparation;
  readonly #size: number;
  readonly #row: Uint8Array;
  readonly #parts: Uint8Array[] = [];
  readonly #labels: number[] = [];
  #line = 1;
  #column = 0;
  #value = 0;
  #digits = 0;
  #isFraction = false;
  count = 0;

  constructor(name: string, columns: Columns, preparation: Preparation) {
    this.#name = name;
    this.#columns = columns;
    this.#preparation = preparation;
    this.#row = new Uint8Array(columns.side ** 2 * columns.channels);
    this.#size = sizeOf(preparation.shape);
  }

  #fail(expected: string, got: string): never {
    throw new GanglionError('data', `${this.#name}: line ${this.#line}: expected ${expected}, got ${got}`);
  }

  read(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#line === 1 && this.#columns.hasNames) {
        if (byte === LINE_FEED) this.#line++;
      } else if (byte >= ZERO && byte <= NINE) {
        if (this.#isFraction) {
          if (byte !== ZERO) this.#fail('whole numbers', 'a fraction');
        } else {
          this.#value = this.#value * 10 + byte - ZERO;
          this.#digits++;
        }
      } else if (SEPARATORS.has(byte)) {
        this.#endCell();
      } else if (byte === LINE_FEED) {
        this.#endLine();
      } else if (byte === POINT && this.#digits > 0 && !this.#isFraction) {
        this.#isFraction = true;
      } else if (byte !== RETURN && byte !== QUOTE && byte !== BLANK && !(this.#line === 1 && byte >= 0xbb)) {
        this.#fail('numbers', show(String.fromCharCode(byte)));
      }
    }
  }

  #endCell(): void {
    const { label, count } = this.#columns;
    const value = this.#value;
    if (this.#digits === 0) this.#fail(`a number in column ${this.#column + 1}`, 'nothing');
    if (this.#column === label) {
      if (value >= MOST_CLASSES) this.#fail(`a class below ${MOST_CLASSES}`, String(value));
      this.#labels.push(value);
    } else if (this.#column < count) {
      if (value > 255) this.#fail('pixels from 0 to 255', String(value));
      this.#row[this.#column - (label !== -1 && this.#column > label ? 1 : 0)] = value;
    }
    this.#column++;
    this.#value = 0;
    this.#digits = 0;
    this.#isFraction = false;
  }

  #endLine(): void {
    if (this.#column > 0 || this.#digits > 0) {
      this.#endCell();
      const { count, side, channels } = this.#columns;
      if (this.#column !== count) this.#fail(`${count} columns`, String(this.#column));
      const at = this.count % PART;
      if (at === 0) {
        checkFits(this.count + PART, this.#size, this.#name);
        this.#parts.push(new Uint8Array(PART * this.#size));
      }
      const out = this.#parts.at(-1)?.subarray(at * this.#size, (at + 1) * this.#size) ?? new Uint8Array(0);
      this.#preparation.write({ width: side, height: side, channels, pixels: this.#row }, out);
      this.count++;
      this.#column = 0;
    }
    this.#line++;
  }

  /** @param name of the set, where it is not known */
  end(name: string): Dataset {
    this.#endLine();
    const preparation = this.#preparation;
    if (this.count === 0) throw new GanglionError('data', `${this.#name}: expected rows of images, got none`);
    const images = allocateImages(this.count, this.#size, this.#name);
    for (const [i, part] of this.#parts.entries()) {
      const start = i * PART * this.#size;
      images.set(part.subarray(0, images.length - start), start);
    }
    const facts = { preparation: preparation.describe() };
    const called = nameWithCount(name, this.count);
    const dataset = toDataset(called, images, Uint32Array.from(this.#labels), preparation.shape, facts);
    return { ...dataset, name: nameOfKnown(dataset.sha256) ?? dataset.name };
  }
}
