"""Prints as JSON what Pillow makes of pictures, a frame an entry: read_gif.py FILE..."""

import hashlib
import json
import sys

from PIL import Image


def frames(path):
    with Image.open(path) as image:
        for at in range(getattr(image, "n_frames", 1)):
            image.seek(at)
            red, green, blue = image.convert("RGB").split()
            assert red.tobytes() == green.tobytes() == blue.tobytes(), f"{path}: frame {at} is not grey"
            pixels = hashlib.sha256(red.tobytes()).hexdigest()
            yield {"size": image.size, "ms": image.info.get("duration"), "loop": image.info.get("loop"), "pixels": pixels}


print(json.dumps([frame for path in sys.argv[1:] for frame in frames(path)]))
