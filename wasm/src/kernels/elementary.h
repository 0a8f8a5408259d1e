/* Elementary functions of four float32 values. NaN gives NaN. */
#ifndef PYXNN_KERNELS_ELEMENTARY_H
#define PYXNN_KERNELS_ELEMENTARY_H

#include <float.h>
#include <math.h>

#include "kernels/simd.h"

/* The polynomial of `count` coefficients, the constant one first. */
static inline v128_t simd_polynomial(v128_t x, const float* coefficients, size_t count) {
  v128_t sum = wasm_f32x4_splat(coefficients[count - 1]);
  for (size_t i = count - 1; i > 0; i--) {
    sum = simd_madd(sum, x, wasm_f32x4_splat(coefficients[i - 1]));
  }
  return sum;
}

/* e^x as 2^n * (1 + tail); n is in the low bits of `rounded`. */
struct simd_power {
  v128_t rounded, tail;
};

/*
 * x = n * log(2) + r with an integer n, up to 2^8 either way, and e^r = 1 + r + r^2 * polynomial (a minimax fit). Adding 1.5 *
 * 2^23 rounds to an integer and leaves it in the low bits.
 */
static inline struct simd_power simd_power_of_e(v128_t x) {
  static const float coefficients[] = {0.49999994f, 0.16666521f, 0.041668389f, 0.00836871f, 0.001381461f};
  const v128_t rounder = wasm_f32x4_splat(12582912.0f);
  const v128_t rounded = simd_madd(x, wasm_f32x4_splat(1.44269504f), rounder);
  const v128_t n = wasm_f32x4_sub(rounded, rounder);
  /* log(2) in two parts, so that n times the first is exact. */
  v128_t r = simd_madd(n, wasm_f32x4_splat(-0.693359375f), x);
  r = simd_madd(n, wasm_f32x4_splat(2.12194440e-4f), r);
  return (struct simd_power){rounded, simd_madd(wasm_f32x4_mul(r, r), simd_polynomial(r, coefficients, 5), r)};
}

/* 2^n, of n in the low bits, from -126 to 127. */
static inline v128_t simd_power_of_two(v128_t n) {
  return wasm_i32x4_add(wasm_i32x4_shl(n, 23), wasm_i32x4_splat(127 << 23));
}

/* e^x, one unit in the last place; what lies outside [-87, 88] counts as the nearest inside. */
static inline v128_t simd_exp(v128_t x) {
  const struct simd_power e = simd_power_of_e(simd_clamp(x, wasm_f32x4_splat(-87.0f), wasm_f32x4_splat(88.0f)));
  return wasm_f32x4_mul(wasm_f32x4_add(e.tail, wasm_f32x4_splat(1.0f)), simd_power_of_two(e.rounded));
}

/* e^x of any x: denormal, 0 and inf where it is so small or large. */
static inline v128_t simd_exp_of_any(v128_t x) {
  const struct simd_power e = simd_power_of_e(simd_clamp(x, wasm_f32x4_splat(-104.0f), wasm_f32x4_splat(89.0f)));
  /* 2^n in two steps, each of which a float can be. */
  const v128_t n = wasm_i32x4_sub(e.rounded, wasm_f32x4_splat(12582912.0f)), half = wasm_i32x4_shr(n, 1);
  const v128_t most = wasm_f32x4_mul(wasm_f32x4_add(e.tail, wasm_f32x4_splat(1.0f)), simd_power_of_two(half));
  return wasm_f32x4_mul(most, simd_power_of_two(wasm_i32x4_sub(n, half)));
}

/* e^x - 1, two units in the last place; what lies outside [-87, 88] counts as the nearest inside. */
static inline v128_t simd_expm1(v128_t x) {
  const struct simd_power e = simd_power_of_e(simd_clamp(x, wasm_f32x4_splat(-87.0f), wasm_f32x4_splat(88.0f)));
  const v128_t power = simd_power_of_two(e.rounded);
  return simd_madd(power, e.tail, wasm_f32x4_sub(power, wasm_f32x4_splat(1.0f)));
}

/* log((1 + s) / (1 - s)) for |s| <= 1/3, by its series. */
static inline v128_t simd_log_ratio(v128_t s) {
  static const float coefficients[] = {2.0f,        2.0f / 3.0f, 2.0f / 5.0f,  2.0f / 7.0f,
                                       2.0f / 9.0f, 2.0f / 11.f, 2.0f / 13.0f, 2.0f / 15.0f};
  return wasm_f32x4_mul(s, simd_polynomial(wasm_f32x4_mul(s, s), coefficients, 8));
}

/*
 * log(x) of normal x > 0, one unit in the last place.
 *
 * x = 2^n * (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); with s = f / (2 + f), log(1 + f) = f - f^2 / 2 + s * (f^2 / 2 + s^2 *
 * polynomial(s^2)), as in FreeBSD's logf.
 */
static inline v128_t simd_log(v128_t x) {
  static const float coefficients[] = {0.66666662693f, 0.40000972152f, 0.28498786688f, 0.24279078841f};
  /* 0x3f3504f3 is sqrt(1/2). */
  const v128_t exponent = wasm_i32x4_shr(wasm_i32x4_sub(x, wasm_i32x4_splat(0x3f3504f3)), 23);
  const v128_t f = wasm_f32x4_sub(wasm_i32x4_sub(x, wasm_i32x4_shl(exponent, 23)), wasm_f32x4_splat(1.0f));
  const v128_t n = wasm_f32x4_convert_i32x4(exponent);
  const v128_t s = wasm_f32x4_div(f, wasm_f32x4_add(f, wasm_f32x4_splat(2.0f)));
  const v128_t square = wasm_f32x4_mul(s, s);
  const v128_t half = wasm_f32x4_mul(wasm_f32x4_mul(f, f), wasm_f32x4_splat(0.5f));
  const v128_t rest = simd_madd(square, simd_polynomial(square, coefficients, 4), half);
  /* log(2) in two parts, as above. */
  const v128_t low = simd_madd(s, rest, wasm_f32x4_mul(n, wasm_f32x4_splat(9.0580006145e-06f)));
  const v128_t sum = wasm_f32x4_add(wasm_f32x4_sub(low, half), f);
  return simd_madd(n, wasm_f32x4_splat(6.9313812256e-01f), sum);
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

/* log(1 + y) for y in [0, 1]. */
static inline v128_t simd_log1p(v128_t y) {
  return simd_log_ratio(wasm_f32x4_div(y, wasm_f32x4_add(y, wasm_f32x4_splat(2.0f))));
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
