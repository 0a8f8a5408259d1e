/* The way back from int32 sums to int8. */
#ifndef PYXNN_KERNELS_REQUANTIZE_H
#define PYXNN_KERNELS_REQUANTIZE_H

#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

/* What is the same for all sums, made by requantizer_of. */
struct requantizer {
  v128_t low;   /* floats: the lower bound less the zero point */
  v128_t magic; /* int32s */
  v128_t high;  /* int8s */
};

/* Added to a float below 2^22 in magnitude, it leaves the number rounded to an integer, ties to even, in the low bits. */
#define REQUANTIZE_MAGIC 12582912.0f

static inline struct requantizer requantizer_of(int8_t zero_point, int8_t min, int8_t max) {
  const float magic = REQUANTIZE_MAGIC;
  int32_t bits;
  memcpy(&bits, &magic, sizeof(bits));
  return (struct requantizer){
      .low = wasm_f32x4_splat((float)(min - zero_point)),
      .magic = wasm_i32x4_splat(bits - zero_point),
      .high = wasm_i8x16_splat(max),
  };
}

/* Four sums as rounded int32s, zero point included. Those far above int8 stay large, if inexact: the bits of floats are in order. */
static inline __attribute__((always_inline)) v128_t requantize_four(const struct requantizer* to, v128_t sums,
                                                                    v128_t multipliers) {
  const v128_t scaled = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums), multipliers);
  const v128_t bounded = wasm_f32x4_pmax(to->low, scaled);
  return wasm_i32x4_sub(wasm_f32x4_add(bounded, wasm_f32x4_splat(REQUANTIZE_MAGIC)), to->magic);
}

/* Eight sums as int8s, in the lower half. */
static inline __attribute__((always_inline)) v128_t requantize(const struct requantizer* to, v128_t left, v128_t right,
                                                               v128_t left_multipliers, v128_t right_multipliers) {
  const v128_t narrow = wasm_i16x8_narrow_i32x4(requantize_four(to, left, left_multipliers),
                                                requantize_four(to, right, right_multipliers));
  return wasm_i8x16_min(wasm_i8x16_narrow_i16x8(narrow, narrow), to->high);
}

/* Stores the first `count` of eight int8s, all of them for 8 and more. */
static inline __attribute__((always_inline)) void store_int8s(int8_t* to, v128_t values, size_t count) {
  if (count >= 8) {
    wasm_v128_store64_lane(to, values, 0);
    return;
  }
  int8_t all[8];
  wasm_v128_store64_lane(all, values, 0);
  for (size_t i = 0; i < count; i++) {
    to[i] = all[i];
  }
}

#endif
