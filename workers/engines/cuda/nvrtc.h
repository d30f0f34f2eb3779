// Compiles CUDA kernels by NVRTC, which needs neither a GPU nor its driver. It is loaded by dlopen: 100 MB that nobody else needs.
#pragma once
#include <dlfcn.h>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace nvrtc {
using Program = void*;

/**
 * @param library path of NVRTC
 * @param path of the source
 * @param output file that is written; it ends in .cubin or .ptx
 * @returns what is wrong; empty when it is compiled
 */
inline std::string compile(const std::string& library, const std::string& path, const std::string& output, const std::vector<std::string>& options) {
  void* loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) return std::string("error: NVRTC does not load: ") + dlerror();
  std::string absent;
  const auto find = [&](const char* name) {
    void* found = dlsym(loaded, name);
    if (found == nullptr) absent = std::string("error: NVRTC has no ") + name;
    return found;
  };
  const auto create = reinterpret_cast<int (*)(Program*, const char*, const char*, int, const char* const*, const char* const*)>(find("nvrtcCreateProgram"));
  const auto build = reinterpret_cast<int (*)(Program, int, const char* const*)>(find("nvrtcCompileProgram"));
  using Size = int (*)(Program, size_t*);
  using Content = int (*)(Program, char*);
  const bool isPtx = output.size() > 4 && output.compare(output.size() - 4, 4, ".ptx") == 0;
  const auto sizeOf = reinterpret_cast<Size>(find(isPtx ? "nvrtcGetPTXSize" : "nvrtcGetCUBINSize"));
  const auto contentOf = reinterpret_cast<Content>(find(isPtx ? "nvrtcGetPTX" : "nvrtcGetCUBIN"));
  const auto sizeOfLog = reinterpret_cast<Size>(find("nvrtcGetProgramLogSize"));
  const auto log = reinterpret_cast<Content>(find("nvrtcGetProgramLog"));
  if (!absent.empty()) return absent;

  std::ifstream file(path);
  const std::string source{std::istreambuf_iterator<char>(file), {}};
  if (source.empty()) return "error: cannot read " + path;
  Program program;
  if (create(&program, source.c_str(), path.c_str(), 0, nullptr, nullptr) != 0) return "error: NVRTC makes no program";
  std::vector<const char*> flags;
  for (const std::string& option : options) flags.push_back(option.c_str());
  const int failed = build(program, static_cast<int>(flags.size()), flags.data());
  const auto get = [&](Size size, Content content) {
    size_t bytes = 0;
    std::string text;
    if (size(program, &bytes) == 0) text.resize(bytes);
    if (bytes > 0 && content(program, text.data()) != 0) text.clear();
    return text;
  };
  if (failed) return std::string(get(sizeOfLog, log).c_str()) + "\nerror: NVRTC ends with " + std::to_string(failed);
  const std::string compiled = get(sizeOf, contentOf);
  std::ofstream to(output, std::ios::binary);
  to.write(compiled.data(), static_cast<std::streamsize>(compiled.size() - (isPtx && !compiled.empty()))); // PTX ends with a 0
  to.close();
  return compiled.empty() || !to ? "error: cannot write " + output : "";
}
}  // namespace nvrtc
