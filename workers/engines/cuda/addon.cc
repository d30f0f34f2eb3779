// The Node-API add-on of the CUDA engine: a device of the driver, its memory, streams, and graphs of kernels. binding.ts has its types.
#include <node_api.h>
#include <sched.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include "driver.h"
#include "nvml.h"
#include "nvrtc.h"

namespace {
using namespace cuda;
using Clock = std::chrono::steady_clock;

/** Bytes that all threads of the process have copied from the host to a device, back, and between devices. */
std::atomic<uint64_t> bytesToDevice, bytesToHost, bytesBetween;

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

constexpr int MOST_DEVICES = 64;
std::string noAnswerFor(double ms) {
  char seconds[32];
  snprintf(seconds, sizeof seconds, "%g", ms / 1000);
  return std::string("not answered for ") + seconds + " s";
}
constexpr char STUCK[] = "the GPU does not answer";
/** Devices that have not done in time what a thread of the process waited for. To free something there would wait, too. */
std::atomic<bool> stuckDevices[MOST_DEVICES];
/** Streams of a device, of all threads. */
struct Streams {
  std::mutex mutex;
  std::set<Stream> all;
} streamsOf[MOST_DEVICES];

/** A thread's call about a device, which may not return. */
struct Visit {
  int place = -1;
  Clock::time_point since;
};
/** Of all threads that are inside of one. */
struct Visits {
  std::mutex mutex;
  std::vector<const Visit*> all;
  /** Whether another thread than this one has been in a call about the device since then, or longer. */
  bool hasOlder(int place, Clock::time_point then);
} visits;
/** This thread's own, from `enter` to its end. */
struct OwnVisit : Visit {
  void begin(int at) {
    const std::lock_guard lock(visits.mutex);
    if (place < 0) visits.all.push_back(this);
    place = at, since = Clock::now();
  }
  void end() {
    if (place < 0) return;
    const std::lock_guard lock(visits.mutex);
    place = -1;
    visits.all.erase(std::find(visits.all.begin(), visits.all.end(), this));
  }
  ~OwnVisit() { end(); }
};
thread_local OwnVisit ownVisit;
/** Ends this thread's call. */
struct EndVisit {
  ~EndVisit() { ownVisit.end(); }
};
bool Visits::hasOlder(int place, Clock::time_point then) {
  const std::lock_guard lock(mutex);
  return std::any_of(all.begin(), all.end(), [&](const Visit* visit) { return visit != &ownVisit && visit->place == place && visit->since <= then; });
}

/** Events of a device that nobody has. One is kept while the context lives, as another thread may still be told to wait for it. */
struct Events {
  std::mutex mutex;
  std::vector<Event> free;
  /** Objects that hold the context. */
  int holders = 0;
} eventsOf[MOST_DEVICES];

/** A device and its kernels. The primary context is shared by all threads of the process. */
struct Gpu {
  std::shared_ptr<OpenDriver> driver;
  Device device = 0;
  Context context = nullptr;
  Module module = nullptr;
  double waitMs = 0;
  bool holds = false;
  int place() const { return device % MOST_DEVICES; }
  bool stuck() const { return stuckDevices[place()]; }
  /** @throws Failure */
  OpenDriver& enter() const {
    if (stuck()) throw Failure{STUCK};
    ownVisit.begin(place());
    driver->check(driver->call.ctxSetCurrent(context), "ctxSetCurrent");
    return *driver;
  }
  /** Whether more than `waitMs` have gone by. */
  bool isLate(Clock::time_point since) const { return std::chrono::duration<double, std::milli>(Clock::now() - since).count() > waitMs; }
  /** Nobody waits for the device again. @throws Failure */
  [[noreturn]] void lose() const {
    stuckDevices[place()] = true;
    throw Failure{"the GPU has " + noAnswerFor(waitMs)};
  }
  /** Asks again and again, no longer than `waitMs`: a kernel that hangs would hold this thread for ever. @returns whether the answer was yes */
  template <class Ask>
  bool wait(Ask isDone) const {
    const auto begun = Clock::now();
    while (!isDone()) {
      if (stuck() || isLate(begun)) return false;
      if (Clock::now() - begun < std::chrono::milliseconds(10)) sched_yield();
      else std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return true;
  }
  /** Waits for everything in a stream. @throws Failure */
  void finish(Stream stream) const {
    const auto& call = enter().call;
    Result result = 0;
    if (!wait([&] { return (result = call.streamQuery(stream)) != NOT_READY; })) lose();
    driver->check(result, "streamQuery");
  }
  /** Whether something can be freed, which has the driver wait for all streams: first, each of them has come to an end once. */
  bool mayFree() const {
    if (stuck()) return false;
    ownVisit.begin(place());
    const auto& call = driver->call;
    call.ctxSetCurrent(context);
    auto& [mutex, all] = streamsOf[place()];
    std::unique_lock lock(mutex);
    auto left = all;
    lock.unlock();
    const bool ended = wait([&] {
      const std::lock_guard again(mutex); // none of them is destroyed meanwhile
      for (auto stream = left.begin(); stream != left.end();) {
        if (all.count(*stream) == 0 || call.streamQuery(*stream) != NOT_READY) stream = left.erase(stream);
        else ++stream;
      }
      return left.empty();
    });
    if (!ended) stuckDevices[place()] = true;
    return ended;
  }
  /** @throws Failure */
  void retain() {
    {
      const std::lock_guard lock(eventsOf[place()].mutex);
      eventsOf[place()].holders++;
    }
    holds = true;
    driver->check(driver->call.primaryCtxRetain(&context, device), "primaryCtxRetain");
  }
  ~Gpu() {
    const bool isFree = context != nullptr && mayFree();
    if (holds) {
      auto& [mutex, free, holders] = eventsOf[place()];
      const std::lock_guard lock(mutex);
      if (--holders == 0) free.clear(); // they end with the context
    }
    if (!isFree) return;
    if (module) driver->call.moduleUnload(module);
    driver->call.primaryCtxRelease(device);
  }
  /** An event of the context. @throws Failure */
  Event takeEvent() const {
    auto& driverNow = enter();
    auto& [mutex, free, holders] = eventsOf[place()];
    const std::lock_guard lock(mutex);
    Event event = nullptr;
    if (free.empty()) driverNow.check(driverNow.call.eventCreate(&event, NO_TIMING), "eventCreate");
    else event = free.back(), free.pop_back();
    return event;
  }
  /** Takes an event back, whose place in a stream has been reached. */
  void giveEvent(Event event) const {
    auto& [mutex, free, holders] = eventsOf[place()];
    const std::lock_guard lock(mutex);
    free.push_back(event);
  }
};

/** Memory of the device. */
struct Memory {
  std::shared_ptr<Gpu> gpu;
  Pointer pointer = 0;
  void release() {
    if (pointer == 0 || !gpu->mayFree()) return;
    gpu->driver->call.memFree(pointer);
    pointer = 0;
  }
  ~Memory() { release(); }
};

/** Work in its order, beside that of other streams. */
struct Queue {
  std::shared_ptr<Gpu> gpu;
  Stream stream = nullptr;
  Event event = nullptr;
  /** When `isDone` said no, the first time since something was asked of it. */
  std::optional<Clock::time_point> unfinished;
  /** To ask something of it. @throws Failure */
  OpenDriver& enter() {
    unfinished.reset();
    return gpu->enter();
  }
  ~Queue() {
    const bool isFree = gpu->mayFree();
    auto& [mutex, all] = streamsOf[gpu->place()];
    const std::lock_guard lock(mutex);
    all.erase(stream);
    if (!isFree) return;
    auto& call = gpu->driver->call;
    if (stream) call.streamDestroy(stream);
    if (event) call.eventDestroy(event);
  }
};

/** A place in a stream, which streams of all threads may wait for. */
struct Mark {
  std::shared_ptr<Gpu> gpu;
  Event event = nullptr;
  /** When it was not reached, the first time that somebody asked. */
  std::optional<Clock::time_point> unreached;
  ~Mark() {
    // What is recorded in it has been done then: who is told to wait for it, and does so when somebody else has it, waits for more, not for less.
    if (event != nullptr && gpu->mayFree()) gpu->giveEvent(event);
  }
};

/** Launches that are submitted by one call. */
struct Batch {
  std::shared_ptr<Gpu> gpu;
  GraphExec graph = nullptr;
  ~Batch() {
    if (graph && gpu->mayFree()) gpu->driver->call.graphExecDestroy(graph);
  }
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

/** The memory of a typed array. */
void* toData(napi_env env, napi_value value, size_t& bytes) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  expect(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr), "a typed array");
  const bool isByte = type == napi_int8_array || type == napi_uint8_array || type == napi_uint8_clamped_array;
  const bool isWide = type == napi_float64_array || type == napi_bigint64_array || type == napi_biguint64_array;
  bytes = length * (isByte ? 1 : isWide ? 8 : type == napi_int16_array || type == napi_uint16_array ? 2 : 4);
  return data;
}

napi_value toBoolean(napi_env env, bool value) {
  napi_value result;
  expect(napi_get_boolean(env, value, &result), "a boolean");
  return result;
}

template <class T>
T& toExternal(napi_env env, napi_value value) {
  void* data;
  expect(napi_get_value_external(env, value, &data), "a part of a GPU");
  return *static_cast<T*>(data);
}

template <class T>
napi_value wrap(napi_env env, T* data) {
  napi_value value;
  const auto finalise = [](napi_env, void* pointer, void*) {
    const EndVisit end;
    delete static_cast<T*>(pointer);
  };
  expect(napi_create_external(env, data, finalise, nullptr, &value), "an external");
  return value;
}

void set(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  expect(napi_create_double(env, number, &value), "a number");
  expect(napi_set_named_property(env, object, name, value), "an object");
}

std::shared_ptr<OpenDriver> open(const std::string& path) {
  auto driver = std::make_shared<OpenDriver>();
  const std::string reason = driver->call.load(path.c_str());
  if (!reason.empty()) throw Failure{reason};
  CHECK(*driver, init, 0);
  return driver;
}

/** What a driver offers. */
struct Offer {
  struct Entry {
    char name[256], busId[32];
    int major = 0, minor = 0;
    size_t bytes = 0;
  };
  int version = 0;
  std::vector<Entry> devices;
};

/** @throws Failure */
Offer ask(const std::string& path) {
  const auto driver = open(path);
  Offer offer;
  int count = 0;
  CHECK(*driver, driverGetVersion, &offer.version);
  CHECK(*driver, deviceGetCount, &count);
  for (int i = 0; i < count; i++) {
    Device device;
    Offer::Entry& entry = offer.devices.emplace_back();
    CHECK(*driver, deviceGet, &device, i);
    CHECK(*driver, deviceGetName, entry.name, sizeof entry.name, device);
    CHECK(*driver, deviceGetBusId, entry.busId, sizeof entry.busId, device);
    CHECK(*driver, deviceGetAttribute, &entry.major, CAPABILITY_MAJOR, device);
    CHECK(*driver, deviceGetAttribute, &entry.minor, CAPABILITY_MINOR, device);
    CHECK(*driver, deviceTotalMem, &entry.bytes, device);
  }
  return offer;
}

/** devices(path, waitMs): the devices of the driver in that library, and its version. It asks in a thread that is left behind where a call does not return */
napi_value devices(napi_env env, napi_value* arguments) {
  const std::string path = toText(env, arguments[0]);
  const double waitMs = toDouble(env, arguments[1]);
  std::packaged_task<Offer()> task([path] { return ask(path); });
  auto asked = task.get_future();
  std::thread(std::move(task)).detach();
  if (asked.wait_for(std::chrono::duration<double, std::milli>(waitMs)) != std::future_status::ready) throw Failure{"it has " + noAnswerFor(waitMs)};
  const Offer offer = asked.get();
  napi_value result, list;
  expect(napi_create_object(env, &result), "an object");
  expect(napi_create_array_with_length(env, offer.devices.size(), &list), "an array");
  set(env, result, "version", offer.version);
  expect(napi_set_named_property(env, result, "devices", list), "an object");
  for (size_t i = 0; i < offer.devices.size(); i++) {
    const auto& [name, busId, major, minor, bytes] = offer.devices[i];
    napi_value entry, text;
    expect(napi_create_object(env, &entry), "an object");
    expect(napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text), "a string");
    expect(napi_set_named_property(env, entry, "name", text), "an object");
    expect(napi_create_string_utf8(env, busId, NAPI_AUTO_LENGTH, &text), "a string");
    expect(napi_set_named_property(env, entry, "busId", text), "an object");
    set(env, entry, "capability", major * 10 + minor);
    set(env, entry, "bytes", static_cast<double>(bytes));
    expect(napi_set_element(env, list, i, entry), "an array");
  }
  return result;
}

/** openMonitor(path): NVIDIA's management library */
napi_value openMonitor(napi_env env, napi_value* arguments) {
  auto library = std::make_unique<nvml::Library>();
  const std::string reason = library->open(toText(env, arguments[0]).c_str());
  if (!reason.empty()) throw Failure{reason};
  return wrap(env, library.release());
}

/** figures(monitor, busId): {utilization, usedBytes, totalBytes, celsius, watts}, without those that the device does not give */
napi_value figures(napi_env env, napi_value* arguments) {
  const auto& library = toExternal<nvml::Library>(env, arguments[0]);
  napi_value result;
  expect(napi_create_object(env, &result), "an object");
  nvml::Device device;
  if (library.handle(toText(env, arguments[1]).c_str(), &device) != 0) return result;
  nvml::Utilization rates;
  nvml::Memory memory;
  unsigned celsius, milliwatts;
  if (library.utilization(device, &rates) == 0) set(env, result, "utilization", rates.gpu / 100.0);
  if (library.memory(device, &memory) == 0) {
    set(env, result, "usedBytes", static_cast<double>(memory.used));
    set(env, result, "totalBytes", static_cast<double>(memory.total));
  }
  if (library.temperature(device, nvml::GPU_SENSOR, &celsius) == 0) set(env, result, "celsius", celsius);
  if (library.power(device, &milliwatts) == 0) set(env, result, "watts", milliwatts / 1000.0);
  return result;
}

/** openGpu(path, ordinal, image, waitMs): a device with the kernels of a cubin; what waits for it, waits so long at most */
napi_value openGpu(napi_env env, napi_value* arguments) {
  auto gpu = std::make_shared<Gpu>();
  gpu->driver = open(toText(env, arguments[0]));
  auto& driver = *gpu->driver;
  size_t bytes;
  const void* image = toData(env, arguments[2], bytes);
  gpu->waitMs = toDouble(env, arguments[3]);
  CHECK(driver, deviceGet, &gpu->device, static_cast<int>(toDouble(env, arguments[1])));
  if (gpu->stuck()) throw Failure{STUCK};
  ownVisit.begin(gpu->place());
  gpu->retain();
  CHECK(driver, ctxSetCurrent, gpu->context);
  CHECK(driver, moduleLoadData, &gpu->module, image);
  return wrap(env, new std::shared_ptr<Gpu>(gpu));
}

/** openPeer(gpu, ordinal): another device, without kernels, to copy from it and to it: directly, where the two reach each other */
napi_value openPeer(napi_env env, napi_value* arguments) {
  const auto own = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  auto peer = std::make_shared<Gpu>();
  peer->driver = own->driver, peer->waitMs = own->waitMs;
  auto& driver = *own->driver;
  CHECK(driver, deviceGet, &peer->device, static_cast<int>(toDouble(env, arguments[1])));
  if (peer->stuck()) throw Failure{STUCK};
  ownVisit.begin(peer->place());
  peer->retain();
  int reaches = 0;
  CHECK(own->enter(), deviceCanAccessPeer, &reaches, own->device, peer->device);
  // Where it fails, as when another thread has done it, copies need not be direct.
  if (reaches) driver.call.ctxEnablePeerAccess(peer->context, 0);
  return wrap(env, new std::shared_ptr<Gpu>(peer));
}

/** isStuck(gpu): whether it has not done in time what a thread of the process waited for */
napi_value isStuck(napi_env env, napi_value* arguments) { return toBoolean(env, toExternal<std::shared_ptr<Gpu>>(env, arguments[0])->stuck()); }

/** allocate(gpu, bytes) */
napi_value allocate(napi_env env, napi_value* arguments) {
  auto memory = std::make_unique<Memory>();
  memory->gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  CHECK(memory->gpu->enter(), memAlloc, &memory->pointer, static_cast<size_t>(toDouble(env, arguments[1])));
  return wrap(env, memory.release());
}

/** addressOf(memory): below 2^53, so a number holds it */
napi_value addressOf(napi_env env, napi_value* arguments) {
  const Memory& memory = toExternal<Memory>(env, arguments[0]);
  if (memory.pointer == 0) throw Failure{"cuda: expected memory that has not been released"};
  napi_value number;
  expect(napi_create_double(env, static_cast<double>(memory.pointer), &number), "a number");
  return number;
}

/** release(memory) */
napi_value release(napi_env env, napi_value* arguments) { return toExternal<Memory>(env, arguments[0]).release(), nullptr; }

/** allocateHost(gpu, bytes): an ArrayBuffer that the device copies from and to by itself */
napi_value allocateHost(napi_env env, napi_value* arguments) {
  const auto gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  const auto bytes = static_cast<size_t>(toDouble(env, arguments[1]));
  void* memory = nullptr;
  CHECK(gpu->enter(), memHostAlloc, &memory, bytes, 0);
  memset(memory, 0, bytes);
  napi_value buffer;
  const auto finalise = [](napi_env, void* pointer, void* hint) {
    const EndVisit end;
    const std::unique_ptr<std::shared_ptr<Gpu>> owner(static_cast<std::shared_ptr<Gpu>*>(hint));
    if ((*owner)->mayFree()) (*owner)->driver->call.memFreeHost(pointer);
  };
  expect(napi_create_external_arraybuffer(env, memory, bytes, finalise, new std::shared_ptr<Gpu>(gpu), &buffer), "an ArrayBuffer");
  return buffer;
}

/** createStream(gpu) */
napi_value createStream(napi_env env, napi_value* arguments) {
  auto queue = std::make_unique<Queue>();
  queue->gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  auto& driver = queue->gpu->enter();
  CHECK(driver, streamCreate, &queue->stream, NON_BLOCKING);
  CHECK(driver, eventCreate, &queue->event, NO_TIMING);
  auto& [mutex, all] = streamsOf[queue->gpu->place()];
  const std::lock_guard lock(mutex);
  all.insert(queue->stream);
  return wrap(env, queue.release());
}

/** An argument of a launch. */
union Argument {
  Pointer pointer;
  int integer;
  float number;
  double wide;
};

/** A launch, out of {kernel, grid, threads, kinds, values}. */
struct Launch {
  std::string name;
  std::vector<Argument> values;
  std::vector<void*> pointers;
  KernelNode node{};

  Launch(napi_env env, const Gpu& gpu, napi_value launch) : name(toText(env, property(env, launch, "kernel"))) {
    const auto grid = toDoubles(env, property(env, launch, "grid"));
    const std::string kinds = toText(env, property(env, launch, "kinds")); // p, i, f or d for every argument
    const auto given = toDoubles(env, property(env, launch, "values"));
    if (grid.size() != 3 || kinds.size() != given.size()) throw Failure{"cuda: expected three sides of a grid, and a kind a value"};
    values.resize(given.size());
    for (size_t i = 0; i < given.size(); i++) {
      if (kinds[i] == 'p') values[i].pointer = static_cast<Pointer>(given[i]);
      else if (kinds[i] == 'i') values[i].integer = static_cast<int>(given[i]);
      else if (kinds[i] == 'f') values[i].number = static_cast<float>(given[i]);
      else values[i].wide = given[i];
      pointers.push_back(&values[i]);
    }
    const auto side = [&](int i) { return static_cast<unsigned>(grid[i]); };
    const auto threads = static_cast<unsigned>(toDouble(env, property(env, launch, "threads")));
    node = {nullptr, side(0), side(1), side(2), threads, 1, 1, 0, pointers.data(), nullptr};
    gpu.driver->check(gpu.driver->call.moduleGetFunction(&node.function, gpu.module, name.c_str()), what().c_str());
  }
  std::string what() const { return "kernel " + name; }
};

/** createGraph(gpu, {kernel, grid, threads, kinds, values, after}[]): a launch runs after those whose numbers `after` has */
napi_value createGraph(napi_env env, napi_value* arguments) {
  auto batch = std::make_unique<Batch>();
  batch->gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  auto& driver = batch->gpu->enter();
  Graph graph = nullptr;
  CHECK(driver, graphCreate, &graph, 0);
  const std::unique_ptr<void, void (*)(void*)> owner(new std::pair(&driver, graph), [](void* pointer) {
    const std::unique_ptr<std::pair<OpenDriver*, Graph>> pair(static_cast<std::pair<OpenDriver*, Graph>*>(pointer));
    pair->first->call.graphDestroy(pair->second);
  });
  std::vector<GraphNode> nodes;
  for (const napi_value value : elements(env, arguments[1])) {
    Launch launch(env, *batch->gpu, value);
    std::vector<GraphNode> after;
    for (const double number : toDoubles(env, property(env, value, "after"))) {
      if (!(number >= 0 && number < nodes.size())) throw Failure{"cuda: expected launches after earlier ones"};
      after.push_back(nodes[static_cast<size_t>(number)]);
    }
    GraphNode node;
    driver.check(driver.call.graphAddKernelNode(&node, graph, after.data(), after.size(), &launch.node), launch.what().c_str());
    nodes.push_back(node);
  }
  CHECK(driver, graphInstantiate, &batch->graph, graph, 0);
  return wrap(env, batch.release());
}

/** runGraph(graph, stream) */
napi_value runGraph(napi_env env, napi_value* arguments) {
  const Batch& batch = toExternal<Batch>(env, arguments[0]);
  auto& queue = toExternal<Queue>(env, arguments[1]);
  CHECK(queue.enter(), graphLaunch, batch.graph, queue.stream);
  return nullptr;
}

/** runKernel(stream, {kernel, grid, threads, kinds, values}) */
napi_value runKernel(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  auto& driver = queue.enter();
  const Launch launch(env, *queue.gpu, arguments[1]);
  const KernelNode& node = launch.node;
  driver.check(driver.call.launchKernel(node.function, node.gridX, node.gridY, node.gridZ, node.blockX, 1, 1, 0, queue.stream,
                                        node.arguments, nullptr),
               launch.what().c_str());
  return nullptr;
}

/** write(stream, address, array): copies an array to the device */
napi_value write(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  size_t bytes;
  const void* data = toData(env, arguments[2], bytes);
  CHECK(queue.enter(), memcpyHtoD, static_cast<Pointer>(toDouble(env, arguments[1])), data, bytes, queue.stream);
  bytesToDevice += bytes;
  return nullptr;
}

/** read(stream, address, array): copies from the device into an array */
napi_value read(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  size_t bytes;
  void* data = toData(env, arguments[2], bytes);
  CHECK(queue.enter(), memcpyDtoH, data, static_cast<Pointer>(toDouble(env, arguments[1])), bytes, queue.stream);
  bytesToHost += bytes;
  return nullptr;
}

/** copy(stream, to, from, bytes): within the device */
napi_value copy(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  const auto address = [&](int i) { return static_cast<Pointer>(toDouble(env, arguments[i])); };
  CHECK(queue.enter(), memcpyDtoD, address(1), address(2), static_cast<size_t>(toDouble(env, arguments[3])), queue.stream);
  return nullptr;
}

/** copyBetween(stream, to, toGpu, from, fromGpu, bytes): between devices, one of which is the stream's */
napi_value copyBetween(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  const auto address = [&](int i) { return static_cast<Pointer>(toDouble(env, arguments[i])); };
  const auto context = [&](int i) {
    const Gpu& gpu = *toExternal<std::shared_ptr<Gpu>>(env, arguments[i]);
    if (gpu.stuck()) throw Failure{STUCK};
    return gpu.context;
  };
  const auto bytes = static_cast<size_t>(toDouble(env, arguments[5]));
  CHECK(queue.enter(), memcpyPeer, address(1), context(2), address(3), context(4), bytes, queue.stream);
  bytesBetween += bytes;
  return nullptr;
}

/** follow(stream, other): what comes in the stream waits for what there is in the other */
napi_value follow(napi_env env, napi_value* arguments) {
  Queue &queue = toExternal<Queue>(env, arguments[0]), &other = toExternal<Queue>(env, arguments[1]);
  auto& driver = queue.enter();
  CHECK(driver, eventRecord, other.event, other.stream);
  CHECK(driver, streamWaitEvent, queue.stream, other.event, 0);
  return nullptr;
}

/**
 * Whether a driver's answer is yes.
 *
 * @param since when it was no, the first time
 * @throws Failure also where it has been no for longer than the GPU was opened with
 */
bool isOver(const Gpu& gpu, std::optional<Clock::time_point>& since, Result answer, const char* what) {
  if (answer != NOT_READY) {
    since.reset();
    gpu.driver->check(answer, what);
  } else if (!since) since = Clock::now();
  else if (gpu.isLate(*since)) gpu.lose();
  return answer != NOT_READY;
}

/** isDone(stream): whether nothing in it is left to do; it says no no longer than its GPU was opened with */
napi_value isDone(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  return toBoolean(env, isOver(*queue.gpu, queue.unfinished, queue.gpu->enter().call.streamQuery(queue.stream), "streamQuery"));
}

/** createMark(gpu) */
napi_value createMark(napi_env env, napi_value* arguments) {
  auto mark = std::make_unique<Mark>();
  mark->gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  mark->event = mark->gpu->takeEvent();
  return wrap(env, mark.release());
}

/** handleOf(mark): below 2^53, so a number holds it */
napi_value handleOf(napi_env env, napi_value* arguments) {
  napi_value number;
  const auto handle = reinterpret_cast<uintptr_t>(toExternal<Mark>(env, arguments[0]).event);
  expect(napi_create_double(env, static_cast<double>(handle), &number), "a number");
  return number;
}

/** setMark(mark, stream): behind everything in the stream */
napi_value setMark(napi_env env, napi_value* arguments) {
  Mark& mark = toExternal<Mark>(env, arguments[0]);
  Queue& queue = toExternal<Queue>(env, arguments[1]);
  mark.unreached.reset();
  CHECK(queue.enter(), eventRecord, mark.event, queue.stream);
  return nullptr;
}

/** waitFor(stream, handle): what comes in the stream waits for the place that a mark has now */
napi_value waitFor(napi_env env, napi_value* arguments) {
  Queue& queue = toExternal<Queue>(env, arguments[0]);
  const auto event = reinterpret_cast<Event>(static_cast<uintptr_t>(toDouble(env, arguments[1])));
  CHECK(queue.enter(), streamWaitEvent, queue.stream, event, 0);
  return nullptr;
}

/** isReached(mark): whether everything before it has been done; it says no no longer than its GPU was opened with */
napi_value isReached(napi_env env, napi_value* arguments) {
  Mark& mark = toExternal<Mark>(env, arguments[0]);
  return toBoolean(env, isOver(*mark.gpu, mark.unreached, mark.gpu->enter().call.eventQuery(mark.event), "eventQuery"));
}

/** copied(): {toDevice, toHost, between}, bytes, of the whole process */
napi_value copied(napi_env env, napi_value*) {
  napi_value result;
  expect(napi_create_object(env, &result), "an object");
  set(env, result, "toDevice", static_cast<double>(bytesToDevice));
  set(env, result, "toHost", static_cast<double>(bytesToHost));
  set(env, result, "between", static_cast<double>(bytesBetween));
  return result;
}

/** freeBytes(gpu): memory that nobody has */
napi_value freeBytes(napi_env env, napi_value* arguments) {
  const Gpu& gpu = *toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  size_t free = 0, total = 0;
  CHECK(gpu.enter(), memGetInfo, &free, &total);
  napi_value number;
  expect(napi_create_double(env, static_cast<double>(free), &number), "a number");
  return number;
}

/** multiprocessors(gpu) */
napi_value multiprocessors(napi_env env, napi_value* arguments) {
  const Gpu& gpu = *toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  int count = 0;
  CHECK(*gpu.driver, deviceGetAttribute, &count, MULTIPROCESSORS, gpu.device);
  napi_value number;
  expect(napi_create_int32(env, count, &number), "a number");
  return number;
}

/** synchronise(stream): waits for everything in it, no longer than its GPU was opened with */
napi_value synchronise(napi_env env, napi_value* arguments) {
  const Queue& queue = toExternal<Queue>(env, arguments[0]);
  queue.gpu->finish(queue.stream);
  return nullptr;
}

/** What the device had to do when it was asked. */
struct Question {
  std::shared_ptr<Gpu> gpu;
  Clock::time_point asked = Clock::now();
  /** Of streams, what they had been asked for and not done; not known yet, where this was not asked. */
  std::optional<std::vector<Event>> left;
  ~Question() {
    if (!left) return;
    for (const Event event : *left) gpu->giveEvent(event); // nobody else waits for them
  }
  /** @throws Failure where it is not, after the time that its GPU was opened with */
  bool isAnswered() {
    if (gpu->stuck()) throw Failure{STUCK};
    const bool isLate = gpu->isLate(asked);
    if (look()) return true;
    if (isLate) gpu->lose();
    return false;
  }
  /** Calls of other threads come first: where one is stuck, this thread's own might be, too. @throws Failure */
  bool look() {
    if (visits.hasOlder(gpu->place(), asked)) return false;
    auto& [mutex, all] = streamsOf[gpu->place()];
    const std::unique_lock lock(mutex, std::try_to_lock); // who has it may be stuck, too
    if (!lock) return false;
    const auto& driver = gpu->enter();
    if (!left) {
      left.emplace();
      for (const Stream stream : all) {
        left->push_back(gpu->takeEvent());
        CHECK(driver, eventRecord, left->back(), stream);
      }
    }
    while (!left->empty()) {
      const Result result = driver.call.eventQuery(left->back());
      if (result == NOT_READY) return false;
      gpu->driver->check(result, "eventQuery");
      gpu->giveEvent(left->back());
      left->pop_back();
    }
    return true;
  }
};

/** ask(gpu): a question, whether it has done what it has to do now */
napi_value ask(napi_env env, napi_value* arguments) {
  auto question = std::make_unique<Question>();
  question->gpu = toExternal<std::shared_ptr<Gpu>>(env, arguments[0]);
  return wrap(env, question.release());
}

/** isAnswered(question): waits for nothing; says no no longer than the GPU was opened with */
napi_value isAnswered(napi_env env, napi_value* arguments) { return toBoolean(env, toExternal<Question>(env, arguments[0]).isAnswered()); }

/** exitNow(code): the process, without its threads: Node.js would wait for one that is stuck in a call of a driver */
napi_value exitNow(napi_env env, napi_value* arguments) { _exit(static_cast<int>(toDouble(env, arguments[0]))); }

/** compileKernels(library, source, output, options): by NVRTC in a library; needs no driver */
napi_value compileKernels(napi_env env, napi_value* arguments) {
  std::vector<std::string> options;
  for (const napi_value option : elements(env, arguments[3])) options.push_back(toText(env, option));
  const std::string wrong = nvrtc::compile(toText(env, arguments[0]), toText(env, arguments[1]), toText(env, arguments[2]), options);
  if (!wrong.empty()) throw Failure{wrong};
  return nullptr;
}

template <napi_value (*F)(napi_env, napi_value*), size_t COUNT>
napi_value call(napi_env env, napi_callback_info info) {
  napi_value arguments[COUNT + 1]; // at least one
  size_t count = COUNT;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  const EndVisit end;
  try {
    return F(env, arguments);
  } catch (const Failure& failure) {
    napi_throw_error(env, nullptr, failure.message.c_str());
    return nullptr;
  }
}
}  // namespace

NAPI_MODULE_INIT() {
#define CALL(name, count) {#name, nullptr, call<name, count>, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
  const napi_property_descriptor properties[] = {
      CALL(devices, 2),
      CALL(compileKernels, 4),
      CALL(openMonitor, 1),
      CALL(figures, 2),
      CALL(openGpu, 4),
      CALL(openPeer, 2),
      CALL(isStuck, 1),
      CALL(allocate, 2),
      CALL(addressOf, 1),
      CALL(release, 1),
      CALL(allocateHost, 2),
      CALL(createStream, 1),
      CALL(createGraph, 2),
      CALL(runGraph, 2),
      CALL(runKernel, 2),
      CALL(write, 3),
      CALL(read, 3),
      CALL(copy, 4),
      CALL(copyBetween, 6),
      CALL(follow, 2),
      CALL(isDone, 1),
      CALL(createMark, 1),
      CALL(handleOf, 1),
      CALL(setMark, 2),
      CALL(waitFor, 2),
      CALL(isReached, 1),
      CALL(multiprocessors, 1),
      CALL(freeBytes, 1),
      CALL(copied, 0),
      CALL(synchronise, 1),
      CALL(ask, 1),
      CALL(isAnswered, 1),
      CALL(exitNow, 1),
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
