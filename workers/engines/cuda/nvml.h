// NVIDIA's management library, looked up by dlopen: what a device is doing. emulated-driver.cc has the same functions without a GPU.
#pragma once
#include <dlfcn.h>
#include <string>

namespace nvml {
using Result = int;
using Device = void*;
struct Utilization {
  unsigned gpu, memory; // percent
};
struct Memory {
  unsigned long long total, free, used; // bytes
};
constexpr int GPU_SENSOR = 0; // NVML_TEMPERATURE_GPU

// Name in the library, name here, parameters.
#define GANGLION_NVML_FUNCTIONS(F)                                                                        \
  F(nvmlInit_v2, init, ())                                                                                \
  F(nvmlDeviceGetHandleByPciBusId_v2, handle, (const char* busId, Device* device))                        \
  F(nvmlDeviceGetUtilizationRates, utilization, (Device device, Utilization * rates))                     \
  F(nvmlDeviceGetMemoryInfo, memory, (Device device, Memory * memory))                                    \
  F(nvmlDeviceGetTemperature, temperature, (Device device, int sensor, unsigned* celsius))                \
  F(nvmlDeviceGetPowerUsage, power, (Device device, unsigned* milliwatts))

struct Library {
#define DECLARE(symbol, name, parameters) Result(*name) parameters = nullptr;
  GANGLION_NVML_FUNCTIONS(DECLARE)
#undef DECLARE

  /** @returns why it cannot be used; empty where it can */
  std::string open(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return dlerror();
#define LOOK_UP(symbol, name, parameters)                                        \
  *reinterpret_cast<void**>(&name) = dlsym(library, #symbol);                    \
  if (name == nullptr) return std::string(path) + " has no " #symbol;
    GANGLION_NVML_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
    const Result result = init();
    return result == 0 ? "" : "nvmlInit: error " + std::to_string(result);
  }
};
}  // namespace nvml
