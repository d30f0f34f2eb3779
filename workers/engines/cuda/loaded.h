// A library that is loaded by dlopen, with its functions: nothing is linked, so the add-on loads where the library is not.
#pragma once
#include <dlfcn.h>
#include <string>

#define GANGLION_DECLARE(symbol, name, parameters) int(*name) parameters = nullptr;
#define GANGLION_LOOK_UP(symbol, name, parameters)                                                                  \
  *reinterpret_cast<void**>(&name) = dlsym(library, #symbol);                                                       \
  if (name == nullptr) return std::string(path) + " has no " #symbol;

/**
 * The members of a struct: the functions of a library, and what loads them.
 *
 * FUNCTIONS calls its argument with name in the library, name here, parameters, of each. `load` returns why it cannot be loaded; empty
 * where it is.
 */
#define GANGLION_LOADED(FUNCTIONS)                                     \
  FUNCTIONS(GANGLION_DECLARE)                                          \
  std::string load(const char* path) {                                 \
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);               \
    if (library == nullptr) return dlerror();                          \
    FUNCTIONS(GANGLION_LOOK_UP)                                        \
    return "";                                                         \
  }
