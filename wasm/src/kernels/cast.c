#include "kernels/cast.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernels/elementary.h"

static const struct {
  uint8_t size;
  uint8_t wide; /* the type that it is widened to */
} types[num_elements] = {
    [pyxnn_float32] = {4, pyxnn_float32},  [pyxnn_int32] = {4, pyxnn_int32},     [pyxnn_int64] = {8, pyxnn_int64},
    [pyxnn_uint8] = {1, pyxnn_int32},      [pyxnn_bool] = {1, pyxnn_int32},      [pyxnn_int8] = {1, pyxnn_int32},
    [pyxnn_int16] = {2, pyxnn_int32},      [pyxnn_uint16] = {2, pyxnn_int32},    [pyxnn_uint32] = {4, pyxnn_int64},
    [pyxnn_uint64] = {8, pyxnn_int64},     [pyxnn_float64] = {8, pyxnn_float64}, [pyxnn_float16] = {2, pyxnn_float32},
    [pyxnn_bfloat16] = {2, pyxnn_float32},
};

size_t element_size(enum pyxnn_element element) {
  return types[element].size;
}

/* What the machine has no vectors for stays a plain loop. */
#pragma clang diagnostic ignored "-Wpass-failed"

/* Elements are read before their place is written, so the result may lie over the operand. */
#define DEFINE(name, source, target, value)                                             \
  static void name(const void* from, void* to, size_t count) {                          \
    const source* given = from;                                                         \
    target* result = to;                                                                \
    _Pragma("clang loop vectorize(assume_safety)") for (size_t i = 0; i < count; i++) { \
      const source x = given[i];                                                        \
      result[i] = (target)(value);                                                      \
    }                                                                                   \
  }

DEFINE(widen_uint8, uint8_t, int32_t, x)
DEFINE(widen_int8, int8_t, int32_t, x)
DEFINE(widen_uint16, uint16_t, int32_t, x)
DEFINE(widen_int16, int16_t, int32_t, x)
DEFINE(widen_uint32, uint32_t, int64_t, x)
DEFINE(narrow_to_8, uint32_t, uint8_t, x)
DEFINE(narrow_to_16, uint32_t, uint16_t, x)
DEFINE(narrow_to_32, uint64_t, uint32_t, x)
DEFINE(int32_to_int64, int32_t, int64_t, x)
DEFINE(int32_to_float32, int32_t, float, x)
DEFINE(int32_to_float64, int32_t, double, x)
DEFINE(int64_to_float64, int64_t, double, x)
DEFINE(float32_to_float64, float, double, x)
DEFINE(float64_to_float32, double, float, x)
DEFINE(float32_to_bool, float, bool, x != 0)
DEFINE(float64_to_bool, double, bool, x != 0)
DEFINE(int32_to_bool, int32_t, bool, x != 0)
DEFINE(int64_to_bool, int64_t, bool, x != 0)

/* NaN fails the comparison too. */
#define FITS(limit) (x >= -(limit) && x < (limit))
DEFINE(float64_to_int32, double, int32_t, FITS(0x1p31) ? (int32_t)x : INT32_MIN)
DEFINE(float64_to_int64, double, int64_t, FITS(0x1p63) ? (int64_t)x : INT64_MIN)

/* As int32; what none can be becomes INT32_MIN or, by the machine, what is nearest: INT32_MAX or, of NaN, 0. */
static inline v128_t cut(v128_t x) {
#ifdef __wasm_relaxed_simd__
  return wasm_i32x4_relaxed_trunc_f32x4(x);
#else
  return wasm_i32x4_trunc_sat_f32x4(x);
#endif
}

/* INT32_MIN stands for what none can be. */
static inline v128_t integers_of_floats(v128_t x) {
  const v128_t low = wasm_f32x4_ge(x, SIMD_CONSTANT(minus_int32_limit)),
               high = wasm_f32x4_lt(x, SIMD_CONSTANT(int32_limit));
  return simd_select(cut(x), SIMD_CONSTANT(sign), wasm_v128_and(low, high));
}

static void float32_to_int32(const void* from, void* to, size_t count) {
  const float* given = from;
  int32_t* result = to;
  for (; count >= 4; count -= 4, given += 4, result += 4) {
    wasm_v128_store(result, integers_of_floats(wasm_v128_load(given)));
  }
  for (; count > 0; count--) {
    wasm_v128_store32_lane(result++, integers_of_floats(wasm_v128_load32_zero(given++)), 0);
  }
}

/* Of a few. */
static void few_to_int64(const float* given, int64_t* result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const float x = given[i];
    result[i] = FITS(0x1p63f) ? (int64_t)x : INT64_MIN;
  }
}

static void float32_to_int64(const void* from, void* to, size_t count) {
  const float* given = from;
  int64_t* result = to;
  for (; count >= 16; count -= 16, given += 16, result += 16) {
    v128_t x[4];
    for (size_t i = 0; i < 4; i++) {
      x[i] = wasm_v128_load(given + i * 4);
    }
    if (simd_are_within(x, SIMD_CONSTANT(int32_most), 4)) {
      for (size_t i = 0; i < 4; i++) {
        const v128_t whole = cut(x[i]);
        wasm_v128_store(result + i * 4, wasm_i64x2_extend_low_i32x4(whole));
        wasm_v128_store(result + i * 4 + 2, wasm_i64x2_extend_high_i32x4(whole));
      }
    } else {
      few_to_int64(given, result, 16);
    }
  }
  few_to_int64(given, result, count);
}

/* Of a few. */
static void few_to_float32(const int64_t* given, float* result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    result[i] = (float)given[i];
  }
}

static void int64_to_float32(const void* from, void* to, size_t count) {
  const int64_t* given = from;
  float* result = to;
  for (; count >= 16; count -= 16, given += 16, result += 16) {
    v128_t low[4], beyond = wasm_i32x4_const_splat(0);
    for (size_t i = 0; i < 4; i++) {
      const v128_t a = wasm_v128_load(given + i * 4), b = wasm_v128_load(given + i * 4 + 2);
      const v128_t high = wasm_i32x4_shuffle(a, b, 1, 3, 5, 7);
      low[i] = wasm_i32x4_shuffle(a, b, 0, 2, 4, 6);
      beyond = wasm_v128_or(beyond, wasm_v128_xor(wasm_i32x4_shr(low[i], 31), high));
    }
    if (__builtin_expect(!wasm_v128_any_true(beyond), 1)) {
      for (size_t i = 0; i < 4; i++) {
        wasm_v128_store(result + i * 4, wasm_f32x4_convert_i32x4(low[i]));
      }
    } else {
      few_to_float32(given, result, 16);
    }
  }
  few_to_float32(given, result, count);
}

static void uint8_to_float32(const void* from, void* to, size_t count) {
  const uint8_t* given = from;
  float* result = to;
  for (; count >= 16; count -= 16, given += 16, result += 16) {
    for (size_t i = 0; i < 2; i++) {
      const v128_t eight = wasm_u16x8_load8x8(given + i * 8);
      wasm_v128_store(result + i * 8, wasm_f32x4_convert_i32x4(wasm_u32x4_extend_low_u16x8(eight)));
      wasm_v128_store(result + i * 8 + 4, wasm_f32x4_convert_i32x4(wasm_u32x4_extend_high_u16x8(eight)));
    }
  }
  for (; count > 0; count--) {
    *result++ = (float)*given++;
  }
}

/* The low bytes of four as int32: 0 of what none can be, as INT32_MIN has. */
static inline v128_t bytes_of_floats(v128_t x) {
  const v128_t whole = cut(x);
  const v128_t is_beyond = wasm_i32x4_eq(whole, SIMD_CONSTANT(int32_max));
  return wasm_v128_and(wasm_v128_andnot(whole, is_beyond), SIMD_CONSTANT(low_byte));
}

static void float32_to_8(const void* from, void* to, size_t count) {
  const float* given = from;
  uint8_t* result = to;
  for (; count >= 16; count -= 16, given += 16, result += 16) {
    v128_t x[4];
    for (size_t i = 0; i < 4; i++) {
      x[i] = bytes_of_floats(wasm_v128_load(given + i * 4));
    }
    wasm_v128_store(result,
                    wasm_u8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(x[0], x[1]), wasm_i16x8_narrow_i32x4(x[2], x[3])));
  }
  for (; count > 0; count--) {
    *result++ = (uint8_t)wasm_i32x4_extract_lane(bytes_of_floats(wasm_v128_load32_zero(given++)), 0);
  }
}

/*
 * Of four in the high halves of words. Exponent and fraction of float16 in float32's place, times what the biases of the exponents
 * differ by; the product is exact, denormals included. Infinities and NaN, from 2^16 on, get all of the exponent's bits.
 */
static inline v128_t floats_of_halves(v128_t x) {
  const v128_t small = wasm_v128_and(wasm_i32x4_shr(x, 3), SIMD_CONSTANT(half_places));
  const v128_t number = wasm_f32x4_mul(small, SIMD_CONSTANT(half_unbiased));
  const v128_t is_special = wasm_f32x4_ge(wasm_v128_andnot(number, SIMD_CONSTANT(sign)), SIMD_CONSTANT(half_limit));
  return wasm_v128_or(number, wasm_v128_and(is_special, SIMD_CONSTANT(infinity)));
}

/* bfloat16 is the high half of a float32. */
static inline v128_t floats_of_brains(v128_t x) {
  return x;
}

#define DEFINE_WIDEN(name, four)                                                   \
  static void name(const void* from, void* to, size_t count) {                     \
    const uint16_t* given = from;                                                  \
    float* result = to;                                                            \
    const v128_t zero = wasm_i16x8_const_splat(0);                                 \
    for (; count >= 8; count -= 8, given += 8, result += 8) {                      \
      const v128_t x = wasm_v128_load(given);                                      \
      const v128_t low = wasm_i16x8_shuffle(zero, x, 0, 8, 1, 9, 2, 10, 3, 11);    \
      const v128_t high = wasm_i16x8_shuffle(zero, x, 4, 12, 5, 13, 6, 14, 7, 15); \
      wasm_v128_store(result, four(low));                                          \
      wasm_v128_store(result + 4, four(high));                                     \
    }                                                                              \
    for (; count > 0; count--) {                                                   \
      const v128_t x = wasm_i32x4_splat((int32_t)((uint32_t)*given++ << 16));      \
      wasm_v128_store32_lane(result++, four(x), 0);                                \
    }                                                                              \
  }

DEFINE_WIDEN(widen_float16, floats_of_halves)
DEFINE_WIDEN(widen_bfloat16, floats_of_brains)

/*
 * Rounds four to nearest, ties to even, by adding a power of two whose last place is that of the result: a float that has 13
 * bits less, and in small numbers those more that denormals lack. What is too large counts as 2^16, which becomes infinite.
 */
static inline v128_t halves_of_floats(v128_t x) {
  const v128_t magnitude = wasm_v128_andnot(x, SIMD_CONSTANT(sign));
  const v128_t finite = wasm_i32x4_min(magnitude, SIMD_CONSTANT(half_limit));
  const v128_t exponent = wasm_i32x4_max(wasm_v128_and(finite, SIMD_CONSTANT(infinity)), SIMD_CONSTANT(half_least));
  const v128_t unit = wasm_i32x4_add(exponent, SIMD_CONSTANT(half_more));
  const v128_t rounded = simd_madd(finite, SIMD_CONSTANT(half_scale), unit);
  const v128_t high = wasm_v128_and(wasm_u32x4_shr(rounded, 13), SIMD_CONSTANT(half_exponent));
  const v128_t number = wasm_i32x4_add(high, wasm_v128_and(rounded, SIMD_CONSTANT(half_fraction)));
  const v128_t half = simd_select(SIMD_CONSTANT(half_nan), number, wasm_i32x4_gt(magnitude, SIMD_CONSTANT(infinity)));
  return wasm_v128_or(half, wasm_u32x4_shr(wasm_v128_xor(x, magnitude), 16));
}

/* Rounds four to nearest, ties to even; NaN keeps its high bits. */
static inline v128_t brains_of_floats(v128_t x) {
  const v128_t high = wasm_u32x4_shr(x, 16);
  const v128_t is_odd = wasm_u32x4_shr(wasm_i32x4_shl(x, 15), 31);
  const v128_t rounded = wasm_i32x4_add(wasm_i32x4_add(x, SIMD_CONSTANT(brain_half)), is_odd);
  return simd_select(wasm_v128_or(high, SIMD_CONSTANT(quiet)), wasm_u32x4_shr(rounded, 16), wasm_f32x4_ne(x, x));
}

#define DEFINE_NARROW(name, four)                                                             \
  static void name(const void* from, void* to, size_t count) {                                \
    const float* given = from;                                                                \
    uint16_t* result = to;                                                                    \
    for (; count >= 8; count -= 8, given += 8, result += 8) {                                 \
      const v128_t low = four(wasm_v128_load(given)), high = four(wasm_v128_load(given + 4)); \
      wasm_v128_store(result, wasm_u16x8_narrow_i32x4(low, high));                            \
    }                                                                                         \
    for (; count > 0; count--) {                                                              \
      *result++ = (uint16_t)wasm_i32x4_extract_lane(four(wasm_v128_load32_zero(given++)), 0); \
    }                                                                                         \
  }

DEFINE_NARROW(narrow_to_float16, halves_of_floats)
DEFINE_NARROW(narrow_to_bfloat16, brains_of_floats)

/* From a narrow type to the one that it is widened to, and back. */
static const struct {
  cast_row widen, narrow;
} narrow_types[num_elements] = {
    [pyxnn_uint8] = {widen_uint8, narrow_to_8},
    [pyxnn_bool] = {widen_uint8, NULL},
    [pyxnn_int8] = {widen_int8, narrow_to_8},
    [pyxnn_int16] = {widen_int16, narrow_to_16},
    [pyxnn_uint16] = {widen_uint16, narrow_to_16},
    [pyxnn_uint32] = {widen_uint32, narrow_to_32},
    [pyxnn_float16] = {widen_float16, narrow_to_float16},
    [pyxnn_bfloat16] = {widen_bfloat16, narrow_to_bfloat16},
};

/* Among the wide types. */
static cast_row convert(enum pyxnn_element from, enum pyxnn_element to) {
  switch (from) {
    case pyxnn_int32:
      return to == pyxnn_int64 ? int32_to_int64 : to == pyxnn_float32 ? int32_to_float32 : int32_to_float64;
    case pyxnn_int64:
      return to == pyxnn_int32 ? narrow_to_32 : to == pyxnn_float32 ? int64_to_float32 : int64_to_float64;
    case pyxnn_float32:
      return to == pyxnn_int32 ? float32_to_int32 : to == pyxnn_int64 ? float32_to_int64 : float32_to_float64;
    default:
      return to == pyxnn_int32 ? float64_to_int32 : to == pyxnn_int64 ? float64_to_int64 : float64_to_float32;
  }
}

static cast_row to_bool(enum pyxnn_element wide) {
  switch (wide) {
    case pyxnn_int32:
      return int32_to_bool;
    case pyxnn_int64:
      return int64_to_bool;
    case pyxnn_float32:
      return float32_to_bool;
    default:
      return float64_to_bool;
  }
}

static void append(struct cast* cast, cast_row step, enum pyxnn_element to) {
  cast->steps[cast->num_steps] = step;
  cast->num_steps += 1;
  cast->sizes[cast->num_steps] = element_size(to);
}

struct cast cast_find(enum pyxnn_element from, enum pyxnn_element to) {
  const enum pyxnn_element source = types[from].wide, target = to == pyxnn_bool ? source : types[to].wide;
  struct cast cast = {.num_steps = 0, .sizes = {element_size(from)}};
  if (element_size(from) == 1 && from != pyxnn_int8 && to == pyxnn_float32) {
    append(&cast, uint8_to_float32, to);
    return cast;
  }
  if (from == pyxnn_float32 && element_size(to) == 1 && to != pyxnn_bool) {
    append(&cast, float32_to_8, to);
    return cast;
  }
  if (narrow_types[from].widen != NULL) {
    append(&cast, narrow_types[from].widen, source);
  }
  if (source != target) {
    append(&cast, convert(source, target), target);
  }
  if (to == pyxnn_bool) {
    append(&cast, to_bool(source), to);
  } else if (narrow_types[to].narrow != NULL) {
    append(&cast, narrow_types[to].narrow, to);
  }
  return cast;
}
