// The coordinator's arithmetic, eight numbers of float64 at a time: the exact sum of shared/exact-sum.ts and Adam of coordinator/training/adam.ts,
// with their bits. Every product and every sum is rounded by itself, as in JavaScript: nothing here may use fma.
// Both are one pass over memory, for up to eight arrays: a number of the sum is in a register from the first array's value until its
// parameter has been moved.

/** That of shared/exact-sum.ts. */
constexpr double ROUNDER = 1.5 * (1 << 12);

/** Arrays that one pass adds, with a loop for every number of them; of more arrays, each eight take a pass before it. */
constexpr int MOST_ARRAYS = 8;

/** How far memory is fetched ahead, in numbers: the arrays are more than the processor follows, and other cores have written them. */
constexpr int AHEAD = 256;

/** How many numbers of eight there are: all. At the end of an array it is an int64_t below. */
using Eight = std::integral_constant<int64_t, LANES>;

/** As many numbers from p on, with zeros after them. */
template <class T, class Count>
INLINE Doubles loadSome(const T* p, Count count) {
  T copy[LANES] = {};
  if constexpr (!std::is_same_v<Count, Eight>) p = static_cast<const T*>(memcpy(copy, p, sizeof *p * count));
  if constexpr (std::is_same_v<T, double>) return load(p);
  else return loadWide(p);
}

template <class T, class Count>
INLINE void storeSome(T* p, Doubles v, Count count) {
  T copy[LANES];
  T* const to = std::is_same_v<Count, Eight> ? p : copy;
  if constexpr (std::is_same_v<T, double>) store(to, v);
  else storeNarrow(to, v);
  if constexpr (!std::is_same_v<Count, Eight>) memcpy(p, copy, sizeof *p * count);
}

/**
 * Computes the sum from `begin` to `end`: adds the values of every array, in the order of the arrays, each rounded onto the exact grid.
 * Calls f with the place of the sum's numbers, one or two vectors of them, and how many of each eight there are; f has to store them.
 */
template <int COUNT, class F>
INLINE void eachSum(const double* sum, const Summands& summands, int64_t begin, int64_t end, F f) {
  const Doubles rounder = splatWide(ROUNDER);
  std::array<const float*, COUNT> arrays;
  std::copy_n(summands.arrays, COUNT, arrays.begin());
  const auto next = [&](auto& total, int64_t i, auto count) __attribute__((always_inline)) {
    constexpr int N = sizeof total / sizeof *total;
    for (int k = 0; k < N; k++) total[k] = summands.isFirst ? splatWide(0) : loadSome(sum + i + k * LANES, count);
    for (const float* values : arrays) {
      __builtin_prefetch(values + i + AHEAD);
      for (int k = 0; k < N; k++) {
        const Doubles value = loadSome(values + i + k * LANES, count);
        total[k] = add(total[k], subtract(add(value, rounder), rounder));
      }
    }
    f(i, total, count);
  };
  int64_t i = begin;
  Doubles both[2], one[1];
  for (; i + 2 * LANES <= end; i += 2 * LANES) next(both, i, Eight{});
  for (; i < end; i += LANES) next(one, i, std::min<int64_t>(LANES, end - i));
}

template <int COUNT>
void addSome(double* sum, const Summands& summands, int64_t begin, int64_t end) {
  eachSum<COUNT>(sum, summands, begin, end, [=](int64_t i, auto& total, auto count) __attribute__((always_inline)) {
    for (const Doubles& numbers : total) {
      __builtin_prefetch(sum + i + AHEAD, 1);
      storeSome(sum + i, numbers, count);
      i += LANES;
    }
  });
}

/** Adds all arrays but the last eight or fewer; calls f with these, and with how many they are as a constant. */
template <int COUNT = MOST_ARRAYS, class F>
void addBefore(double* sum, int64_t size, Summands summands, F f) {
  for (; summands.count > MOST_ARRAYS; summands = {summands.arrays + MOST_ARRAYS, summands.count - MOST_ARRAYS, false})
    addSome<MOST_ARRAYS>(sum, summands, 0, size);
  if constexpr (COUNT > 0)
    if (summands.count < COUNT) return addBefore<COUNT - 1>(sum, size, summands, f);
  f(summands, std::integral_constant<int, COUNT>{});
}

/** `addRounded` of shared/exact-sum.ts. */
void addRounded(double* sum, int64_t size, const Summands& summands) {
  addBefore(sum, size, summands, [&](const Summands& last, auto count) { addSome<count>(sum, last, 0, size); });
}

/** Parameters whose squared gradients are added up, in a sum a lane, before their lanes and the blocks are, in order. */
constexpr int64_t NORM_BLOCK = 4096;

/**
 * One step of Adam on the first numbers of the sum, in the pass that adds the arrays: what has moved a parameter is not stored, for that
 * took as long as Adam. Returns the L2 norm of the mean gradient.
 */
template <int COUNT>
double addAndApply(const AdamFactors& factors, const AdamArrays& arrays, double* sum, int64_t size, const Summands& summands) {
  const Doubles beta1 = splatWide(factors.beta1), rest1 = splatWide(1 - factors.beta1);
  const Doubles beta2 = splatWide(factors.beta2), rest2 = splatWide(1 - factors.beta2);
  const Doubles unbias1 = splatWide(factors.unbias1), unbias2 = splatWide(factors.unbias2), scale = splatWide(factors.scale);
  const Doubles learningRate = splatWide(factors.learningRate), epsilon = splatWide(factors.epsilon);
  double norm = 0;
  for (int64_t begin = 0; begin < arrays.size; begin += NORM_BLOCK) {
    Doubles squares = splatWide(0);
    const int64_t end = std::min(begin + NORM_BLOCK, arrays.size);
    eachSum<COUNT>(sum, summands, begin, end, [&](int64_t i, auto& total, auto count) __attribute__((always_inline)) {
      for (const float* array : {arrays.theta, arrays.m, arrays.v}) __builtin_prefetch(array + i + AHEAD, 1);
      for (const Doubles& gradients : total) {
        float *const theta = arrays.theta + i, *const m = arrays.m + i, *const v = arrays.v + i;
        const Doubles g = multiply(gradients, scale);
        squares = add(squares, multiply(g, g)); // of the zeros at the end this is 0
        const Doubles mean = add(multiply(beta1, loadSome(m, count)), multiply(rest1, g));
        const Doubles square = add(multiply(beta2, loadSome(v, count)), multiply(multiply(rest2, g), g));
        storeSome(m, mean, count);
        storeSome(v, square, count);
        const Doubles move = divide(multiply(learningRate, multiply(mean, unbias1)), add(squareRoot(multiply(square, unbias2)), epsilon));
        storeSome(theta, subtract(loadSome(theta, count), move), count);
        i += LANES;
      }
    });
    double partial[LANES];
    store(partial, squares);
    for (int lane = 1; lane < LANES; lane++) partial[0] += partial[lane];
    norm += partial[0];
  }
  addSome<COUNT>(sum, summands, arrays.size, size);
  return std::sqrt(norm);
}

/** `applyAdam` of coordinator/training/adam.ts. */
double applyAdam(const AdamFactors& factors, const AdamArrays& arrays, double* sum, int64_t size, const Summands& summands) {
  double norm = 0;
  addBefore(sum, size, summands, [&](const Summands& last, auto count) { norm = addAndApply<count>(factors, arrays, sum, size, last); });
  return norm;
}

/** `moveTowards` of coordinator/training/average.ts. */
void moveAverage(float* average, const float* values, int64_t size, double keep) {
  const Doubles kept = splatWide(keep), taken = splatWide(1 - keep);
  const auto move = [&](int64_t i, auto count) __attribute__((always_inline)) {
    storeSome(average + i, add(multiply(kept, loadSome(average + i, count)), multiply(taken, loadSome(values + i, count))), count);
  };
  int64_t i = 0;
  for (; i + LANES <= size; i += LANES) move(i, Eight{});
  if (i < size) move(i, size - i);
}
