"""Ganglion's random numbers in numpy: the streams of shared/random.ts over the Philox 4x32-10 of shared/philox.ts.

`python ganglion_random.py` checks the generator against the known-answer vectors of Random123.
"""

from __future__ import annotations

import math

import numpy as np

STREAMS = {"discriminatorNoise": 1, "generatorNoise": 2, "sampler": 3, "initialisation": 4, "samples": 5}

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)

# counter, key, expected; from Random123's tests/kat_vectors, philox4x32 10.
KNOWN_ANSWERS = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)


def philox(counters: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """One block of four words for each counter: [N, 4] integers below 2^32 -> [N, 4] uint32."""
    c0, c1, c2, c3 = (counters[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(10):
        product0 = c0 * np.uint64(0xD2511F53)
        product1 = c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def random_words(seed: int, stream: str, time: int, part: int, count: int) -> np.ndarray:
    """`count` uint32 words of a stream."""
    blocks = -(-count // 4)
    counters = np.empty((blocks, 4), dtype=np.uint64)
    counters[:, 0] = np.arange(blocks)
    counters[:, 1] = time
    counters[:, 2] = STREAMS[stream]
    counters[:, 3] = part
    return philox(counters, (seed & 0xFFFFFFFF, seed >> 32)).reshape(-1)[:count]


def normal(seed: int, stream: str, time: int, part: int, count: int) -> np.ndarray:
    """`count` standard normal float32 values of a stream (Box-Muller in float64)."""
    words = random_words(seed, stream, time, part, -(-count // 2) * 2).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log((words[0::2] + 1.0) * 2.0**-32))
    angle = 2.0 * math.pi * (words[1::2] * 2.0**-32)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count].astype(np.float32)


def uniform(seed: int, stream: str, time: int, part: int, low: float, high: float, count: int) -> np.ndarray:
    """`count` uniform float32 values in [low, high) of a stream."""
    words = random_words(seed, stream, time, part, count).astype(np.float64)
    return (low + (high - low) * words * 2.0**-32).astype(np.float32)


def check_known_answers() -> None:
    """Raises AssertionError where `philox` disagrees with Random123."""
    for counter, key, expected in KNOWN_ANSWERS:
        found = tuple(int(word) for word in philox(np.array([counter], dtype=np.uint64), key)[0])
        assert found == expected, f"philox{counter}: {found}, expected {expected}"


if __name__ == "__main__":
    check_known_answers()
    print(f"Philox 4x32-10 agrees with {len(KNOWN_ANSWERS)} known answers of Random123")
