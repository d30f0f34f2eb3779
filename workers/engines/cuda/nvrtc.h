// Compiles CUDA kernels by NVRTC, which needs neither a GPU nor its driver; 100 MB that nobody else needs.
#pragma once
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>
#include "loaded.h"

namespace nvrtc {
using Program = void*;

// Name in the library, name here, parameters.
#define GANGLION_NVRTC_FUNCTIONS(F)                                                                                          \
  F(nvrtcCreateProgram, create,                                                                                              \
    (Program * program, const char* source, const char* name, int headers, const char* const* contents, const char* const*)) \
  F(nvrtcCompileProgram, build, (Program program, int count, const char* const* options))                                    \
  F(nvrtcGetProgramLogSize, logSize, (Program program, size_t * size))                                                       \
  F(nvrtcGetProgramLog, log, (Program program, char* text))                                                                  \
  F(nvrtcGetPTXSize, ptxSize, (Program program, size_t * size))                                                              \
  F(nvrtcGetPTX, ptx, (Program program, char* text))                                                                         \
  F(nvrtcGetCUBINSize, cubinSize, (Program program, size_t * size))                                                          \
  F(nvrtcGetCUBIN, cubin, (Program program, char* bytes))

struct Compiler {
  GANGLION_LOADED(GANGLION_NVRTC_FUNCTIONS)
};

/** @returns what the two functions give of a program; empty where they fail */
inline std::string get(Program program, int (*sizeOf)(Program, size_t*), int (*contentOf)(Program, char*)) {
  size_t size = 0;
  std::string content;
  if (sizeOf(program, &size) == 0) content.resize(size);
  if (size > 0 && contentOf(program, content.data()) != 0) content.clear();
  return content;
}

/**
 * @param library path of NVRTC
 * @param path of the source
 * @param output file that is written; it ends in .cubin or .ptx
 * @returns what is wrong; empty when it is compiled
 */
inline std::string compile(const std::string& library, const std::string& path, const std::string& output, const std::vector<std::string>& options) {
  Compiler compiler;
  const std::string fault = compiler.load(library.c_str());
  if (!fault.empty()) return "NVRTC does not load: " + fault;
  std::ifstream file(path);
  const std::string source{std::istreambuf_iterator<char>(file), {}};
  if (source.empty()) return "cannot read " + path;
  Program program;
  if (compiler.create(&program, source.c_str(), path.c_str(), 0, nullptr, nullptr) != 0) return "NVRTC makes no program";
  std::vector<const char*> flags;
  for (const std::string& option : options) flags.push_back(option.c_str());
  const int failed = compiler.build(program, static_cast<int>(flags.size()), flags.data());
  if (failed) return std::string(get(program, compiler.logSize, compiler.log).c_str()) + "\nNVRTC ends with " + std::to_string(failed);
  const bool isPtx = output.size() > 4 && output.compare(output.size() - 4, 4, ".ptx") == 0;
  std::string compiled = isPtx ? get(program, compiler.ptxSize, compiler.ptx) : get(program, compiler.cubinSize, compiler.cubin);
  if (isPtx && !compiled.empty()) compiled.pop_back(); // it ends with a 0
  std::ofstream to(output, std::ios::binary);
  to.write(compiled.data(), static_cast<std::streamsize>(compiled.size()));
  to.close();
  return compiled.empty() || !to ? "cannot write " + output : "";
}
}  // namespace nvrtc
