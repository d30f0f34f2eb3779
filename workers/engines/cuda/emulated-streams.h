// Streams of the emulated driver. Without more, everything is done when it is asked for. With GANGLION_CUDA_LATE=1 it is done as late as a device
// may: when somebody waits for it, or has asked for it often. What does not wait for what it needs then reads too early, and other bits show.
// With GANGLION_CUDA_TIMED=US kernels compute nothing and take so many microseconds each: what the host does beside them shows.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace streams {
/** Questions that a stream with work in it answers by no. */
constexpr int LATE_ANSWERS = 3;

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

struct Stream {
  int device;
  std::deque<std::function<void()>> work;
  uint64_t asked = 0, done = 0;
  int questions = 0;
  /** When its kernels have taken their time. */
  Time freeAt;
  /** Whether its work never ends. */
  std::atomic<bool> hangs{false};
};
/** A place in a stream: all that had been asked for by then. */
struct Event {
  std::shared_ptr<Stream> stream;
  uint64_t asked = 0;
  Time freeAt;
};

inline std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;
inline std::set<std::shared_ptr<Stream>> all;
/** Memory of the host that the device reaches by itself: its end, by its beginning. */
inline std::map<const char*, const char*> pinned;

inline bool isLate() {
  const char* late = getenv("GANGLION_CUDA_LATE");
  return late != nullptr && *late == '1';
}

/** Microseconds that a kernel takes; 0 where it computes. */
inline double kernelMicros() {
  static const char* timed = getenv("GANGLION_CUDA_TIMED");
  static const double micros = timed ? atof(timed) : 0;
  return micros;
}
/** Has kernels take their time, one after another. */
inline void spend(Stream& stream, size_t kernels) {
  const auto time = std::chrono::duration<double, std::micro>(kernelMicros() * kernels);
  stream.freeAt = std::max(stream.freeAt, Clock::now()) + std::chrono::duration_cast<Clock::duration>(time);
}

inline void finish(Stream& stream, uint64_t upTo) {
  while (stream.done < upTo) {
    const auto work = std::move(stream.work.front());
    stream.work.pop_front();
    work();
    stream.done++;
  }
  stream.questions = 0;
}
inline void finish(Stream& stream) { finish(stream, stream.asked); }
/** As to free memory does. */
inline void finishAll() {
  const Lock lock(mutex);
  for (const auto& stream : all) finish(*stream);
}

inline void ask(Stream& stream, std::function<void()> work) {
  if (!isLate()) return work(); // beside other threads
  const Lock lock(mutex);
  stream.work.push_back(std::move(work));
  stream.asked++;
}

/** Whether a stream has done what it had been asked for by then. */
inline bool isDone(Stream& stream, uint64_t asked, Time freeAt) {
  if (Clock::now() < freeAt) return false;
  const Lock lock(mutex);
  if (stream.done < asked && ++stream.questions <= LATE_ANSWERS) return false;
  finish(stream, asked);
  return true;
}
/** Whether a stream has nothing left to do. */
inline bool isDone(Stream& stream) { return isDone(stream, stream.asked, stream.freeAt); }

inline void wait(Stream& stream, const Event& event) {
  stream.freeAt = std::max(stream.freeAt, event.freeAt);
  ask(stream, [event] { if (event.stream) finish(*event.stream, event.asked); });
}

inline bool isPinned(const void* memory) {
  const Lock lock(mutex);
  const auto* at = static_cast<const char*>(memory);
  const auto after = pinned.upper_bound(at);
  return after != pinned.begin() && at < std::prev(after)->second;
}

/** From the host: memory that is not pinned is read now. */
inline void copyToDevice(Stream& stream, void* to, const void* from, size_t bytes) {
  if (isPinned(from)) return ask(stream, [=] { memcpy(to, from, bytes); });
  const auto* first = static_cast<const char*>(from);
  const auto copy = std::make_shared<std::vector<char>>(first, first + bytes);
  ask(stream, [=] { memcpy(to, copy->data(), bytes); });
}
/** To the host: memory that is not pinned is filled now. */
inline void copyToHost(Stream& stream, void* to, const void* from, size_t bytes) {
  const Lock lock(mutex);
  ask(stream, [=] { memcpy(to, from, bytes); });
  if (!isPinned(to)) finish(stream);
}
}  // namespace streams
