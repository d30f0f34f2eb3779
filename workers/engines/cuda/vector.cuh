// What a pass ends with: its outputs in a phase vector a shard (shared/model/phase-vector.ts), and the first value that the exact sum cannot take.
#pragma once
#include "fdlibm.cuh"

/** Part of an output: where it lies in memory, how far the next shard's is from it, its place in the vector, how many values it has. */
struct Piece {
  int from, stride, to, count;
};

/**
 * Copies pieces (x) of shards (y) into their vectors. `found` is at most the place of the first value that is not below the limit; such a vector's
 * loss, which is there already, becomes such a value, too, for those who add the vector up before the host has looked (update.cuh).
 */
KERNEL(deliver, 256, const float* memory, const Piece* pieces, float* const* vectors, int* found, int lossPlace, float limit) {
  const Piece piece = pieces[BLOCK];
  const float* from = memory + piece.from + (i64)BLOCK_Y * piece.stride;
  float* const vector = own(vectors[BLOCK_Y]);
  float* to = vector + piece.to;
  for (int i = TID; i < piece.count; i += THREADS) {
    const float value = from[i];
    to[i] = value;
    if (magnitude(value) < limit) continue;
    atLeast(found + BLOCK_Y, piece.to + i);
    vector[lossPlace] = value;
  }
}

constexpr int LOSS_THREADS = 256;

/**
 * Mean cross-entropy and mean probability of the logits [shard, count] against a label, as of shared/model/losses.ts, put into the vectors;
 * a block a shard. A value that the exact sum cannot take counts as found at `length`, behind all others, or after that.
 */
BLOCK_KERNEL(meanLosses, LOSS_THREADS, const float* logits, float* const* vectors, int* found, int count, float label, int lossPlace,
             int outputPlace, int length, float limit) {
  SHARED double terms[2][LOSS_THREADS];
  double sum = 0;
  for (int first = 0; first < count; first += LOSS_THREADS) {
    const int some = count - first < LOSS_THREADS ? count - first : LOSS_THREADS;
    if (TID < some) {
      const double logit = widen(logits[(i64)BLOCK * count + first + TID]);
      const double above = dSub(logit > 0 ? logit : 0, dMul(logit, label));
      terms[0][TID] = dAdd(above, logarithmOfOneAnd(exponential(-magnitude(logit))));
      terms[1][TID] = dDiv(1, dAdd(1, exponential(-logit)));
    }
    barrier();
    if (TID % 32 == 0 && TID < 64)
      for (int i = 0; i < some; i++) sum = dAdd(sum, terms[TID / 32][i]);
    barrier();
  }
  if (TID % 32 != 0 || TID >= 64) return;
  const double mean = dDiv(sum, count);
  own(vectors[BLOCK])[TID == 0 ? lossPlace : outputPlace] = narrow(mean);
  if (!(magnitude(mean) < widen(limit))) atLeast(found + BLOCK, length + TID / 32);
}
