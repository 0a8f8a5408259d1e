/* The way back from int32 sums to int8. */
#ifndef PYXNN_KERNELS_REQUANTIZE_H
#define PYXNN_KERNELS_REQUANTIZE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

#include "kernels/elementary.h"

/* What is the same for all sums, made by requantizer_of. */
struct requantizer {
  v128_t rounder; /* floats */
  v128_t magic;   /* int32s: the rounder's bits less the zero point */
  v128_t low;     /* int8s */
  v128_t high;
  bool is_far; /* see requantize_is_far */
};

/*
 * Whether products of sums and multipliers may be so far below the range of int8 that rounding has to take care of it.
 * @param terms  how many products of two numbers below 256 are in a sum, beside its bias
 */
static inline bool requantize_is_far(size_t terms, const int32_t* bias, const float* multipliers, size_t channels) {
  bool is_far = false;
  for (size_t i = 0; i < channels; i++) {
    is_far |= ((float)terms * 0x1p16f + fabsf((float)bias[i])) * multipliers[i] > 0x1p23f;
  }
  return is_far;
}

static inline struct requantizer requantizer_of(int8_t zero_point, int8_t min, int8_t max, bool is_far) {
  int32_t bits;
  memcpy(&bits, &simd_constants.rounder, sizeof(bits));
  return (struct requantizer){
      .rounder = SIMD_CONSTANT(rounder),
      .magic = wasm_i32x4_splat(bits - zero_point),
      .low = wasm_i8x16_splat(min),
      .high = wasm_i8x16_splat(max),
      .is_far = is_far,
  };
}

/*
 * Four floats as rounded int32s, zero point included. The rounder leaves numbers below 2^22 in magnitude rounded to integers,
 * ties to even, in its low bits. Those beyond stay large, if inexact, as the bits of positive floats are in order.
 */
static inline __attribute__((always_inline)) v128_t requantize_floats(const struct requantizer* to, v128_t scaled) {
  return wasm_i32x4_sub(wasm_f32x4_add(scaled, to->rounder), to->magic);
}

/* The same of sums times their multipliers. Products are rounded by themselves, as native onnxruntime does. */
static inline __attribute__((always_inline)) v128_t requantize_four(const struct requantizer* to, v128_t sums,
                                                                    v128_t multipliers) {
  return requantize_floats(to, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), multipliers));
}

/* The sums of eight columns, and their multipliers. */
struct eight {
  v128_t low, high;
};

static inline __attribute__((always_inline)) v128_t requantize_eight(const struct requantizer* to, struct eight sums,
                                                                     struct eight multipliers) {
  return wasm_i16x8_narrow_i32x4(requantize_four(to, sums.low, multipliers.low),
                                 requantize_four(to, sums.high, multipliers.high));
}

/* Raises sums whose products with the multipliers are below -2^23. */
static inline void raise_sums(struct eight* sums, size_t count, struct eight multipliers) {
  const v128_t least = wasm_f32x4_splat(-0x1p23f);
  const v128_t low = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_div(least, multipliers.low));
  const v128_t high = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_div(least, multipliers.high));
  for (size_t r = 0; r < count; r++) {
    sums[r] = (struct eight){wasm_i32x4_max(sums[r].low, low), wasm_i32x4_max(sums[r].high, high)};
  }
}

/* Stores the results of `count` rows of eight columns, two at a time; `count` is a constant. */
static inline __attribute__((always_inline)) void requantize_rows(const struct requantizer* to, struct eight* sums,
                                                                  size_t count, struct eight multipliers,
                                                                  int8_t* output, size_t stride) {
  if (to->is_far) {
    raise_sums(sums, count, multipliers);
  }
#pragma unroll
  for (size_t r = 0; r < count; r += 2) {
    const bool is_last = r + 1 == count;
    const v128_t wide = requantize_eight(to, sums[r], multipliers);
    const v128_t next = is_last ? wide : requantize_eight(to, sums[r + 1], multipliers);
    const v128_t results = wasm_i8x16_min(wasm_i8x16_max(wasm_i8x16_narrow_i16x8(wide, next), to->low), to->high);
    wasm_v128_store64_lane(output, results, 0);
    if (!is_last) {
      wasm_v128_store64_lane(output + stride, results, 1);
    }
    output += 2 * stride;
  }
}

/*
 * Where requantize_rows may store a block of which only some rows and columns are wanted.
 * @param all  room for it, `rows` times 8
 */
static inline void copy_block(const int8_t* all, int8_t* output, size_t stride, size_t rows, size_t columns) {
  for (size_t row = 0; row < rows; row++) {
    memcpy(output + row * stride, all + row * 8, columns);
  }
}

#endif
