// The judge's layers, eight numbers of float64 at a time: `convolvePatches` of workers/judge/patches.ts, with its bits. Every product and every
// sum is rounded by itself, as in JavaScript: nothing here may use fma.

/** The outputs from o on of one patch: BLOCKS times eight, each added up in the order of k. */
template <int BLOCKS>
INLINE void addFound(const double* found, const int* places, int count, const double* weights, const double* bias, int patch, double* out) {
  Doubles sum[BLOCKS];
  for (int b = 0; b < BLOCKS; b++) sum[b] = load(bias + b * LANES);
  for (int k = 0; k < count; k++) {
    const Doubles value = splatWide(found[k]);
    for (int b = 0; b < BLOCKS; b++) sum[b] = add(sum[b], multiply(value, load(weights + (b * patch + places[k]) * LANES)));
  }
  for (int b = 0; b < BLOCKS; b++) store(out + b * LANES, sum[b]);
}

void convolvePatches(const PatchShape& s, const double* weights, const double* bias, const double* values, double* out) {
  constexpr int STRIDE = 2;
  const int patch = s.patch();
  double found[MOST_PATCH];
  int places[MOST_PATCH];
  for (int at = 0; at < s.outSide * s.outSide; at++) {
    const int top = at / s.outSide * STRIDE - s.margin, left = at % s.outSide * STRIDE - s.margin;
    int count = 0;
    for (int ky = std::max(0, -top); ky < s.kernel && top + ky < s.side; ky++)
      for (int kx = std::max(0, -left); kx < s.kernel && left + kx < s.side; kx++)
        for (int c = 0; c < s.channels; c++) {
          const double value = values[((top + ky) * s.side + left + kx) * s.channels + c];
          places[count] = (ky * s.kernel + kx) * s.channels + c;
          found[count] = value;
          count += value != 0;
        }
    double* const to = out + at * s.outputs;
    int o = 0;
    for (; o + 4 * LANES <= s.outputs; o += 4 * LANES) addFound<4>(found, places, count, weights + o * patch, bias + o, patch, to + o);
    for (; o < s.outputs; o += LANES) addFound<1>(found, places, count, weights + o * patch, bias + o, patch, to + o);
  }
  if (s.isRectified)
    for (int i = 0; i < s.outSide * s.outSide * s.outputs; i++) out[i] = out[i] > 0 ? out[i] : 0;
}
