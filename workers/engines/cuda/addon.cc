// The Node-API add-on of the CUDA engine: a device of the driver, and plans of kernels that run on it as one graph. binding.ts has its types.
#include <node_api.h>
#include <memory>
#include <string>
#include <vector>
#include "driver.h"

namespace {
using namespace cuda;

/** What a call throws in JavaScript. */
struct Failure {
  std::string message;
};

void expect(napi_status status, const char* what) {
  if (status != napi_ok) throw Failure{std::string("cuda: expected ") + what};
}

struct OpenDriver {
  Driver call;
  /** @throws Failure that names the function and the driver's error */
  void check(Result result, const char* what) const {
    if (result == 0) return;
    const char* name = nullptr;
    if (call.getErrorName(result, &name) != 0 || name == nullptr) name = "unknown error";
    throw Failure{std::string(what) + ": " + name + " (" + std::to_string(result) + ")"};
  }
};
#define CHECK(driver, name, ...) (driver).check((driver).call.name(__VA_ARGS__), #name)

/** A device, its kernels, and the stream of this thread. The primary context is shared by all threads of the process. */
struct Gpu {
  std::shared_ptr<OpenDriver> driver;
  Device device = 0;
  Context context = nullptr;
  Module module = nullptr;
  Stream stream = nullptr;
  ~Gpu() {
    if (context == nullptr) return;
    driver->call.ctxSetCurrent(context);
    if (stream) driver->call.streamDestroy(stream);
    if (module) driver->call.moduleUnload(module);
    driver->call.primaryCtxRelease(device);
  }
};

struct Place {
  size_t floats, length;
};

/** Launches over one piece of the device's memory, instantiated as a graph. */
struct Plan {
  std::shared_ptr<Gpu> gpu;
  Pointer memory = 0;
  /** Where the arrays of a call lie. */
  std::vector<Place> arrays;
  GraphExec graph = nullptr;
  void release() {
    if (memory == 0) return;
    auto& call = gpu->driver->call;
    call.ctxSetCurrent(gpu->context);
    if (graph) call.graphExecDestroy(graph);
    call.memFree(memory);
    memory = 0, graph = nullptr;
  }
  ~Plan() { release(); }
};

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  expect(napi_get_named_property(env, object, name, &value), name);
  return value;
}

double toDouble(napi_env env, napi_value value) {
  double number;
  expect(napi_get_value_double(env, value, &number), "a number");
  return number;
}

std::string toText(napi_env env, napi_value value) {
  size_t length;
  expect(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string");
  std::string text(length, 0);
  expect(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length), "a string");
  return text;
}

std::vector<napi_value> elements(napi_env env, napi_value array) {
  uint32_t length;
  expect(napi_get_array_length(env, array, &length), "an array");
  std::vector<napi_value> values(length);
  for (uint32_t i = 0; i < length; i++) expect(napi_get_element(env, array, i, &values[i]), "an element");
  return values;
}

std::vector<double> toDoubles(napi_env env, napi_value array) {
  std::vector<double> numbers;
  for (const napi_value value : elements(env, array)) numbers.push_back(toDouble(env, value));
  return numbers;
}

template <class T>
T* toData(napi_env env, napi_value value, napi_typedarray_type expected, size_t& length, const char* what) {
  napi_typedarray_type type;
  void* data;
  expect(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr), what);
  if (type != expected) throw Failure{std::string("cuda: expected ") + what};
  return static_cast<T*>(data);
}

template <class T>
T& toExternal(napi_env env, napi_value value) {
  void* data;
  expect(napi_get_value_external(env, value, &data), "a GPU or a plan");
  return *static_cast<T*>(data);
}

template <class T>
napi_value wrap(napi_env env, T* data) {
  napi_value value;
  const auto finalise = [](napi_env, void* pointer, void*) { delete static_cast<T*>(pointer); };
  expect(napi_create_external(env, data, finalise, nullptr, &value), "an external");
  return value;
}

void set(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  expect(napi_create_double(env, number, &value), "a number");
  expect(napi_set_named_property(env, object, name, value), "an object");
}

std::shared_ptr<OpenDriver> open(napi_env env, napi_value path) {
  auto driver = std::make_shared<OpenDriver>();
  const std::string reason = driver->call.open(toText(env, path).c_str());
  if (!reason.empty()) throw Failure{reason};
  CHECK(*driver, init, 0);
  return driver;
}

/** devices(path): the devices of the driver in that library, and its version */
napi_value devices(napi_env env, napi_value* arguments) {
  const auto driver = open(env, arguments[0]);
  int count = 0, version = 0;
  CHECK(*driver, driverGetVersion, &version);
  CHECK(*driver, deviceGetCount, &count);
  napi_value result, list;
  expect(napi_create_object(env, &result), "an object");
  expect(napi_create_array_with_length(env, count, &list), "an array");
  set(env, result, "version", version);
  expect(napi_set_named_property(env, result, "devices", list), "an object");
  for (int i = 0; i < count; i++) {
    Device device;
    char name[256];
    int major = 0, minor = 0;
    size_t bytes = 0;
    CHECK(*driver, deviceGet, &device, i);
    CHECK(*driver, deviceGetName, name, sizeof name, device);
    CHECK(*driver, deviceGetAttribute, &major, CAPABILITY_MAJOR, device);
    CHECK(*driver, deviceGetAttribute, &minor, CAPABILITY_MINOR, device);
    CHECK(*driver, deviceTotalMem, &bytes, device);
    napi_value entry, text;
    expect(napi_create_object(env, &entry), "an object");
    expect(napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text), "a string");
    expect(napi_set_named_property(env, entry, "name", text), "an object");
    set(env, entry, "capability", major * 10 + minor);
    set(env, entry, "bytes", static_cast<double>(bytes));
    expect(napi_set_element(env, list, i, entry), "an array");
  }
  return result;
}

/** openGpu(path, ordinal, image): a device with the kernels of a cubin */
napi_value openGpu(napi_env env, napi_value* arguments) {
  auto gpu = std::make_shared<Gpu>();
  gpu->driver = open(env, arguments[0]);
  auto& driver = *gpu->driver;
  size_t length;
  const auto* image = toData<uint8_t>(env, arguments[2], napi_uint8_array, length, "a Uint8Array");
  CHECK(driver, deviceGet, &gpu->device, static_cast<int>(toDouble(env, arguments[1])));
  CHECK(driver, primaryCtxRetain, &gpu->context, gpu->device);
  CHECK(driver, ctxSetCurrent, gpu->context);
  CHECK(driver, moduleLoadData, &gpu->module, image);
  CHECK(driver, streamCreate, &gpu->stream, NON_BLOCKING);
  return wrap(env, new std::shared_ptr<Gpu>(gpu));
}

/** One argument of a launch: a place in the plan's memory, in floats, an int or a float. */
union Argument {
  Pointer pointer;
  int integer;
  float number;
};

/** createPlan(gpu, {launches: {kernel, grid, threads, kinds, values}[], arrays: [floats, length][], floats}) */
napi_value createPlan(napi_env env, napi_value* arguments) {
  auto plan = std::make_unique<Plan>();
  plan->gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  auto& gpu = *plan->gpu;
  auto& driver = *gpu.driver;
  CHECK(driver, ctxSetCurrent, gpu.context);
  const double floats = toDouble(env, property(env, arguments[1], "floats"));
  CHECK(driver, memAlloc, &plan->memory, static_cast<size_t>(floats) * sizeof(float));
  for (const napi_value array : elements(env, property(env, arguments[1], "arrays"))) {
    const auto place = toDoubles(env, array);
    if (place.size() != 2 || place[0] < 0 || place[1] < 0 || place[0] + place[1] > floats) throw Failure{"cuda: expected arrays in the plan's memory"};
    plan->arrays.push_back({static_cast<size_t>(place[0]), static_cast<size_t>(place[1])});
  }
  CHECK(driver, streamBeginCapture, gpu.stream, CAPTURE_THREAD_LOCAL);
  Graph graph = nullptr;
  try {
    for (const napi_value launch : elements(env, property(env, arguments[1], "launches"))) {
      const std::string name = toText(env, property(env, launch, "kernel"));
      const auto grid = toDoubles(env, property(env, launch, "grid"));
      const auto threads = static_cast<unsigned>(toDouble(env, property(env, launch, "threads")));
      const std::string kinds = toText(env, property(env, launch, "kinds")); // p, i or f for every argument
      const auto values = toDoubles(env, property(env, launch, "values"));
      if (grid.size() != 3 || kinds.size() != values.size()) throw Failure{"cuda: expected three sides of a grid, and a kind a value"};
      std::vector<Argument> given(values.size());
      std::vector<void*> pointers;
      for (size_t i = 0; i < values.size(); i++) {
        if (kinds[i] == 'p') {
          if (values[i] < 0 || values[i] >= floats) throw Failure{"cuda: expected a place in the plan's memory"};
          given[i].pointer = plan->memory + static_cast<size_t>(values[i]) * sizeof(float);
        } else if (kinds[i] == 'i') given[i].integer = static_cast<int>(values[i]);
        else given[i].number = static_cast<float>(values[i]);
        pointers.push_back(&given[i]);
      }
      Function function;
      driver.check(driver.call.moduleGetFunction(&function, gpu.module, name.c_str()), ("kernel " + name).c_str());
      const auto side = [&](int i) { return static_cast<unsigned>(grid[i]); };
      driver.check(driver.call.launchKernel(function, side(0), side(1), side(2), threads, 1, 1, 0, gpu.stream, pointers.data(), nullptr),
                   ("kernel " + name).c_str());
    }
  } catch (...) {
    if (driver.call.streamEndCapture(gpu.stream, &graph) == 0 && graph) driver.call.graphDestroy(graph);
    throw;
  }
  CHECK(driver, streamEndCapture, gpu.stream, &graph);
  const Result result = driver.call.graphInstantiate(&plan->graph, graph, 0);
  driver.call.graphDestroy(graph);
  driver.check(result, "graphInstantiate");
  return wrap(env, plan.release());
}

/** run(plan, up, down): copies arrays of the call to the device, runs the graph, copies others back; [array's number, Float32Array] each */
napi_value run(napi_env env, napi_value* arguments) {
  Plan& plan = toExternal<Plan>(env, arguments[0]);
  if (plan.memory == 0) throw Failure{"cuda: expected a plan that has not been released"};
  Gpu& gpu = *plan.gpu;
  auto& driver = *gpu.driver;
  CHECK(driver, ctxSetCurrent, gpu.context);
  const auto each = [&](napi_value list, auto copy) {
    for (const napi_value entry : elements(env, list)) {
      const auto pair = elements(env, entry);
      if (pair.size() != 2) throw Failure{"cuda: expected pairs of a number and a Float32Array"};
      const double number = toDouble(env, pair[0]);
      size_t length;
      float* data = toData<float>(env, pair[1], napi_float32_array, length, "a Float32Array");
      if (!(number >= 0 && number < plan.arrays.size())) throw Failure{"cuda: expected an array of the plan"};
      const Place& place = plan.arrays[static_cast<size_t>(number)];
      if (place.length != length) throw Failure{"cuda: expected an array of the plan's length"};
      copy(data, plan.memory + place.floats * sizeof(float), length * sizeof(float));
    }
  };
  each(arguments[1], [&](float* data, Pointer place, size_t bytes) { CHECK(driver, memcpyHtoD, place, data, bytes, gpu.stream); });
  CHECK(driver, graphLaunch, plan.graph, gpu.stream);
  each(arguments[2], [&](float* data, Pointer place, size_t bytes) { CHECK(driver, memcpyDtoH, data, place, bytes, gpu.stream); });
  CHECK(driver, streamSynchronize, gpu.stream);
  return nullptr;
}

/** releasePlan(plan): gives its memory back now */
napi_value releasePlan(napi_env env, napi_value* arguments) { return toExternal<Plan>(env, arguments[0]).release(), nullptr; }

template <napi_value (*F)(napi_env, napi_value*), size_t COUNT>
napi_value call(napi_env env, napi_callback_info info) {
  napi_value arguments[COUNT];
  size_t count = COUNT;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  try {
    return F(env, arguments);
  } catch (const Failure& failure) {
    napi_throw_error(env, nullptr, failure.message.c_str());
    return nullptr;
  }
}
}  // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"devices", nullptr, call<devices, 1>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"openGpu", nullptr, call<openGpu, 3>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"createPlan", nullptr, call<createPlan, 2>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"run", nullptr, call<run, 3>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"releasePlan", nullptr, call<releasePlan, 1>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
