// A GPU's blocks and threads on the CPU: the threads of a block are fibers, which switch at barriers. It proves order and indexing: a barrier
// that is missing shows as other bits, in one of three orders of threads.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>
#include "emulated-memory.h"

#define DEVICE static inline __attribute__((always_inline))
#define SHARED static thread_local
#define SHARED_16 SHARED
#define UNROLL
#define UNROLL_16
#define UNROLL_4
typedef long long i64;
typedef uint32_t u32;
typedef unsigned long long u64;

namespace emulation {
struct Place {
  int thread, threads, block, blockY, blockZ, grid;
};
inline thread_local Place place;

struct Fiber {
  void* sp = nullptr;
  char* stack = nullptr;
  bool isDone = true;
};
constexpr size_t STACK = (1 << 16) + 320; // no power of two: the stacks would share a few places of the cache
inline thread_local std::vector<Fiber> fibers;
inline thread_local Fiber* current = nullptr;
inline thread_local void* schedulerSp;
using Invoke = void (*)(void** arguments);
inline thread_local Invoke running;
inline thread_local void** runningArguments;

extern "C" void ganglionSwitch(void** save, void* to);
asm(R"(
.text
.globl ganglionSwitch
.type ganglionSwitch, @function
ganglionSwitch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
)");

inline void fiberMain() {
  running(runningArguments);
  current->isDone = true;
  void* unused;
  ganglionSwitch(&unused, schedulerSp);
  abort();
}

inline void start(Fiber& fiber) {
  if (!fiber.stack) fiber.stack = static_cast<char*>(aligned_alloc(64, STACK));
  void** sp = reinterpret_cast<void**>(fiber.stack + STACK) - 2; // at fiberMain's entry, rsp is 8 beside a multiple of 16
  *sp = reinterpret_cast<void*>(&fiberMain);
  sp -= 6;
  memset(sp, 0, 6 * sizeof(void*));
  fiber.sp = sp, fiber.isDone = false;
}

/** Order in which the threads of a block run between two barriers, of which the result must not depend: 0 up, 1 down, 2 mixed. */
inline int threadOrder = 0;
inline int pick(int i, int n, int round) {
  if (threadOrder == 0) return i;
  if (threadOrder == 1) return n - 1 - i;
  return static_cast<int>((i * 7919ll + round * 104729ll) % n); // a prime: a permutation
}

struct Kernel {
  Invoke invoke;
  int mostThreads;
  bool hasBarriers;
  int arguments;
  const int* sizes; // of the arguments, in bytes
  const bool* areAddresses;
};
inline std::unordered_map<std::string, Kernel>& kernels() {
  static std::unordered_map<std::string, Kernel> all;
  return all;
}
struct Registered {
  Registered(const char* name, Kernel kernel) { kernels()[name] = kernel; }
};

template <auto F>
struct Call;
template <class... A, void (*F)(A...)>
struct Call<F> {
  template <size_t... I>
  static void with(void** arguments, std::index_sequence<I...>) { F(*static_cast<A*>(arguments[I])...); }
  static void invoke(void** arguments) { with(arguments, std::index_sequence_for<A...>()); }
  static constexpr int SIZES[] = {sizeof(A)...};
  static constexpr bool ARE_ADDRESSES[] = {std::is_pointer_v<A>...};
  static Kernel kernel(int mostThreads, bool hasBarriers) { return {invoke, mostThreads, hasBarriers, sizeof...(A), SIZES, ARE_ADDRESSES}; }
};

inline void runBlock(int threads) {
  for (int t = 0; t < threads; t++) start(fibers[t]);
  for (int round = 0, left = threads; left > 0; round++) {
    int waiting = 0, ended = 0;
    for (int i = 0; i < threads; i++) {
      const int t = pick(i, threads, round);
      Fiber& fiber = fibers[t];
      if (fiber.isDone) continue;
      place.thread = t, current = &fiber;
      ganglionSwitch(&schedulerSp, fiber.sp);
      if (fiber.isDone) ended++; else waiting++;
    }
    if (waiting && ended) fprintf(stderr, "threads of a block ended while others wait at a barrier\n"), abort();
    left = waiting;
  }
  current = nullptr;
}

inline void launch(const Kernel& kernel, const unsigned (&grid)[3], int threads, void** arguments) {
  running = kernel.invoke, runningArguments = arguments;
  if (kernel.hasBarriers && static_cast<int>(fibers.size()) < threads) fibers.resize(threads);
  for (unsigned z = 0; z < grid[2]; z++)
    for (unsigned y = 0; y < grid[1]; y++)
      for (unsigned x = 0; x < grid[0]; x++) {
        place = {0, threads, static_cast<int>(x), static_cast<int>(y), static_cast<int>(z), static_cast<int>(grid[0])};
        if (kernel.hasBarriers) runBlock(threads);
        else
          for (int i = 0; i < threads; i++) place.thread = pick(i, threads, 0), kernel.invoke(arguments);
      }
  runningArguments = nullptr;
}
}  // namespace emulation

#define EMULATED_KERNEL(name, threads, hasBarriers, ...)                                                                            \
  static void name(__VA_ARGS__);                                                                                                    \
  static const emulation::Registered registered_##name(#name, emulation::Call<name>::kernel(threads, hasBarriers));                 \
  static void name(__VA_ARGS__)
#define KERNEL(name, threads, ...) EMULATED_KERNEL(name, threads, false, __VA_ARGS__)
#define BLOCK_KERNEL(name, threads, ...) EMULATED_KERNEL(name, threads, true, __VA_ARGS__)

DEVICE float fAdd(float a, float b) { return a + b; }
DEVICE float fSub(float a, float b) { return a - b; }
DEVICE float fMul(float a, float b) { return a * b; }
DEVICE float fDiv(float a, float b) { return a / b; }
DEVICE float fFma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE double widen(float a) { return a; }
DEVICE float narrow(double a) { return static_cast<float>(a); }
DEVICE double dAdd(double a, double b) { return a + b; }
DEVICE double dSub(double a, double b) { return a - b; }
DEVICE double dMul(double a, double b) { return a * b; }
DEVICE double dDiv(double a, double b) { return a / b; }
DEVICE double dSqrt(double a) { return std::sqrt(a); }
DEVICE double roundDown(double a) { return std::floor(a); }
DEVICE double magnitude(double a) { return std::fabs(a); }
DEVICE u32 highOf(double a) {
  u64 bits;
  memcpy(&bits, &a, sizeof bits);
  return static_cast<u32>(bits >> 32);
}
DEVICE double withHigh(double a, u32 high) {
  u64 bits;
  memcpy(&bits, &a, sizeof bits);
  bits = (bits & 0xffffffff) | static_cast<u64>(high) << 32;
  memcpy(&a, &bits, sizeof a);
  return a;
}
DEVICE u32 multiplyHigh(u32 a, u32 b) { return static_cast<u32>(static_cast<u64>(a) * b >> 32); }
/** Keeps the least of the values of all threads. */
DEVICE void atLeast(int* least, int value) { *least = value < *least ? value : *least; }
DEVICE float roundEven(float a) { return std::nearbyint(a); }
DEVICE float magnitude(float a) { return std::fabs(a); }
DEVICE float powerOfTwo(int n) {
  const uint32_t bits = static_cast<uint32_t>(n + 127) << 23;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}
/** Lets the other threads of the block come here; nothing where a test compiles without barriers. */
inline __attribute__((noinline)) void barrier() {
#ifndef GANGLION_NO_BARRIERS
  if (!emulation::current) fprintf(stderr, "a barrier in a kernel that is said to have none\n"), abort();
  emulation::ganglionSwitch(&emulation::current->sp, emulation::schedulerSp);
#endif
}
#define TID (emulation::place.thread)
#define THREADS (emulation::place.threads)
#define BLOCK (emulation::place.block)
#define BLOCK_Y (emulation::place.blockY)
#define BLOCK_Z (emulation::place.blockZ)
#define GRID (emulation::place.grid)
/** A pointer that a kernel finds in memory: that its first thread does is enough to know. */
template <class T>
DEVICE T* own(T* pointer) {
  if (TID == 0) memory::touch(pointer);
  return pointer;
}
struct Four { float v[4]; };
DEVICE Four load4(const float* p) { Four a; memcpy(&a, p, sizeof a); return a; }
DEVICE void store4(float* p, const Four& a) { memcpy(p, &a, sizeof a); }
