"""Writes one set of images as people have it, by the programs that they use: Pillow, NumPy, pandas, pyarrow, zipfile, tarfile.

usage: write_data.py FOLDER COUNT; FOLDER/images.bin holds COUNT images of 28 x 28, FOLDER/labels.bin a class for each.
"""

import gzip
import io
import os
import struct
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

folder, count = sys.argv[1], int(sys.argv[2])
raw = np.fromfile(f"{folder}/images.bin", np.uint8).reshape(count, 28, 28)
labels = np.fromfile(f"{folder}/labels.bin", np.uint8)


def path(name):
    full = f"{folder}/{name}"
    os.makedirs(os.path.dirname(full), exist_ok=True)
    return full


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def write(name, content):
    with open(path(name), "wb") as file:
        file.write(content)


pictures = [Image.fromarray(pixels) for pixels in raw]

# Folders of pictures.
for i, picture in enumerate(pictures):
    png = encoded(picture, "PNG")
    write(f"png/{labels[i]}/{i}.png", png)
    write(f"split/training/{labels[i]}/img_{i}.png", png)
    write(f"flat/{i}.png", png)
    write(f"webp/{i:05d}.webp", encoded(picture, "WEBP", lossless=True))
    write(f"gif/{i:05d}.gif", encoded(picture, "GIF"))
    write(f"bmp/{i:05d}.bmp", encoded(picture, "BMP"))
    write(f"colour/{i}.png", encoded(picture.convert("RGB"), "PNG"))
    write(f"palette/{i}.png", encoded(picture.convert("P"), "PNG"))
    write(f"bmp24/{i}.bmp", encoded(picture.convert("RGB"), "BMP"))
    write(f"opaque/{i}.png", encoded(picture.convert("RGBA"), "PNG"))
    write(f"bmp32/{i}.bmp", encoded(picture.convert("RGBA"), "BMP"))
    if i < 3:
        write(f"split/testing/0/img_{i}.png", encoded(pictures[0], "PNG"))

# Arrays.
np.save(path("npy/images.npy"), raw)
np.save(path("npy/labels.npy"), labels.astype(np.int64))
np.save(path("wide.npy"), raw.astype(np.int32)[..., None])
np.savez_compressed(path("keras.npz"), x_train=raw, y_train=labels, x_test=raw[:2], y_test=labels[:2])
np.savez(path("plain.npz"), raw)
np.savez(path("medmnist.npz"), train_images=raw, train_labels=labels[:, None], val_images=raw[:2], test_images=raw[:2])

# Tables, as Kaggle's.
table = pd.DataFrame(raw.reshape(count, 784), columns=[f"pixel{i}" for i in range(784)])
table.to_csv(path("test.csv"), index=False)
table.insert(0, "label", labels)
table.to_csv(path("csv/train.csv"), index=False)
table.to_csv(path("headless.csv"), index=False, header=False, lineterminator="\r\n")
table.to_csv(path("packed.csv.gz"), index=False)

# Parquet, as Hugging Face's.
struct_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
rows = [{"bytes": encoded(picture, "PNG"), "path": None} for picture in pictures]
parquet = pa.table({"image": pa.array(rows, struct_type), "label": pa.array(labels.astype(np.int64))})
pq.write_table(parquet, path("hf/mnist/train-00000-of-00001.parquet"), row_group_size=50)
pq.write_table(parquet.slice(0, 2), path("hf/mnist/test-00000-of-00001.parquet"))
half = count // 2
pq.write_table(parquet.slice(0, half), path("shards/train-00000-of-00002.parquet"), compression="gzip")
pq.write_table(parquet.slice(half), path("shards/train-00001-of-00002.parquet"), compression="none")

# The same in colour: nothing of it is grey.
some = 40
rgb = np.stack([raw[:some], raw[:some, ::-1], 255 - raw[:some, :, ::-1]], axis=-1)
write("rgb/idx/images-idx4-ubyte", struct.pack(">IIIII", 0x804, some, 28, 28, 3) + rgb.tobytes())
np.save(path("rgb/last.npy"), rgb)
np.save(path("rgb/first.npy"), np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).astype(np.int64))
np.savez_compressed(path("rgb/keras.npz"), x_train=rgb, y_train=labels[:some], x_test=rgb[:2], y_test=labels[:2])
pd.DataFrame(rgb.reshape(some, -1)).to_csv(path("rgb/bare.csv"), index=False, header=False)
frame = pd.DataFrame(rgb.reshape(some, -1), columns=[f"pixel{i:04}" for i in range(28 * 28 * 3)])
frame.assign(label=labels[:some]).to_csv(path("rgb/named.csv"), index=False)
painted = [Image.fromarray(pixels) for pixels in rgb]
for i, picture in enumerate(painted):
    write(f"rgb/png/{labels[i]}/{i}.png", encoded(picture, "PNG"))
    write(f"rgb/clear/{i}.png", encoded(picture.convert("RGBA"), "PNG"))
    write(f"rgb/webp/{i}.webp", encoded(picture, "WEBP", lossless=True))
    write(f"rgb/bmp/{i}.bmp", encoded(picture, "BMP"))
rows = [{"bytes": encoded(picture, "PNG"), "path": f"{i}.png"} for i, picture in enumerate(painted)]
pq.write_table(pa.table({"img": pa.array(rows, struct_type)}), path("rgb/train.parquet"))
with zipfile.ZipFile(path("rgb/pictures.zip"), "w") as archive:
    for i, picture in enumerate(painted):
        archive.writestr(f"{labels[i]}/{i}.png", encoded(picture, "PNG"))

# Archives.
with zipfile.ZipFile(path("pictures.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
    for i, picture in enumerate(pictures):
        archive.writestr(f"mnist_png/{labels[i]}/{i}.png", encoded(picture, "PNG"))
    archive.writestr("__MACOSX/mnist_png/0/._0.png", b"leftover")
for name, mode in (("pictures.tar", "w"), ("pictures.tar.gz", "w:gz")):
    with tarfile.open(path(name), mode) as archive:
        for i, picture in enumerate(pictures):
            content = encoded(picture, "PNG")
            info = tarfile.TarInfo(f"./{'deep-' * 30}/{labels[i]}/{i}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
with zipfile.ZipFile(path("kaggle.zip"), "w") as archive:
    archive.write(path("csv/train.csv"), "digits/train.csv")
    archive.write(path("test.csv"), "digits/test.csv")

# What must be named: one of each in a folder of its own.
colours = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8))
turned = [colours.rotate(90)]


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, content, colour=0, depth=8):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", content) + chunk(b"IEND", b"")


whole = encoded(colours, "PNG")
jpeg = encoded(colours, "JPEG")
flipped = bytearray(whole)
flipped[100] ^= 255
broken = {
    "empty.png": b"",
    "text.png": b"hello",
    "cut.png": whole[: len(whole) // 2],
    "flipped.png": bytes(flipped),
    "cut.jpg": jpeg[: len(jpeg) // 2],
    "cut.bmp": encoded(colours, "BMP")[:-1],
    "cmyk.jpg": encoded(colours.convert("CMYK"), "JPEG"),
    "bomb-in-colour.png": png(28, 28, zlib.compress(b"\0" * 200_000_000), 2),
    "deep-in-colour.png": png(9, 9, zlib.compress(b"\0" * 9 * (1 + 9 * 6)), 2, 16),
    "cut-palette.png": png(28, 28, zlib.compress(b"\0" * 28 * 29), 3),
    "deep.png": encoded(Image.fromarray(np.full((9, 9), 4711, np.uint16)), "PNG"),
    "moving.gif": encoded(colours, "GIF", save_all=True, append_images=turned),
    "moving.webp": encoded(colours, "WEBP", save_all=True, append_images=turned),
    "moving.png": encoded(colours, "PNG", save_all=True, append_images=turned),
    "huge.png": png(60_000, 60_000, zlib.compress(b"\0" * 1000)),
    "bomb.png": png(28, 28, zlib.compress(b"\0" * 200_000_000)),
    "huge.jpg": encoded(Image.new("L", (9000, 9000)), "JPEG"),
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "scan.tiff": encoded(colours, "TIFF"),
}
for name, content in broken.items():
    write(f"broken/{name}", content)
    write(f"mixed/{name}", content)
for i in range(5):
    write(f"mixed/{i}.png", encoded(pictures[i], "PNG"))

# Colours, opacity and orientation.
write("orient/0.jpg", encoded(Image.fromarray(np.repeat(np.arange(0, 224, 8, dtype=np.uint8), 28).reshape(28, 28)), "JPEG", quality=100))
exif = Image.Exif()
exif[274] = 6
side = Image.fromarray(np.repeat(np.arange(0, 224, 8, dtype=np.uint8), 28).reshape(28, 28).T[:, ::1])
write("orient/1.jpg", encoded(side, "JPEG", quality=100, exif=exif))
half_clear = Image.fromarray(np.dstack([np.full((28, 28, 3), 200, np.uint8), np.full((28, 28), 128, np.uint8)]))
write("clear/0.png", encoded(half_clear, "PNG"))
with gzip.open(path("idx/train-images-idx3-ubyte.gz"), "wb") as file:
    file.write(struct.pack(">IIII", 0x803, count, 28, 28) + raw.tobytes())
with gzip.open(path("idx/train-labels-idx1-ubyte.gz"), "wb") as file:
    file.write(struct.pack(">II", 0x801, count) + labels.tobytes())
