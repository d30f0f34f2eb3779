// What a pass begins with: noise and pixels. A job lies in the device's memory: the step, then a number for every shard, and of a pass over
// images that lie there the numbers of these.
#pragma once
#include "fdlibm.cuh"

/** Noise [shard, count] as of shared/random.ts; a thread four values of a shard (y). */
KERNEL(drawNoise, 256, const u32* job, float* noise, int key0, int key1, int stream, int count) {
  const int at = placeInGrid() * 4;
  if (at >= count) return;
  // Philox 4x32-10
  u32 c0 = at / 4, c1 = job[0], c2 = stream, c3 = job[1 + BLOCK_Y], k0 = key0, k1 = key1;
  for (int round = 0; round < 10; round++) {
    const u32 high0 = multiplyHigh(0xd2511f53, c0), low0 = 0xd2511f53 * c0, high1 = multiplyHigh(0xcd9e8d57, c2), low1 = 0xcd9e8d57 * c2;
    c0 = high1 ^ c1 ^ k0, c1 = low1, c2 = high0 ^ c3 ^ k1, c3 = low0;
    k0 += 0x9e3779b9, k1 += 0xbb67ae85;
  }
  const u32 words[4] = {c0, c1, c2, c3};
  for (int pair = 0; pair < 4; pair += 2) {
    const double u1 = dMul(dAdd((double)words[pair], 1), 0x1p-32), u2 = dMul((double)words[pair + 1], 0x1p-32);
    const double radius = dSqrt(dMul(-2, logarithm(u1)));
    double cosine, sine;
    cosineAndSine(dMul(0x1.921fb54442d18p2, u2), cosine, sine);
    float* own = noise + (i64)BLOCK_Y * count;
    if (at + pair < count) own[at + pair] = narrow(dMul(radius, cosine));
    if (at + pair + 1 < count) own[at + pair + 1] = narrow(dMul(radius, sine));
  }
}

DEVICE float fromByte(unsigned char byte) { return narrow(dSub(dDiv((double)byte, 127.5), 1)); }

/** Bytes of pixels as images in [-1, 1]; a thread a value. */
KERNEL(toImages, 256, const unsigned char* pixels, float* images, int size) {
  const i64 at = placeInGrid();
  if (at < size) images[at] = fromByte(pixels[at]);
}

/** The images of the data set, `values` bytes each, that `numbers` names, in [-1, 1]; a thread a value. */
KERNEL(takeImages, 256, const unsigned char* data, const u32* numbers, float* images, int values, int size) {
  const i64 at = placeInGrid();
  if (at < size) images[at] = fromByte(data[(i64)numbers[at / values] * values + at % values]);
}
