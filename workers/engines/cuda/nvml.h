// NVIDIA's management library, looked up by dlopen: what a device is doing. emulated-driver.cc has the same functions without a GPU.
#pragma once
#include <string>
#include "loaded.h"

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
  GANGLION_LOADED(GANGLION_NVML_FUNCTIONS)

  /** @returns why it cannot be used; empty where it can */
  std::string open(const char* path) {
    const std::string fault = load(path);
    if (!fault.empty()) return fault;
    const Result result = init();
    return result == 0 ? "" : "nvmlInit: error " + std::to_string(result);
  }
};
}  // namespace nvml
