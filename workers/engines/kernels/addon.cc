// The Node-API add-on: plans of kernels, run in one call. workers/engines/kernels/binding.ts has its types.
#include <node_api.h>
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <atomic>
#include <memory>
#include "step.h"

namespace {

constexpr size_t HUGE_PAGE = 1 << 21;

/** What a call throws in JavaScript. */
struct Failure {
  std::string message;
};

/** Memory on a boundary of huge pages. */
struct Memory {
  float* data = nullptr;
  size_t bytes = 0;
  explicit Memory(size_t floats) {
    bytes = (floats * sizeof(float) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (bytes == 0) bytes = HUGE_PAGE;
    data = static_cast<float*>(std::aligned_alloc(HUGE_PAGE, bytes));
    if (data == nullptr) throw Failure{"kernels: no memory for " + std::to_string(bytes) + " bytes"};
#ifdef __linux__
    madvise(data, bytes, MADV_HUGEPAGE);
#endif
  }
  Memory(const Memory&) = delete;
  ~Memory() { release(); }
  void release() {
    std::free(data);
    data = nullptr;
  }
};

/** Steps, and where their buffers lie. */
struct Plan {
  std::vector<Step> steps;
  /** In floats from the start of the arena; below 0 for the array -1 - offset of a call. */
  std::vector<int> offsets;
  /** Length of every array of a call. */
  std::vector<int> lengths;
  size_t arenaFloats;
};

/** The values of one run of a plan. */
struct Frame {
  std::shared_ptr<const Plan> plan;
  Memory arena;
  std::vector<float*> buffers;
  explicit Frame(std::shared_ptr<const Plan> of) : plan(of), arena(of->arenaFloats), buffers(of->offsets.size()) {
    std::memset(arena.data, 0, arena.bytes);
    for (size_t i = 0; i < buffers.size(); i++) buffers[i] = plan->offsets[i] < 0 ? nullptr : arena.data + plan->offsets[i];
  }
};

#ifdef __aarch64__
/** All that this processor has, the widest first. */
std::vector<const Kernels*> detect() { return {&NEON}; }
#else
/** All that this processor has, the widest first. By its own words: not every compiler has `__builtin_cpu_supports`. */
std::vector<const Kernels*> detect() {
  unsigned a, b, c, d, saved, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA) || !(c & bit_OSXSAVE)) return {};
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0)); // the registers that the system keeps when it changes threads
  constexpr unsigned YMM = 0x6, ZMM = 0xe6, WIDE = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2) || (saved & YMM) != YMM) return {};
  if ((b & WIDE) == WIDE && (saved & ZMM) == ZMM) return {&AVX512, &AVX2};
  return {&AVX2};
}
#endif

/** The widest; null on an x86 processor without AVX2 and FMA. */
const Kernels* widest() {
  const auto sets = detect();
  return sets.empty() ? nullptr : sets[0];
}

/** One for the process: its threads compute with the same instructions. */
std::atomic<const Kernels*> chosen{widest()};

void check(napi_status status, const char* what) {
  if (status != napi_ok) throw Failure{std::string("kernels: expected ") + what};
}

template <class T>
struct Array {
  T* data;
  size_t length;
};

template <class T>
Array<T> toArray(napi_env env, napi_value value, napi_typedarray_type expected, const char* what) {
  napi_typedarray_type type;
  Array<T> array;
  void* data;
  check(napi_get_typedarray_info(env, value, &type, &array.length, &data, nullptr, nullptr), what);
  if (type != expected) throw Failure{std::string("kernels: expected ") + what};
  array.data = static_cast<T*>(data);
  return array;
}

std::vector<int> toIntegers(napi_env env, napi_value value) {
  const auto array = toArray<int32_t>(env, value, napi_int32_array, "an Int32Array");
  return {array.data, array.data + array.length};
}

std::string toText(napi_env env, napi_value value) {
  char text[64];
  size_t length;
  check(napi_get_value_string_utf8(env, value, text, sizeof text, &length), "a string");
  return {text, length};
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value), name);
  return value;
}

double toDouble(napi_env env, napi_value object, const char* name) {
  double value;
  check(napi_get_value_double(env, property(env, object, name), &value), name);
  return value;
}

std::vector<napi_value> elements(napi_env env, napi_value array) {
  uint32_t length;
  check(napi_get_array_length(env, array, &length), "an array");
  std::vector<napi_value> values(length);
  for (uint32_t i = 0; i < length; i++) check(napi_get_element(env, array, i, &values[i]), "an element");
  return values;
}

template <class T>
T& toExternal(napi_env env, napi_value value) {
  void* data;
  check(napi_get_value_external(env, value, &data), "a plan or a frame");
  return *static_cast<T*>(data);
}

template <class T>
napi_value wrap(napi_env env, T* data) {
  napi_value value;
  const auto finalise = [](napi_env, void* pointer, void*) { delete static_cast<T*>(pointer); };
  check(napi_create_external(env, data, finalise, nullptr, &value), "an external");
  return value;
}

using Shared = std::shared_ptr<const Plan>;

const Kernels& kernels() {
  const Kernels* found = chosen;
  if (found == nullptr) throw Failure{"kernels: expected a processor with AVX2 and FMA"};
  return *found;
}

/** createPlan({steps: {kernel, buffers, sizes, value}[], offsets, lengths, floats}) */
napi_value createPlan(napi_env env, napi_value* arguments) {
  const napi_value source = arguments[0];
  auto plan = std::make_shared<Plan>();
  plan->offsets = toIntegers(env, property(env, source, "offsets"));
  plan->lengths = toIntegers(env, property(env, source, "lengths"));
  plan->arenaFloats = static_cast<size_t>(toDouble(env, source, "floats"));
  for (const napi_value from : elements(env, property(env, source, "steps"))) {
    Step step;
    const std::string kernel = toText(env, property(env, from, "kernel"));
    step.buffers = toIntegers(env, property(env, from, "buffers"));
    step.sizes = toIntegers(env, property(env, from, "sizes"));
    step.value = static_cast<float>(toDouble(env, from, "value"));
    step.run = kernels().find(kernel, step.sizes);
    if (step.run == nullptr) {
      napi_value nothing;
      check(napi_get_undefined(env, &nothing), "undefined");
      return nothing;
    }
    for (const int buffer : step.buffers)
      if (buffer < 0 || buffer >= static_cast<int>(plan->offsets.size())) throw Failure{"kernels: expected a buffer of the plan"};
    plan->steps.push_back(step);
  }
  return wrap(env, new Shared(plan));
}

/** createFrame(plan) */
napi_value createFrame(napi_env env, napi_value* arguments) { return wrap(env, new Frame(toExternal<Shared>(env, arguments[0]))); }

/** releaseFrame(frame): gives its memory back now, not when the garbage collector comes by; no run can use it after that. */
napi_value releaseFrame(napi_env env, napi_value* arguments) {
  Frame& frame = toExternal<Frame>(env, arguments[0]);
  frame.arena.release();
  frame.buffers.assign(frame.buffers.size(), nullptr);
  return nullptr;
}

/** run(frame, first, last, arrays) */
napi_value run(napi_env env, napi_value* arguments) {
  Frame& frame = toExternal<Frame>(env, arguments[0]);
  const Plan& plan = *frame.plan;
  int32_t first, last;
  check(napi_get_value_int32(env, arguments[1], &first), "a step");
  check(napi_get_value_int32(env, arguments[2], &last), "a step");
  if (first < 0 || first > last || last > static_cast<int>(plan.steps.size())) throw Failure{"kernels: expected steps of the plan"};
  const std::vector<napi_value> arrays = elements(env, arguments[3]);
  if (arrays.size() != plan.lengths.size()) throw Failure{"kernels: expected an array for each of the plan's"};
  std::vector<float*> given(arrays.size());
  for (size_t i = 0; i < arrays.size(); i++) {
    napi_valuetype type;
    check(napi_typeof(env, arrays[i], &type), "a Float32Array");
    if (type == napi_undefined) continue; // these steps do not use it
    const auto array = toArray<float>(env, arrays[i], napi_float32_array, "a Float32Array");
    if (array.length != static_cast<size_t>(plan.lengths[i])) throw Failure{"kernels: expected an array of the plan's length"};
    given[i] = array.data;
  }
  for (size_t i = 0; i < frame.buffers.size(); i++)
    if (plan.offsets[i] < 0) frame.buffers[i] = given[-1 - plan.offsets[i]];
  for (int i = first; i < last; i++)
    for (const int buffer : plan.steps[i].buffers)
      if (frame.buffers[buffer] == nullptr) throw Failure{"kernels: expected an array that the steps use"};
  for (int i = first; i < last; i++) plan.steps[i].run(plan.steps[i], frame.buffers.data());
  return nullptr;
}

/** findOutside(values, limit) */
napi_value findOutside(napi_env env, napi_value* arguments) {
  const auto values = toArray<float>(env, arguments[0], napi_float32_array, "a Float32Array");
  double limit;
  check(napi_get_value_double(env, arguments[1], &limit), "a limit");
  napi_value result;
  const int64_t index = kernels().findOutside(values.data, values.length, limit);
  check(napi_create_int64(env, index, &result), "a number");
  return result;
}

/** The arguments of an exact sum: a Float64Array, an array of Float32Arrays as long, and whether they are the first. */
struct SumArguments {
  Array<double> sum;
  std::vector<const float*> arrays;
  bool isFirst;
  SumArguments(napi_env env, const napi_value* arguments) : sum(toArray<double>(env, arguments[0], napi_float64_array, "a Float64Array")) {
    for (const napi_value element : elements(env, arguments[1])) {
      const auto values = toArray<float>(env, element, napi_float32_array, "a Float32Array");
      if (values.length != sum.length)
        throw Failure{"exact sum of " + std::to_string(sum.length) + " values, got " + std::to_string(values.length)};
      arrays.push_back(values.data);
    }
    check(napi_get_value_bool(env, arguments[2], &isFirst), "a boolean");
  }
  Summands summands() const { return {arrays.data(), arrays.size(), isFirst}; }
};

/** addRounded(sum, values, isFirst) */
napi_value addRounded(napi_env env, napi_value* arguments) {
  const SumArguments added(env, arguments);
  kernels().addRounded(added.sum.data, added.sum.length, added.summands());
  return nullptr;
}

/** applyAdam(factors, theta, m, v, sum, values, isFirst) */
napi_value applyAdam(napi_env env, napi_value* arguments) {
  const auto factor = [&](const char* name) { return toDouble(env, arguments[0], name); };
  const AdamFactors factors = {factor("learningRate"), factor("beta1"),   factor("beta2"), factor("epsilon"),
                               factor("unbias1"),      factor("unbias2"), factor("scale")};
  const auto theta = toArray<float>(env, arguments[1], napi_float32_array, "a Float32Array");
  const auto m = toArray<float>(env, arguments[2], napi_float32_array, "a Float32Array");
  const auto v = toArray<float>(env, arguments[3], napi_float32_array, "a Float32Array");
  const SumArguments added(env, arguments + 4);
  const auto& sum = added.sum;
  if (m.length != theta.length || v.length != theta.length || sum.length < theta.length)
    throw Failure{"Adam: expected moments and a sum of " + std::to_string(theta.length) + " parameters, got " +
                  std::to_string(m.length) + " and " + std::to_string(v.length) + " moments, a sum of " + std::to_string(sum.length)};
  const AdamArrays arrays = {theta.data, m.data, v.data, static_cast<int64_t>(theta.length)};
  napi_value norm;
  check(napi_create_double(env, kernels().applyAdam(factors, arrays, sum.data, sum.length, added.summands()), &norm), "a number");
  return norm;
}

/** moveAverage(average, values, keep) */
napi_value moveAverage(napi_env env, napi_value* arguments) {
  const auto average = toArray<float>(env, arguments[0], napi_float32_array, "a Float32Array");
  const auto values = toArray<float>(env, arguments[1], napi_float32_array, "a Float32Array");
  double keep;
  check(napi_get_value_double(env, arguments[2], &keep), "a number");
  if (average.length != values.length)
    throw Failure{"average of " + std::to_string(average.length) + " values, got " + std::to_string(values.length)};
  kernels().moveAverage(average.data, values.data, average.length, keep);
  return nullptr;
}

/** fillNormal(key0, key1, stream, time, part, out) */
napi_value fillNormal(napi_env env, napi_value* arguments) {
  uint32_t words[5];
  for (int i = 0; i < 5; i++) check(napi_get_value_uint32(env, arguments[i], &words[i]), "a word of the stream");
  const auto out = toArray<float>(env, arguments[5], napi_float32_array, "a Float32Array");
  kernels().fillNormal({words[0], words[1], words[2], words[3], words[4]}, out.data, out.length);
  return nullptr;
}

/** toNormal(words, out) */
napi_value toNormal(napi_env env, napi_value* arguments) {
  const auto words = toArray<uint32_t>(env, arguments[0], napi_uint32_array, "a Uint32Array");
  const auto out = toArray<double>(env, arguments[1], napi_float64_array, "a Float64Array");
  if (words.length != out.length || words.length % 2 != 0)
    throw Failure{"toNormal: expected an even number of words and as many results, got " + std::to_string(words.length) + " and " +
                  std::to_string(out.length)};
  kernels().toNormal(words.data, out.data, out.length);
  return nullptr;
}

/** convolvePatches(shape, weights, bias, values, out) */
napi_value convolvePatches(napi_env env, napi_value* arguments) {
  const std::vector<int> sizes = toIntegers(env, arguments[0]);
  if (sizes.size() != 7) throw Failure{"convolvePatches: expected seven numbers of a shape"};
  const PatchShape s = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]};
  const auto array = [&](int i) { return toArray<double>(env, arguments[i], napi_float64_array, "a Float64Array"); };
  const auto weights = array(1), bias = array(2), values = array(3), out = array(4);
  const bool isSane = std::all_of(sizes.begin(), sizes.end(), [](int size) { return size >= 0 && size <= MOST_PATCH; });
  const auto is = [](const Array<double>& given, size_t length) { return given.length == length; };
  if (!isSane || s.outputs % LANES != 0 || s.kernel * s.kernel > MOST_PATCH || s.patch() > MOST_PATCH ||
      !is(weights, static_cast<size_t>(s.outputs) * s.patch()) || !is(bias, s.outputs) ||
      !is(values, static_cast<size_t>(s.side) * s.side * s.channels) || !is(out, static_cast<size_t>(s.outSide) * s.outSide * s.outputs))
    throw Failure{"convolvePatches: expected arrays of the shape's lengths"};
  kernels().convolvePatches(s, weights.data, bias.data, values.data, out.data);
  return nullptr;
}

/** limitIsa('avx2'): the kernels of AVX2 where there are wider ones too. */
napi_value limitIsa(napi_env env, napi_value* arguments) {
  const std::string name = toText(env, arguments[0]);
  if (name != "avx2") throw Failure{"limitIsa: expected 'avx2'"};
  for (const Kernels* set : detect())
    if (set->name == name) chosen = set;
  return nullptr;
}

/** Whether a convolution of ones counts the pixels under its kernel, 4 x 4 inside and 3 x 3 in a corner, and tanh has its values. */
bool computesRightly(const Kernels& set) {
  constexpr int SIDE = 8, INNER = 32, OUTER = 64, HALF = SIDE / 2;
  std::vector<float> x(SIDE * SIDE * INNER, 1), filter(16 * INNER * OUTER, 1), y(HALF * HALF * OUTER);
  const std::vector<int> sizes = {SIDE, INNER, OUTER, 1};
  float* buffers[] = {x.data(), filter.data(), y.data()};
  const Step convolve = {set.find("convolve", sizes), {0, 1, 2}, sizes, 0};
  convolve.run(convolve, buffers);
  float angles[] = {-30, -1, 0, 0.25f, 1}, tangents[5];
  float* others[] = {angles, tangents};
  const Step tanh = {set.find("tanh", {5}), {0, 1}, {5}, 0};
  tanh.run(tanh, others);
  bool isRight = y[0] == 9 * INNER && y[(HALF + 1) * OUTER] == 16 * INNER && tangents[0] == -1 && tangents[2] == 0;
  for (int i = 0; i < 5; i++) isRight = isRight && std::fabs(tangents[i] - std::tanh(angles[i])) < 1e-6;
  return isRight;
}

/** selfTest(): all the kernels that this processor can run */
napi_value selfTest(napi_env env, napi_value*) {
  const auto sets = detect();
  napi_value result;
  check(napi_get_boolean(env, std::all_of(sets.begin(), sets.end(), [](const Kernels* set) { return computesRightly(*set); }), &result),
        "a boolean");
  return result;
}

/** The property `isa`. */
napi_value getIsa(napi_env env, napi_value*) {
  const Kernels* found = chosen;
  napi_value name;
  check(napi_create_string_utf8(env, found ? found->name : "none", NAPI_AUTO_LENGTH, &name), "a string");
  return name;
}

template <napi_value (*F)(napi_env, napi_value*), size_t COUNT>
napi_value call(napi_env env, napi_callback_info info) {
  napi_value arguments[COUNT + 1];
  size_t count = COUNT + 1;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  try {
    return F(env, arguments);
  } catch (const Failure& failure) {
    napi_throw_error(env, nullptr, failure.message.c_str());
    return nullptr;
  }
}

}  // namespace

float* scratch() {
  static thread_local const Memory memory(SCRATCH_FLOATS);
  return memory.data;
}

NAPI_MODULE_INIT() {
  const napi_property_attributes visible = napi_enumerable;
  const napi_property_descriptor properties[] = {
      {"isa", nullptr, nullptr, call<getIsa, 0>, nullptr, nullptr, visible, nullptr},
      {"limitIsa", nullptr, call<limitIsa, 1>, nullptr, nullptr, nullptr, visible, nullptr},
      {"selfTest", nullptr, call<selfTest, 0>, nullptr, nullptr, nullptr, visible, nullptr},
      {"createPlan", nullptr, call<createPlan, 1>, nullptr, nullptr, nullptr, visible, nullptr},
      {"createFrame", nullptr, call<createFrame, 1>, nullptr, nullptr, nullptr, visible, nullptr},
      {"releaseFrame", nullptr, call<releaseFrame, 1>, nullptr, nullptr, nullptr, visible, nullptr},
      {"run", nullptr, call<run, 4>, nullptr, nullptr, nullptr, visible, nullptr},
      {"findOutside", nullptr, call<findOutside, 2>, nullptr, nullptr, nullptr, visible, nullptr},
      {"addRounded", nullptr, call<addRounded, 3>, nullptr, nullptr, nullptr, visible, nullptr},
      {"applyAdam", nullptr, call<applyAdam, 7>, nullptr, nullptr, nullptr, visible, nullptr},
      {"moveAverage", nullptr, call<moveAverage, 3>, nullptr, nullptr, nullptr, visible, nullptr},
      {"fillNormal", nullptr, call<fillNormal, 6>, nullptr, nullptr, nullptr, visible, nullptr},
      {"convolvePatches", nullptr, call<convolvePatches, 5>, nullptr, nullptr, nullptr, visible, nullptr},
      {"toNormal", nullptr, call<toNormal, 2>, nullptr, nullptr, nullptr, visible, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
