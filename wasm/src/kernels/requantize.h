/* The way back from int32 sums to int8. */
#ifndef PYXNN_KERNELS_REQUANTIZE_H
#define PYXNN_KERNELS_REQUANTIZE_H

#include <stdbool.h>
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

/* The sums of eight columns, and their multipliers. */
struct eight {
  v128_t low, high;
};

static inline __attribute__((always_inline)) v128_t requantize_eight(const struct requantizer* to, struct eight sums,
                                                                     struct eight multipliers) {
  return wasm_i16x8_narrow_i32x4(requantize_four(to, sums.low, multipliers.low),
                                 requantize_four(to, sums.high, multipliers.high));
}

/* Stores the results of `count` rows of eight columns, two at a time; `count` is a constant. */
static inline __attribute__((always_inline)) void requantize_rows(const struct requantizer* to,
                                                                  const struct eight* sums, size_t count,
                                                                  struct eight multipliers, int8_t* output,
                                                                  size_t stride) {
#pragma unroll
  for (size_t r = 0; r < count; r += 2) {
    const bool is_last = r + 1 == count;
    const v128_t wide = requantize_eight(to, sums[r], multipliers);
    const v128_t next = is_last ? wide : requantize_eight(to, sums[r + 1], multipliers);
    const v128_t results = wasm_i8x16_min(wasm_i8x16_narrow_i16x8(wide, next), to->high);
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
