// The coordinator's arithmetic, eight numbers of float64 at a time: the exact sum of shared/exact-sum.ts and Adam of coordinator/adam.ts,
// with their bits. Every product and every sum is rounded by itself, as in JavaScript: nothing here may use fma.

#ifdef GANGLION_AVX512
using Doubles = __m512d;
INLINE Doubles load(const double* p) { return _mm512_loadu_pd(p); }
INLINE void store(double* p, Doubles v) { _mm512_storeu_pd(p, v); }
INLINE Doubles loadWide(const float* p) { return __builtin_convertvector(_mm256_loadu_ps(p), Doubles); }
/** Rounds to the nearest float32, ties to even, as a Float32Array does. */
INLINE void storeNarrow(float* p, Doubles v) { _mm256_storeu_ps(p, __builtin_convertvector(v, __m256)); }
INLINE Doubles splatWide(double x) { return _mm512_set1_pd(x); }
INLINE Doubles add(Doubles a, Doubles b) { return _mm512_add_pd(a, b); }
INLINE Doubles subtract(Doubles a, Doubles b) { return _mm512_sub_pd(a, b); }
INLINE Doubles multiply(Doubles a, Doubles b) { return _mm512_mul_pd(a, b); }
INLINE Doubles divide(Doubles a, Doubles b) { return _mm512_div_pd(a, b); }
// Not _mm512_sqrt_pd, nor the intrinsics of the conversions: GCC 12 warns of the undefined vector inside them.
INLINE Doubles squareRoot(Doubles a) { return _mm512_maskz_sqrt_pd(0xff, a); }
#else
struct Doubles {
  __m256d low, high;
};
INLINE Doubles load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
INLINE void store(double* p, Doubles v) { _mm256_storeu_pd(p, v.low), _mm256_storeu_pd(p + 4, v.high); }
INLINE Doubles loadWide(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))}; }
INLINE void storeNarrow(float* p, Doubles v) { _mm_storeu_ps(p, _mm256_cvtpd_ps(v.low)), _mm_storeu_ps(p + 4, _mm256_cvtpd_ps(v.high)); }
INLINE Doubles splatWide(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
INLINE Doubles add(Doubles a, Doubles b) { return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)}; }
INLINE Doubles subtract(Doubles a, Doubles b) { return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)}; }
INLINE Doubles multiply(Doubles a, Doubles b) { return {_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)}; }
INLINE Doubles divide(Doubles a, Doubles b) { return {_mm256_div_pd(a.low, b.low), _mm256_div_pd(a.high, b.high)}; }
INLINE Doubles squareRoot(Doubles a) { return {_mm256_sqrt_pd(a.low), _mm256_sqrt_pd(a.high)}; }
#endif

constexpr int LANES = 8;
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
