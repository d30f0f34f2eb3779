// The coordinator's arithmetic, eight numbers of float64 at a time: the exact sum of shared/exact-sum.ts and Adam of coordinator/adam.ts,
// with their bits. Every product and every sum is rounded by itself, as in JavaScript: nothing here may use fma.

/** That of shared/exact-sum.ts. */
constexpr double ROUNDER = 1.5 * (1 << 12);

/** Calls f with the arrays from 0, 8, 16 and so on; what is left at the end is computed in a copy, with zeros after it. */
template <class F, class... Arrays>
INLINE void eachEight(int64_t size, F f, Arrays*... arrays) {
  int64_t i = 0;
  for (; i + LANES <= size; i += LANES) f((arrays + i)...);
  if (i == size) return;
  std::tuple<std::array<std::remove_const_t<Arrays>, LANES>...> rest{};
  const auto copy = [&](auto& values, auto* from) { memcpy(values.data(), from + i, sizeof *from * (size - i)); };
  const auto copyBack = [&](auto& values, auto* to) {
    if constexpr (!std::is_const_v<std::remove_pointer_t<decltype(to)>>) memcpy(to + i, values.data(), sizeof *to * (size - i));
  };
  std::apply([&](auto&... values) { (copy(values, arrays), ...), f(values.data()...), (copyBack(values, arrays), ...); }, rest);
}

/** Rounds values onto the exact grid; adds them onto the sum or, first of all, sets it. */
template <bool IS_FIRST>
void addRounded(double* sum, const float* values, int64_t size) {
  const Doubles rounder = splatWide(ROUNDER);
  eachEight(size, [=](double* s, const float* x) {
    const Doubles rounded = subtract(add(loadWide(x), rounder), rounder);
    store(s, IS_FIRST ? rounded : add(load(s), rounded));
  }, sum, values);
}

/** One step of Adam. Returns the L2 norm of the mean gradient. */
double applyAdam(const AdamFactors& factors, float* theta, float* m, float* v, const double* sum, int64_t size) {
  const Doubles beta1 = splatWide(factors.beta1), rest1 = splatWide(1 - factors.beta1);
  const Doubles beta2 = splatWide(factors.beta2), rest2 = splatWide(1 - factors.beta2);
  const Doubles unbias1 = splatWide(factors.unbias1), unbias2 = splatWide(factors.unbias2), scale = splatWide(factors.scale);
  const Doubles learningRate = splatWide(factors.learningRate), epsilon = splatWide(factors.epsilon);
  Doubles squares = splatWide(0);
  eachEight(size, [&](float* theta, float* m, float* v, const double* sum) {
    const Doubles g = multiply(load(sum), scale);
    squares = add(squares, multiply(g, g)); // of the zeros at the end this is 0
    const Doubles mean = add(multiply(beta1, loadWide(m)), multiply(rest1, g));
    const Doubles square = add(multiply(beta2, loadWide(v)), multiply(multiply(rest2, g), g));
    storeNarrow(m, mean);
    storeNarrow(v, square);
    const Doubles move = divide(multiply(learningRate, multiply(mean, unbias1)), add(squareRoot(multiply(square, unbias2)), epsilon));
    storeNarrow(theta, subtract(loadWide(theta), move));
  }, theta, m, v, sum);
  double partial[LANES];
  store(partial, squares);
  double total = partial[0];
  for (int lane = 1; lane < LANES; lane++) total += partial[lane];
  return std::sqrt(total);
}
