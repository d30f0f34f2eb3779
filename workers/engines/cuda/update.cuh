// The update of a net where it lies, with the arithmetic of coordinator/training: the exact sum of phase vectors, Adam, and running statistics.
#pragma once
#include "device.h"

/** That of shared/exact-sum.ts. */
constexpr double ROUNDER = 1.5 * 4096;
/** Parameters whose squared gradients are added up by themselves, in so many sums. */
constexpr int NORM_BLOCK = 4096, NORM_LANES = 8;

/** Phase vectors that one launch adds: as many as the CPU's kernels in one pass over memory. */
#define VECTORS                                                                                                                     \
  const float *v0, const float *v1, const float *v2, const float *v3, const float *v4, const float *v5, const float *v6, const float *v7, \
      int count, int isFirst

/** The sum at a place, with the vectors' values. */
DEVICE double sumAt(const double* sum, i64 at, VECTORS) {
  const float* const vectors[] = {v0, v1, v2, v3, v4, v5, v6, v7};
  double total = isFirst ? 0 : sum[at];
  UNROLL for (int i = 0; i < 8; i++)
    if (i < count) total = dAdd(total, dSub(dAdd(widen(vectors[i][at]), ROUNDER), ROUNDER));
  return total;
}
#define GIVEN_VECTORS v0, v1, v2, v3, v4, v5, v6, v7, count, isFirst

/** Threads that look for vectors that cannot be added: one a vector and number of those that follow the parameters, losses and outputs. */
constexpr int MOST_SCALARS = 4, LOOKING = 8 * MOST_SCALARS;
/**
 * Tells a block, behind its next barrier, whether nothing is to be changed: a vector has a loss or an output that the exact sum cannot take, as every one
 * has in which a pass has found such a value, or an earlier launch has found one. `halted` stays 1 until the host has looked.
 */
DEVICE void lookForHalt(int* isHalted, const int* halted, int size, int scalars, double limit, VECTORS) {
  const float* const vectors[] = {v0, v1, v2, v3, v4, v5, v6, v7};
  if (TID == 0) *isHalted = *halted;
  barrier();
  if (TID >= LOOKING || TID % MOST_SCALARS >= scalars) return;
  UNROLL for (int i = 0; i < 8; i++)
    if (i == TID / MOST_SCALARS && i < count && !(magnitude(widen(vectors[i][size + TID % MOST_SCALARS])) < limit)) *isHalted = 1;
}

/** Adds vectors of `length`, in which the host has found nothing bad, to the sum; a thread a number. */
KERNEL(addRounded, 256, double* sum, int length, VECTORS) {
  const i64 at = placeInGrid();
  if (at < length) sum[at] = sumAt(sum, at, GIVEN_VECTORS);
}

/**
 * Adds vectors to the sum and applies Adam to the first `size` numbers, those of the parameters; the others are stored in the sum. A block 4,096
 * numbers, of whose squared gradients `squares` gets the sum.
 */
BLOCK_KERNEL(applyAdam, 256, double* sum, float* theta, float* m, float* v, double* squares, int size, int length, VECTORS, double learningRate,
             double beta1, double rest1, double beta2, double rest2, double unbias1, double unbias2, double epsilon, double scale, int* halted,
             double limit) {
  SHARED double all[NORM_BLOCK];
  SHARED double lanes[NORM_LANES];
  SHARED int isHalted;
  lookForHalt(&isHalted, halted, size, length - size < MOST_SCALARS ? length - size : MOST_SCALARS, limit, GIVEN_VECTORS);
  barrier();
  if (isHalted) {
    if (TID == 0) *halted = 1;
    return;
  }
  UNROLL_4 for (int i = TID; i < NORM_BLOCK; i += THREADS) {
    const i64 at = (i64)BLOCK * NORM_BLOCK + i;
    all[i] = 0;
    if (at >= length) continue;
    const double total = sumAt(sum, at, GIVEN_VECTORS);
    if (at >= size) {
      sum[at] = total;
      continue;
    }
    const double g = dMul(total, scale);
    all[i] = dMul(g, g);
    const double mean = dAdd(dMul(beta1, widen(m[at])), dMul(rest1, g));
    const double square = dAdd(dMul(beta2, widen(v[at])), dMul(dMul(rest2, g), g));
    m[at] = narrow(mean);
    v[at] = narrow(square);
    const double move = dDiv(dMul(learningRate, dMul(mean, unbias1)), dAdd(dSqrt(dMul(square, unbias2)), epsilon));
    theta[at] = narrow(dSub(widen(theta[at]), move));
  }
  barrier();
  if (TID < NORM_LANES) {
    double lane = 0;
    UNROLL_16 for (int i = TID; i < NORM_BLOCK; i += NORM_LANES) lane = dAdd(lane, all[i]);
    lanes[TID] = lane;
  }
  barrier();
  if (TID > 0) return;
  double total = lanes[0];
  for (int lane = 1; lane < NORM_LANES; lane++) total = dAdd(total, lanes[lane]);
  squares[BLOCK] = total;
}

/** running = (1 - 0.1) running + 0.1 of the mean; a thread a number. */
KERNEL(trackStatistics, 256, const double* sum, float* running, int size, double rest, double momentum, double scale, const int* halted) {
  const int at = placeInGrid();
  if (at < size && !*halted) running[at] = narrow(dAdd(dMul(rest, widen(running[at])), dMul(momentum, dMul(sum[at], scale))));
}

/** average = keep average + take values; a thread a number. */
KERNEL(moveAverage, 256, float* average, const float* values, int size, double keep, double take, const int* halted) {
  const i64 at = placeInGrid();
  if (at < size && !*halted) average[at] = narrow(dAdd(dMul(keep, widen(average[at])), dMul(take, widen(values[at]))));
}

/** report: the norm of the gradient, then `count` numbers of the sum, then whether nothing was changed. */
KERNEL(reportUpdate, 1, const double* squares, int blocks, const double* sum, int count, double* report, const int* halted) {
  double norm = 0;
  UNROLL_16 for (int block = 0; block < blocks; block++) norm = dAdd(norm, squares[block]);
  report[0] = dSqrt(norm);
  for (int i = 0; i < count; i++) report[1 + i] = sum[i];
  report[1 + count] = *halted;
}
