// Images in [-1, 1] as pixels of a canvas and as PNG files.
import { imageShapeOf } from '../../shared/model/spec.ts';
import { toByte } from '../../shared/pixels.ts';
import { data } from './embedded.ts';

const [HEIGHT, WIDTH, CHANNELS] = imageShapeOf(data.spec);
/** Pixels of a file for one of the image, so that it can be seen. */
const ENLARGED = 10;
/** Black pixels between two images, as `ganglion sample` leaves them. */
const GAP = 2;

/** A canvas that an image fills. */
export function newCanvas(): HTMLCanvasElement {
  return resize(document.createElement('canvas'));
}

/** Gives a canvas the size of so many images side by side and above each other. @returns the canvas */
export function resize(canvas: HTMLCanvasElement, columns = 1, rows = 1): HTMLCanvasElement {
  canvas.width = columns * WIDTH;
  canvas.height = rows * HEIGHT;
  return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('the browser gives no canvas');
  return context;
}

/** Paints an image into a cell of a canvas that {@link resize} has given its size. */
export function paintCell(canvas: HTMLCanvasElement, image: Float32Array, column: number, row: number): void {
  paint(canvas, image, column * WIDTH, row * HEIGHT);
}

/** Paints an image with its upper left corner at (x, y). */
export function paint(canvas: HTMLCanvasElement, image: Float32Array, x = 0, y = 0): void {
  const pixels = new ImageData(WIDTH, HEIGHT);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    const values = image.subarray(i * CHANNELS, (i + 1) * CHANNELS);
    const [red = 0, green = red, blue = red] = Array.from(values, toByte);
    pixels.data.set([red, green, blue, 255], 4 * i);
  }
  contextOf(canvas).putImageData(pixels, x, y);
}

/** Downloads one image, every pixel as a square. */
export async function saveImage(image: Float32Array, name: string): Promise<void> {
  const small = newCanvas();
  paint(small, image);
  const large = resize(document.createElement('canvas'), ENLARGED, ENLARGED);
  const context = contextOf(large);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, large.width, large.height);
  await save(large, name);
}

/** Downloads images as a grid, as `ganglion sample --output X.png` lays them out. */
export async function saveGrid(images: readonly Float32Array[], name: string): Promise<void> {
  const columns = Math.ceil(Math.sqrt(images.length));
  const [across, down] = [WIDTH + GAP, HEIGHT + GAP];
  const canvas = document.createElement('canvas');
  canvas.width = columns * across - GAP;
  canvas.height = Math.ceil(images.length / columns) * down - GAP;
  const context = contextOf(canvas);
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const [i, image] of images.entries()) {
    paint(canvas, image, (i % columns) * across, Math.floor(i / columns) * down);
  }
  await save(canvas, name);
}

async function save(canvas: HTMLCanvasElement, name: string): Promise<void> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('the browser makes no PNG');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold on the bytes once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
