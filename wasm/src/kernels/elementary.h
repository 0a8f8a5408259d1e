/* Elementary functions of four float32 values. NaN gives NaN. */
#ifndef PYXNN_KERNELS_ELEMENTARY_H
#define PYXNN_KERNELS_ELEMENTARY_H

#include <float.h>
#include <math.h>

#include "kernels/simd.h"

/*
 * Functions named `_each` work on `count` vectors, op by op: steps of one vector wait for each other, those of several don't, and
 * four keep a core busy. `count` is a constant, so that loops over it unroll.
 */
#define SIMD_EACH(i) for (size_t i = 0; i < count; i++)
#define SIMD_INLINE static inline __attribute__((always_inline))

enum { simd_most = 4 }; /* vectors at a time */

/* The polynomial of `terms` coefficients, the constant one first. */
SIMD_INLINE void simd_polynomial_each(const v128_t* x, const float* coefficients, size_t terms, v128_t* sum,
                                      size_t count) {
  SIMD_EACH(i) sum[i] = wasm_f32x4_splat(coefficients[terms - 1]);
  for (size_t term = terms - 1; term > 0; term--) {
    SIMD_EACH(i) sum[i] = simd_madd(sum[i], x[i], wasm_f32x4_splat(coefficients[term - 1]));
  }
}

SIMD_INLINE v128_t simd_polynomial(v128_t x, const float* coefficients, size_t terms) {
  v128_t sum;
  simd_polynomial_each(&x, coefficients, terms, &sum, 1);
  return sum;
}

/*
 * e^x as 2^n * (1 + tail), n in the low bits of `rounded`: x = n * log(2) + r with an integer n, up to 2^8 either way, and e^r =
 * 1 + r + r^2 * polynomial (a minimax fit). Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
 */
SIMD_INLINE void simd_power_of_e_each(const v128_t* x, v128_t* rounded, v128_t* tail, size_t count) {
  static const float coefficients[] = {0.49999994f, 0.16666521f, 0.041668389f, 0.00836871f, 0.001381461f};
  const v128_t rounder = wasm_f32x4_splat(12582912.0f);
  v128_t n[simd_most], r[simd_most], sum[simd_most];
  SIMD_EACH(i) rounded[i] = simd_madd(x[i], wasm_f32x4_splat(1.44269504f), rounder);
  SIMD_EACH(i) n[i] = wasm_f32x4_sub(rounded[i], rounder);
  /* log(2) in two parts, so that n times the first is exact. */
  SIMD_EACH(i) r[i] = simd_madd(n[i], wasm_f32x4_splat(-0.693359375f), x[i]);
  SIMD_EACH(i) r[i] = simd_madd(n[i], wasm_f32x4_splat(2.12194440e-4f), r[i]);
  simd_polynomial_each(r, coefficients, 5, sum, count);
  SIMD_EACH(i) sum[i] = wasm_f32x4_mul(sum[i], r[i]);
  SIMD_EACH(i) tail[i] = simd_madd(sum[i], r[i], r[i]);
}

/* 2^n, of n in the low bits, from -126 to 127. */
static inline v128_t simd_power_of_two(v128_t n) {
  return wasm_i32x4_add(wasm_i32x4_shl(n, 23), wasm_i32x4_splat(127 << 23));
}

/* e^x, one unit in the last place; what lies outside [-87, 88] counts as the nearest inside. */
SIMD_INLINE void simd_exp_each(v128_t* x, size_t count) {
  v128_t rounded[simd_most], tail[simd_most];
  SIMD_EACH(i) x[i] = simd_clamp(x[i], wasm_f32x4_splat(-87.0f), wasm_f32x4_splat(88.0f));
  simd_power_of_e_each(x, rounded, tail, count);
  SIMD_EACH(i) tail[i] = wasm_f32x4_add(tail[i], wasm_f32x4_splat(1.0f));
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(tail[i], simd_power_of_two(rounded[i]));
}

SIMD_INLINE v128_t simd_exp(v128_t x) {
  simd_exp_each(&x, 1);
  return x;
}

/* e^x of any x: denormal, 0 and inf where it is so small or large. */
SIMD_INLINE void simd_exp_of_any_each(v128_t* x, size_t count) {
  v128_t rounded[simd_most], tail[simd_most];
  SIMD_EACH(i) x[i] = simd_clamp(x[i], wasm_f32x4_splat(-104.0f), wasm_f32x4_splat(89.0f));
  simd_power_of_e_each(x, rounded, tail, count);
  SIMD_EACH(i) tail[i] = wasm_f32x4_add(tail[i], wasm_f32x4_splat(1.0f));
  /* 2^n in two steps, each of which a float can be. */
  SIMD_EACH(i) rounded[i] = wasm_i32x4_sub(rounded[i], wasm_f32x4_splat(12582912.0f));
  SIMD_EACH(i) x[i] = wasm_i32x4_shr(rounded[i], 1);
  SIMD_EACH(i) tail[i] = wasm_f32x4_mul(tail[i], simd_power_of_two(x[i]));
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(tail[i], simd_power_of_two(wasm_i32x4_sub(rounded[i], x[i])));
}

/* e^x - 1, two units in the last place; what lies outside [-87, 88] counts as the nearest inside. */
SIMD_INLINE void simd_expm1_each(v128_t* x, size_t count) {
  v128_t rounded[simd_most], tail[simd_most];
  SIMD_EACH(i) x[i] = simd_clamp(x[i], wasm_f32x4_splat(-87.0f), wasm_f32x4_splat(88.0f));
  simd_power_of_e_each(x, rounded, tail, count);
  SIMD_EACH(i) x[i] = simd_power_of_two(rounded[i]);
  SIMD_EACH(i) x[i] = simd_madd(x[i], tail[i], wasm_f32x4_sub(x[i], wasm_f32x4_splat(1.0f)));
}

/*
 * log(x) of normal x > 0, one unit in the last place.
 *
 * x = 2^n * (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); with s = f / (2 + f), log(1 + f) = f - f^2 / 2 + s * (f^2 / 2 + s^2 *
 * polynomial(s^2)), as in FreeBSD's logf.
 */
SIMD_INLINE void simd_log_each(v128_t* x, size_t count) {
  static const float coefficients[] = {0.66666662693f, 0.40000972152f, 0.28498786688f, 0.24279078841f};
  v128_t f[simd_most], n[simd_most], s[simd_most], square[simd_most], half[simd_most], sum[simd_most];
  /* 0x3f3504f3 is sqrt(1/2). */
  SIMD_EACH(i) n[i] = wasm_i32x4_shr(wasm_i32x4_sub(x[i], wasm_i32x4_splat(0x3f3504f3)), 23);
  SIMD_EACH(i) f[i] = wasm_i32x4_sub(x[i], wasm_i32x4_shl(n[i], 23));
  SIMD_EACH(i) f[i] = wasm_f32x4_sub(f[i], wasm_f32x4_splat(1.0f));
  SIMD_EACH(i) n[i] = wasm_f32x4_convert_i32x4(n[i]);
  SIMD_EACH(i) s[i] = wasm_f32x4_div(f[i], wasm_f32x4_add(f[i], wasm_f32x4_splat(2.0f)));
  SIMD_EACH(i) half[i] = wasm_f32x4_mul(wasm_f32x4_mul(f[i], f[i]), wasm_f32x4_splat(0.5f));
  SIMD_EACH(i) square[i] = wasm_f32x4_mul(s[i], s[i]);
  simd_polynomial_each(square, coefficients, 4, sum, count);
  SIMD_EACH(i) sum[i] = simd_madd(sum[i], square[i], half[i]);
  /* log(2) in two parts, as above. */
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(n[i], wasm_f32x4_splat(9.0580006145e-06f));
  SIMD_EACH(i) x[i] = simd_madd(s[i], sum[i], x[i]);
  SIMD_EACH(i) x[i] = wasm_f32x4_add(wasm_f32x4_sub(x[i], half[i]), f[i]);
  SIMD_EACH(i) x[i] = simd_madd(n[i], wasm_f32x4_splat(6.9313812256e-01f), x[i]);
}

SIMD_INLINE v128_t simd_log(v128_t x) {
  simd_log_each(&x, 1);
  return x;
}

/* log(x) of any x: -inf of 0, NaN of negative numbers. */
static inline v128_t simd_log_of_any(v128_t x) {
  const v128_t zero = wasm_f32x4_const_splat(0.0f), infinity = wasm_f32x4_const_splat(INFINITY);
  const v128_t is_normal = wasm_v128_and(wasm_f32x4_ge(x, wasm_f32x4_splat(FLT_MIN)), wasm_f32x4_lt(x, infinity));
  if (__builtin_expect(wasm_i32x4_all_true(is_normal), 1)) {
    return simd_log(x);
  }
  const v128_t is_denormal = wasm_f32x4_lt(x, wasm_f32x4_splat(FLT_MIN));
  const v128_t scaled = wasm_v128_bitselect(wasm_f32x4_mul(x, wasm_f32x4_splat(0x1p23f)), x, is_denormal);
  const v128_t offset = wasm_v128_and(is_denormal, wasm_f32x4_splat(-15.942385152f));
  const v128_t finite = wasm_f32x4_add(simd_log(scaled), offset);
  const v128_t of_zero = wasm_v128_bitselect(wasm_f32x4_neg(infinity), x, wasm_f32x4_eq(x, zero));
  const v128_t other = wasm_v128_bitselect(wasm_f32x4_splat(NAN), of_zero, wasm_f32x4_lt(x, zero));
  return wasm_v128_bitselect(finite, other, wasm_v128_and(wasm_f32x4_gt(x, zero), wasm_f32x4_lt(x, infinity)));
}

/* log(1 + y) for y in [0, 1]: with s = y / (y + 2) it is log((1 + s) / (1 - s)), whose series is short for s <= 1/3. */
SIMD_INLINE void simd_log1p_each(v128_t* y, size_t count) {
  static const float coefficients[] = {2.0f,        2.0f / 3.0f, 2.0f / 5.0f,  2.0f / 7.0f,
                                       2.0f / 9.0f, 2.0f / 11.f, 2.0f / 13.0f, 2.0f / 15.0f};
  v128_t square[simd_most], sum[simd_most];
  SIMD_EACH(i) y[i] = wasm_f32x4_div(y[i], wasm_f32x4_add(y[i], wasm_f32x4_splat(2.0f)));
  SIMD_EACH(i) square[i] = wasm_f32x4_mul(y[i], y[i]);
  simd_polynomial_each(square, coefficients, 8, sum, count);
  SIMD_EACH(i) y[i] = wasm_f32x4_mul(y[i], sum[i]);
}

SIMD_INLINE v128_t simd_log1p(v128_t y) {
  simd_log1p_each(&y, 1);
  return y;
}

static inline v128_t simd_sigmoid(v128_t x) {
  const v128_t one = wasm_f32x4_splat(1.0f);
  return wasm_f32x4_div(one, wasm_f32x4_add(one, simd_exp(wasm_f32x4_neg(x))));
}

/* A minimax polynomial below 0.625, by the exponential above. */
static inline v128_t simd_tanh(v128_t x) {
  static const float near[] = {-0.333332819f, 0.133314422f, -0.0537397155f, 0.0206390888f, -0.00570498873f};
  const v128_t sign = wasm_f32x4_splat(-0.0f), one = wasm_f32x4_splat(1.0f);
  const v128_t a = wasm_v128_andnot(x, sign), square = wasm_f32x4_mul(x, x);
  const v128_t low = simd_madd(wasm_f32x4_mul(square, x), simd_polynomial(square, near, 5), x);
  const v128_t power = wasm_f32x4_add(simd_exp(wasm_f32x4_add(a, a)), one);
  const v128_t high = wasm_f32x4_sub(one, wasm_f32x4_div(wasm_f32x4_splat(2.0f), power));
  const v128_t signed_high = wasm_v128_bitselect(x, high, sign);
  return wasm_v128_bitselect(low, signed_high, wasm_f32x4_lt(a, wasm_f32x4_splat(0.625f)));
}

#endif
