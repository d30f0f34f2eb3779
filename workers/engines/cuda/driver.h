// The functions of NVIDIA's driver that the engine calls. emulated-driver.cc has the same functions without a GPU.
#pragma once
#include <cstddef>
#include <cstdint>
#include "loaded.h"

namespace cuda {
using Result = int;
using Device = int;
using Pointer = unsigned long long;
using Context = void*;
using Module = void*;
using Function = void*;
using Stream = void*;
using Graph = void*;
using GraphNode = void*;
using GraphExec = void*;
using Event = void*;

/** CUDA_KERNEL_NODE_PARAMS. */
struct KernelNode {
  Function function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void** arguments;
  void** extra;
};

constexpr int CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76, MULTIPROCESSORS = 16; // CUdevice_attribute
constexpr Result NOT_READY = 600;
constexpr unsigned NON_BLOCKING = 1;                         // CU_STREAM_NON_BLOCKING
constexpr unsigned NO_TIMING = 2;                            // CU_EVENT_DISABLE_TIMING

// Name in the driver, name here, parameters.
#define GANGLION_CUDA_FUNCTIONS(F)                                                                                                \
  F(cuInit, init, (unsigned flags))                                                                                              \
  F(cuDriverGetVersion, driverGetVersion, (int* version))                                                                        \
  F(cuDeviceGetCount, deviceGetCount, (int* count))                                                                              \
  F(cuDeviceGet, deviceGet, (Device * device, int ordinal))                                                                      \
  F(cuDeviceGetName, deviceGetName, (char* name, int length, Device device))                                                     \
  F(cuDeviceGetPCIBusId, deviceGetBusId, (char* busId, int length, Device device))                                               \
  F(cuDeviceGetAttribute, deviceGetAttribute, (int* value, int attribute, Device device))                                        \
  F(cuDeviceTotalMem_v2, deviceTotalMem, (size_t * bytes, Device device))                                                        \
  F(cuDevicePrimaryCtxRetain, primaryCtxRetain, (Context * context, Device device))                                              \
  F(cuDevicePrimaryCtxRelease_v2, primaryCtxRelease, (Device device))                                                            \
  F(cuCtxSetCurrent, ctxSetCurrent, (Context context))                                                                           \
  F(cuModuleLoadData, moduleLoadData, (Module * module, const void* image))                                                      \
  F(cuModuleUnload, moduleUnload, (Module module))                                                                               \
  F(cuModuleGetFunction, moduleGetFunction, (Function * function, Module module, const char* name))                              \
  F(cuMemAlloc_v2, memAlloc, (Pointer * pointer, size_t bytes))                                                                  \
  F(cuMemGetInfo_v2, memGetInfo, (size_t * free, size_t* total))                                                                 \
  F(cuMemFree_v2, memFree, (Pointer pointer))                                                                                    \
  F(cuMemcpyHtoDAsync_v2, memcpyHtoD, (Pointer to, const void* from, size_t bytes, Stream stream))                               \
  F(cuMemcpyDtoHAsync_v2, memcpyDtoH, (void* to, Pointer from, size_t bytes, Stream stream))                                     \
  F(cuStreamCreate, streamCreate, (Stream * stream, unsigned flags))                                                             \
  F(cuStreamDestroy_v2, streamDestroy, (Stream stream))                                                                          \
  F(cuMemcpyDtoDAsync_v2, memcpyDtoD, (Pointer to, Pointer from, size_t bytes, Stream stream))                                   \
  F(cuDeviceCanAccessPeer, deviceCanAccessPeer, (int* can, Device device, Device peer))                                         \
  F(cuCtxEnablePeerAccess, ctxEnablePeerAccess, (Context peer, unsigned flags))                                                  \
  F(cuMemcpyPeerAsync, memcpyPeer,                                                                                               \
    (Pointer to, Context toContext, Pointer from, Context fromContext, size_t bytes, Stream stream))                             \
  F(cuMemHostAlloc, memHostAlloc, (void** memory, size_t bytes, unsigned flags))                                                 \
  F(cuMemFreeHost, memFreeHost, (void* memory))                                                                                  \
  F(cuStreamQuery, streamQuery, (Stream stream))                                                                                 \
  F(cuStreamWaitEvent, streamWaitEvent, (Stream stream, Event event, unsigned flags))                                            \
  F(cuEventCreate, eventCreate, (Event * event, unsigned flags))                                                                 \
  F(cuEventRecord, eventRecord, (Event event, Stream stream))                                                                    \
  F(cuEventQuery, eventQuery, (Event event))                                                                                     \
  F(cuEventDestroy_v2, eventDestroy, (Event event))                                                                              \
  F(cuGraphCreate, graphCreate, (Graph * graph, unsigned flags))                                                                 \
  F(cuGraphAddKernelNode, graphAddKernelNode,                                                                                    \
    (GraphNode * node, Graph graph, const GraphNode* after, size_t count, const KernelNode* kernel))                             \
  F(cuGraphInstantiateWithFlags, graphInstantiate, (GraphExec * executable, Graph graph, unsigned long long flags))              \
  F(cuGraphDestroy, graphDestroy, (Graph graph))                                                                                 \
  F(cuGraphExecDestroy, graphExecDestroy, (GraphExec executable))                                                                \
  F(cuGraphLaunch, graphLaunch, (GraphExec executable, Stream stream))                                                           \
  F(cuLaunchKernel, launchKernel,                                                                                                \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,       \
     unsigned sharedBytes, Stream stream, void** arguments, void** extra))                                                       \
  F(cuGetErrorName, getErrorName, (Result result, const char** name))

struct Driver {
  GANGLION_LOADED(GANGLION_CUDA_FUNCTIONS)
};
}  // namespace cuda
