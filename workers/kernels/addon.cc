// The Node-API add-on of Ganglion's kernels: which instructions they use on this processor, and a proof that they work.

#include <immintrin.h>
#include <node_api.h>

#include <atomic>

namespace {

enum Isa { NONE, AVX2, AVX512 };

Isa detectIsa() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return NONE;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return wide ? AVX512 : AVX2;
}

/** One for the process: its threads compute with the same instructions. */
std::atomic<Isa> isa{detectIsa()};

/** 3 * i + 1 in eight lanes. */
__attribute__((target("avx2,fma"))) bool multipliesAndAdds256() {
  float result[8];
  const __m256 i = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_storeu_ps(result, _mm256_fmadd_ps(_mm256_set1_ps(3), i, _mm256_set1_ps(1)));
  for (int lane = 0; lane < 8; lane++)
    if (result[lane] != static_cast<float>(3 * lane + 1)) return false;
  return true;
}

/** The same in sixteen. */
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))) bool multipliesAndAdds512() {
  float result[16];
  const __m512 i = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  _mm512_storeu_ps(result, _mm512_fmadd_ps(_mm512_set1_ps(3), i, _mm512_set1_ps(1)));
  for (int lane = 0; lane < 16; lane++)
    if (result[lane] != static_cast<float>(3 * lane + 1)) return false;
  return true;
}

napi_value getIsa(napi_env env, napi_callback_info) {
  static const char* const names[] = {"none", "avx2", "avx512"};
  napi_value name;
  napi_create_string_utf8(env, names[isa.load()], NAPI_AUTO_LENGTH, &name);
  return name;
}

/** limitIsa('avx2'): the kernels of AVX2 where there are those of AVX-512 too. */
napi_value limitIsa(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  char name[8] = "";
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_string_utf8(env, argument, name, sizeof name, nullptr);
  if (__builtin_strcmp(name, "avx2") != 0) {
    napi_throw_type_error(env, nullptr, "limitIsa: expected 'avx2'");
    return nullptr;
  }
  Isa wide = AVX512;
  isa.compare_exchange_strong(wide, AVX2);
  return nullptr;
}

napi_value selfTest(napi_env env, napi_callback_info) {
  const Isa found = detectIsa();
  const bool right = (found == NONE || multipliesAndAdds256()) && (found != AVX512 || multipliesAndAdds512());
  napi_value result;
  napi_get_boolean(env, right, &result);
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"isa", nullptr, nullptr, getIsa, nullptr, nullptr, napi_enumerable, nullptr},
      {"limitIsa", nullptr, limitIsa, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"selfTest", nullptr, selfTest, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
