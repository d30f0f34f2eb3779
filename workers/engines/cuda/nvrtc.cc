// Compiles CUDA kernels by NVRTC, which needs neither a GPU nor its driver: a program of its own, as NVRTC is 100 MB that nobody else needs.
//
//   compile-kernels LIBNVRTC SOURCE INCLUDES OUTPUT OPTION...     OUTPUT ends in .cubin or .ptx
#include <dlfcn.h>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {
using Program = void*;

template <class F>
F* find(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == nullptr) fprintf(stderr, "error: NVRTC has no %s\n", name), exit(1);
  return reinterpret_cast<F*>(found);
}
}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return fprintf(stderr, "error: expected LIBNVRTC SOURCE INCLUDES OUTPUT OPTION...\n"), 1;
  const std::string path = arguments[2], output = arguments[4];
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fprintf(stderr, "error: NVRTC does not load: %s\n", dlerror()), 1;
  std::ifstream file(path);
  const std::string source{std::istreambuf_iterator<char>(file), {}};
  if (source.empty()) return fprintf(stderr, "error: cannot read %s\n", path.c_str()), 1;

  Program program;
  if (find<int(Program*, const char*, const char*, int, const char* const*, const char* const*)>(library, "nvrtcCreateProgram")(
          &program, source.c_str(), path.c_str(), 0, nullptr, nullptr) != 0)
    return fprintf(stderr, "error: NVRTC makes no program\n"), 1;
  const std::string includes = std::string("--include-path=") + arguments[3];
  std::vector<const char*> options{includes.c_str()};
  options.insert(options.end(), arguments + 5, arguments + count);
  const int failed = find<int(Program, int, const char* const*)>(library, "nvrtcCompileProgram")(program, static_cast<int>(options.size()), options.data());

  const auto get = [&](const char* sizeOf, const char* contentOf) {
    size_t size = 0;
    std::string content;
    if (find<int(Program, size_t*)>(library, sizeOf)(program, &size) == 0) content.resize(size);
    if (size > 0 && find<int(Program, char*)>(library, contentOf)(program, content.data()) != 0) content.clear();
    return content;
  };
  if (failed) return fprintf(stderr, "%s\nerror: NVRTC ends with %d\n", get("nvrtcGetProgramLogSize", "nvrtcGetProgramLog").c_str(), failed), 1;
  const bool isPtx = output.size() > 4 && output.substr(output.size() - 4) == ".ptx";
  const std::string compiled = isPtx ? get("nvrtcGetPTXSize", "nvrtcGetPTX") : get("nvrtcGetCUBINSize", "nvrtcGetCUBIN");
  std::ofstream to(output, std::ios::binary);
  to.write(compiled.data(), static_cast<std::streamsize>(compiled.size() - isPtx)); // PTX ends with a 0
  to.close();
  if (compiled.empty() || !to) return fprintf(stderr, "error: cannot write %s\n", output.c_str()), 1;
  return 0;
}
