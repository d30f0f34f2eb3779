// The page: one digit is shown; sliders, map, path and gallery move it through the latent space, and the generator draws it.
import { messageOf } from '../../shared/error.ts';
import { byId, whole } from '../live/format.js';
import { Drawing } from './drawing.ts';
import { data, toFloats } from './embedded.ts';
import { Gallery } from './gallery.ts';
import { Generator } from './generator.ts';
import { Directions, noiseOf } from './latent.ts';
import { DigitMap, type Place } from './map.ts';
import { twoDigits } from './numbers.ts';
import { Path } from './path.ts';
import { paint, resize, saveImage } from './pictures.ts';
import { Sliders } from './sliders.ts';

/** The map is drawn anew once nothing has moved for as long. */
const MAP_DELAY_MS = 120;

/** The digit that is shown. */
interface Shown {
  readonly z: Float32Array;
  /** The noise before it was moved. */
  readonly origin: Float32Array;
  readonly name: string;
  /** Without the ending. */
  readonly file: string;
  /** Where it was drawn, if from a seed. */
  readonly drawn?: { readonly seed: number; readonly image: number };
}

const latent = data.spec.latentSize;
const directions = new Directions(toFloats(data.directions.values), latent);
const hasMap = directions.count >= 2;
const drawing = new Drawing((error) => say(`The generator has stopped: ${messageOf(error)}`, true));

const canvas = resize(byId('digit', HTMLCanvasElement));
const save = byId('save', HTMLButtonElement);
const reset = byId('reset', HTMLButtonElement);
let shown: Shown;
/** The shown digit's pixels, once they are there. */
let pixels: Float32Array | undefined;
let mapTimer: ReturnType<typeof setTimeout> | undefined;
/** What the map shows: it stays while a digit moves within it. */
let mapKey = '';

const sliders = new Sliders(data.directions.shares, (direction, coordinate) => {
  path.pause();
  move(directions.moved(shown.z, direction, coordinate));
});
const map = hasMap
  ? new DigitMap(directions.count, {
      onMove(place) {
        path.pause();
        move(at(place));
      },
      onAxes: () => showPlace(),
    })
  : undefined;
byId('map-section', HTMLElement).hidden = !hasMap;

const gallery = new Gallery(drawing, latent, (digit) => {
  path.pause();
  show(fromSeed(digit.seed, digit.image));
});
gallery.onTurn = () => gallery.mark(isMoved() ? undefined : shown.drawn);
const path = new Path(drawing, {
  onMove: (z, text) => show({ z, origin: z, name: text, file: 'between' }),
  onPick: ({ z, name }) => show({ z, origin: z, name, file: fileName(name) }),
});

byId('add', HTMLElement).addEventListener('click', () => path.add({ z: shown.z, name: nameOf(shown) }));
reset.addEventListener('click', () => {
  path.pause();
  show({ ...shown, z: shown.origin });
});
save.addEventListener('click', () => {
  if (pixels) void saveImage(pixels, `${shown.file}${isMoved() ? '-moved' : ''}.png`);
});

function fromSeed(seed: number, image: number): Shown {
  const z = noiseOf(seed, image, latent);
  const name = `Seed ${seed}, image ${image}`;
  return { z, origin: z, name, file: fileName(name), drawn: { seed, image } };
}

function fileName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

function isMoved(): boolean {
  return shown.z !== shown.origin;
}

function nameOf({ name }: Shown): string {
  return isMoved() ? `${name}, moved` : name;
}

function move(z: Float32Array): void {
  show({ ...shown, z });
}

/** The shown digit, moved to a place of the map. */
function at([x, y]: Place): Float32Array {
  const [across, up] = map?.axes ?? [0, 0];
  return directions.moved(directions.moved(shown.z, across, x), up, y);
}

function show(digit: Shown): void {
  shown = digit;
  byId('digit-text', HTMLElement).textContent = nameOf(digit);
  reset.disabled = !isMoved();
  gallery.mark(isMoved() ? undefined : digit.drawn);
  sliders.show(Array.from({ length: directions.count }, (_, i) => directions.coordinate(digit.z, i)));
  showPlace();
  drawDigit();
}

function drawDigit(): void {
  void drawing.order('digit', [shown.z], (image) => {
    pixels = image;
    save.disabled = false;
    paint(canvas, image);
  });
}

function showPlace(): void {
  if (!map) return;
  const [across, up] = map.axes;
  map.show([directions.coordinate(shown.z, across), directions.coordinate(shown.z, up)]);
  // All but the two coordinates, rounded: what a move within the map leaves as it is.
  const key = `${map.axes} ${Array.from(at([0, 0]), (value) => value.toFixed(3))}`;
  if (key === mapKey) return;
  mapKey = key;
  map.waiting = true;
  clearTimeout(mapTimer);
  mapTimer = setTimeout(drawMap, MAP_DELAY_MS);
}

function drawMap(): void {
  if (!map) return;
  const drawn = drawing.order('map', map.lattice.map(at), (image, cell) => map.paint(image, cell));
  const key = mapKey;
  void drawn.then((complete) => {
    if (complete && key === mapKey) map.waiting = false;
  });
}

function say(text: string, failed = false): void {
  const line = byId('drawn-by', HTMLElement);
  line.textContent = text;
  line.classList.toggle('failed', failed);
}

async function start(): Promise<void> {
  try {
    const generator = await Generator.start();
    drawing.start(generator);
    const { way, milliseconds, difference } = generator;
    const same = 'the images are those of ganglion sample, bit by bit';
    const near = `pixels differ by at most ${difference.toExponential(0)} from those of ganglion sample`;
    say(`Drawn by ${way}, ${twoDigits(milliseconds)} ms an image; ${difference === 0 ? same : near}`);
  } catch (error) {
    say(messageOf(error), true);
  }
}

/**
 * For programs, such as tests: the images, float32 in [-1, 1], that the page draws.
 *
 * @returns [count][values of an image]
 */
async function images(seed: number, first: number, count: number): Promise<number[][]> {
  const noises = Array.from({ length: count }, (_, i) => noiseOf(seed, first + i, latent));
  const drawn: number[][] = [];
  await drawing.order('asked', noises, (image) => drawn.push(Array.from(image)));
  return drawn;
}
Object.assign(globalThis, { explorer: { images } });

document.title = `Images of ${data.run} – Ganglion`;
byId('from', HTMLElement).textContent = `run ${data.run}, step ${whole(data.step)}, noise of length ${whole(latent)}`;
save.disabled = true;
const opening = data.clearest.images.map((image) => fromSeed(data.clearest.seed, image));
show(opening[0] ?? fromSeed(data.clearest.seed, 0));
gallery.draw();
gallery.onTurn();
path.add(...opening.map(({ z, name }) => ({ z, name })));
void start();
