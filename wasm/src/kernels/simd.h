/* What the kernels share: multiply-add as the binary has it, clamping, and loads and stores of less than a vector. */
#ifndef PYXNN_KERNELS_SIMD_H
#define PYXNN_KERNELS_SIMD_H

#include <stddef.h>
#include <wasm_simd128.h>

/* a * b + c, in one rounding or two: relaxed SIMD leaves it to the machine. */
static inline v128_t simd_madd(v128_t a, v128_t b, v128_t c) {
#ifdef __wasm_relaxed_simd__
  return wasm_f32x4_relaxed_madd(a, b, c);
#else
  return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
#endif
}

/* The sums of the products of neighbours: of int8 `a`, and `b` within 0 to 127, so that no sum is too large for int16. */
static inline v128_t simd_dot_bytes(v128_t a, v128_t b) {
#ifdef __wasm_relaxed_simd__
  return wasm_i16x8_relaxed_dot_i8x16_i7x16(a, b);
#else
  const v128_t even = wasm_i16x8_mul(wasm_i16x8_shr(wasm_i16x8_shl(a, 8), 8), wasm_v128_and(b, wasm_i16x8_splat(0xFF)));
  return wasm_i16x8_add(even, wasm_i16x8_mul(wasm_i16x8_shr(a, 8), wasm_u16x8_shr(b, 8)));
#endif
}

/* Elements of 32 bits: of `a` where the mask has all bits, of `b` where it has none. */
static inline v128_t simd_select(v128_t a, v128_t b, v128_t mask) {
#ifdef __wasm_relaxed_simd__
  return wasm_i32x4_relaxed_laneselect(a, b, mask);
#else
  return wasm_v128_bitselect(a, b, mask);
#endif
}

/* The bytes of `from` that `places` name, 0 for 255. */
static inline v128_t simd_pick_bytes(v128_t from, v128_t places) {
#ifdef __wasm_relaxed_simd__
  return wasm_i8x16_relaxed_swizzle(from, places);
#else
  return wasm_i8x16_swizzle(from, places);
#endif
}

/* NaN stays NaN. */
static inline v128_t simd_clamp(v128_t value, v128_t min, v128_t max) {
  return wasm_f32x4_pmin(wasm_f32x4_pmax(value, min), max);
}

/* Loads the first `count` floats, four for 4 and more; zeros stand for the others. */
static inline v128_t simd_load(const float* from, size_t count) {
  if (count >= 4) {
    return wasm_v128_load(from);
  }
  if (count < 2) {
    return count == 1 ? wasm_v128_load32_zero(from) : wasm_f32x4_const_splat(0.0f);
  }
  const v128_t pair = wasm_v128_load64_zero(from);
  return count == 3 ? wasm_v128_load32_lane(from + 2, pair, 2) : pair;
}

/* Stores the first `count` floats of `value`, all of them for 4 and more. */
static inline void simd_store(float* to, v128_t value, size_t count) {
  if (count >= 4) {
    wasm_v128_store(to, value);
    return;
  }
  if (count & 2) {
    wasm_v128_store64_lane(to, value, 0);
    value = wasm_i64x2_shuffle(value, value, 1, 1);
    to += 2;
  }
  if (count & 1) {
    wasm_v128_store32_lane(to, value, 0);
  }
}

#endif
