// Memory of the emulated devices. It lies in one address space, as that of real ones does, but each device reaches its own alone: what touches
// another's is found, where a machine whose devices reach each other would hide it.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>

namespace memory {
struct Part {
  const char* end;
  int device;
};
inline std::mutex mutex;
/** By their beginnings. */
inline std::map<const char*, Part> parts;

inline void add(const void* memory, size_t bytes, int device) {
  const std::lock_guard lock(mutex);
  const auto* first = static_cast<const char*>(memory);
  parts[first] = {first + bytes, device};
}
inline void remove(const void* memory) {
  const std::lock_guard lock(mutex);
  parts.erase(static_cast<const char*>(memory));
}
/** Whether bytes lie in memory of a device. */
inline bool isOf(int device, const void* first, size_t bytes) {
  const std::lock_guard lock(mutex);
  const auto* at = static_cast<const char*>(first);
  const auto after = parts.upper_bound(at);
  if (after == parts.begin()) return false;
  const Part& part = std::prev(after)->second;
  return part.device == device && at + bytes <= part.end;
}

/** The device whose kernel this thread runs; -1 where devices are not told apart. */
inline thread_local int running = -1;
/** Whether that kernel has touched memory that is not its device's. */
inline thread_local bool strayed = false;
/** An address that a kernel is given, or finds in memory. */
inline void touch(const void* address) {
  if (running >= 0 && address != nullptr && !isOf(running, address, 0)) strayed = true;
}
}  // namespace memory
