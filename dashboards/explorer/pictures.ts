// Images in [-1, 1] as pixels of a canvas and as PNG files.
import { toByte } from '../../shared/pixels.ts';

export const SIDE = 28;
/** Pixels of a file for one of the image, so that it can be seen. */
const ENLARGED = 10;
/** Black pixels between two images, as `ganglion sample` leaves them. */
const GAP = 2;

export function newCanvas(width: number, height = width): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('the browser gives no canvas');
  return context;
}

/** Paints an image with its upper left corner at (x, y). */
export function paint(canvas: HTMLCanvasElement, image: Float32Array, x = 0, y = 0): void {
  const pixels = new ImageData(SIDE, SIDE);
  image.forEach((value, i) => {
    const byte = toByte(value);
    pixels.data.set([byte, byte, byte, 255], 4 * i);
  });
  contextOf(canvas).putImageData(pixels, x, y);
}

/** Downloads one image, every pixel as a square. */
export async function saveImage(image: Float32Array, name: string): Promise<void> {
  const small = newCanvas(SIDE);
  paint(small, image);
  const large = newCanvas(SIDE * ENLARGED);
  const context = contextOf(large);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, large.width, large.height);
  await save(large, name);
}

/** Downloads images as a grid, as `ganglion sample --output X.png` lays them out. */
export async function saveGrid(images: readonly Float32Array[], name: string): Promise<void> {
  const columns = Math.ceil(Math.sqrt(images.length));
  const pitch = SIDE + GAP;
  const canvas = newCanvas(columns * pitch - GAP, Math.ceil(images.length / columns) * pitch - GAP);
  const context = contextOf(canvas);
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const [i, image] of images.entries()) {
    paint(canvas, image, (i % columns) * pitch, Math.floor(i / columns) * pitch);
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
