/* Sixteen int8 numbers at a time: to wider ones and back. */
#ifndef PYXNN_KERNELS_BYTES_H
#define PYXNN_KERNELS_BYTES_H

#include <stddef.h>
#include <string.h>

#include "kernels/requantize.h"

enum { bytes_per_turn = 16 };

/* Loads the first `count` numbers, all of them for 16 and more; zeros stand for the others. */
static inline v128_t bytes_load(const int8_t* from, size_t count) {
  if (count >= bytes_per_turn) {
    return wasm_v128_load(from);
  }
  v128_t some = wasm_i8x16_const_splat(0);
  memcpy(&some, from, count);
  return some;
}

/* Sixteen numbers of 32 bits. */
struct sixteen {
  v128_t four[4];
};

static inline __attribute__((always_inline)) struct sixteen bytes_widen(v128_t x) {
  const v128_t low = wasm_i16x8_extend_low_i8x16(x), high = wasm_i16x8_extend_high_i8x16(x);
  return (struct sixteen){{
      wasm_i32x4_extend_low_i16x8(low),
      wasm_i32x4_extend_high_i16x8(low),
      wasm_i32x4_extend_low_i16x8(high),
      wasm_i32x4_extend_high_i16x8(high),
  }};
}

/* Stores the first `count` results of floats, in steps of the result, all of them for 16 and more; the least of NaN. */
static inline __attribute__((always_inline)) void bytes_store(const struct requantizer* to,
                                                              const struct sixteen* scaled, int8_t* output,
                                                              size_t count) {
  const v128_t least = wasm_f32x4_neg(to->rounder); /* where the sum with the rounder is not negative yet */
  v128_t made[4];
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    made[i] = requantize_floats(to, wasm_f32x4_pmax(least, scaled->four[i]));
  }
  const v128_t low = wasm_i16x8_narrow_i32x4(made[0], made[1]), high = wasm_i16x8_narrow_i32x4(made[2], made[3]);
  const v128_t results = wasm_i8x16_min(wasm_i8x16_max(wasm_i8x16_narrow_i16x8(low, high), to->low), to->high);
  if (count >= bytes_per_turn) {
    wasm_v128_store(output, results);
  } else {
    memcpy(output, &results, count);
  }
}

#endif
