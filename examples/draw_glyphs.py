"""Draws letters in the fonts of a system: a set of images to try a training with.

usage: draw_glyphs.py FOLDER [--count 4000] [--test 0] [--size 64] [--letters ABCDEF] [--grey]

Needs Pillow (pip install pillow) and fonts, such as Debian's fonts-dejavu and fonts-liberation. The same arguments, fonts and version of
Pillow draw the same images. FOLDER/png/train/A/0.png ... has a folder a letter, FOLDER/idx the same in the files of MNIST's format; the
last TEST of the COUNT images are test images.
"""

import argparse
import colorsys
import random
import struct
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONTS = Path("/usr/share/fonts/truetype")
FAMILIES = ("dejavu/DejaVuSans", "dejavu/DejaVuSerif", "liberation/LiberationSans", "liberation/LiberationSerif")

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--count", type=int, default=4000)
parser.add_argument("--test", type=int, default=0)
parser.add_argument("--size", type=int, default=64)
parser.add_argument("--letters", default="ABCDEF")
parser.add_argument("--grey", action="store_true")
options = parser.parse_args()
size, letters = options.size, options.letters
draw = random.Random(1)

files = sorted(path for family in FAMILIES for path in (FONTS / family).parent.glob(f"{Path(family).name}*.ttf"))
files = [path for path in files if "Mono" not in path.name and "Light" not in path.name]
if not files:
    raise SystemExit(f"expected fonts in {FONTS}, got none: apt-get install fonts-dejavu fonts-liberation")
heights = range(size * 3 // 4, size * 9 // 10)
fonts = {(path, height): ImageFont.truetype(path, height) for path in files for height in heights}


def bright(hue):
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 1, 1))


def glyph(letter):
    """White on black, in one of the fonts, a little turned."""
    mask = Image.new("L", (size, size))
    font = fonts[draw.choice(files), draw.choice(heights)]
    ImageDraw.Draw(mask).text((size / 2, size / 2), letter, fill=255, font=font, anchor="mm")
    return mask.rotate(draw.uniform(-8, 8), Image.Resampling.BICUBIC)


def image_of(letter):
    mask = glyph(letter)
    if options.grey:
        return mask
    image = Image.new("RGB", (size, size))
    image.paste(bright(draw.random()), (0, 0), mask)
    return image


images, labels = [], []
for i in range(options.count):
    labels.append(draw.randrange(len(letters)))
    images.append(image_of(letters[labels[-1]]))

first_test = options.count - options.test
for part, name, chosen in (("train", "train", range(first_test)), ("test", "t10k", range(first_test, options.count))):
    if not chosen:
        continue
    for i in chosen:
        folder = options.folder / "png" / part / letters[labels[i]]
        folder.mkdir(parents=True, exist_ok=True)
        images[i].save(folder / f"{i}.png")
    folder = options.folder / "idx"
    folder.mkdir(exist_ok=True)
    sides = [len(chosen), size, size] + ([] if options.grey else [3])
    header = struct.pack(f">{len(sides) + 1}I", 0x800 + len(sides), *sides)
    (folder / f"{name}-images-idx{len(sides)}-ubyte").write_bytes(header + b"".join(images[i].tobytes() for i in chosen))
    header = struct.pack(">II", 0x801, len(chosen))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + bytes(labels[i] for i in chosen))
