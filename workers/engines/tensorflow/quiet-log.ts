// TensorFlow 2.21 prints two lines on standard error while its library loads, whatever TF_CPP_MIN_LOG_LEVEL says: a static
// initialiser asks IsMKLEnabled(), which logs before logging is set up. They would stand at the head of every run.

/**
 * C++ compiled into the add-on. Its IsMKLEnabled is found before the library's: it raises absl's log level to errors, then
 * asks the real one. A TensorFlow without these symbols fails to link or to load, and set-up says so.
 */
export const QUIET_LOG_SOURCE = `
#include <dlfcn.h>
#include <cstdlib>
namespace absl { namespace lts_20250814 {
enum class LogSeverityAtLeast : int;
namespace log_internal { void RawSetMinLogLevel(LogSeverityAtLeast); }
} }
namespace tensorflow {
bool IsMKLEnabled() {
  static bool (*const real)() = [] {
    const int errors = 2;
    absl::lts_20250814::log_internal::RawSetMinLogLevel(static_cast<absl::lts_20250814::LogSeverityAtLeast>(errors));
    return reinterpret_cast<bool (*)()>(dlsym(RTLD_NEXT, "_ZN10tensorflow12IsMKLEnabledEv"));
  }();
  if (real == nullptr) abort();
  return real();
}
}
`;
