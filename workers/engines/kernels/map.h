// Functions of single values, over arrays of any length.

/** y[i] = f(a[i], ...) for `size` values; what is left at the end is computed in a whole vector too. */
template <class F, class... Inputs>
INLINE void map(int64_t size, float* y, F f, const Inputs*... inputs) {
  int64_t i = 0;
  for (; i + WIDTH <= size; i += WIDTH) store(y + i, f(load(inputs + i)...));
  if (i == size) return;
  const auto rest = [&](const float* from) {
    float values[WIDTH] = {};
    memcpy(values, from + i, sizeof(float) * (size - i));
    return load(values);
  };
  float values[WIDTH];
  store(values, f(rest(inputs)...));
  memcpy(y + i, values, sizeof(float) * (size - i));
}
