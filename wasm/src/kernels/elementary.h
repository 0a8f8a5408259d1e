/* Elementary functions of four float32 values. NaN gives NaN. */
#ifndef PYXNN_KERNELS_ELEMENTARY_H
#define PYXNN_KERNELS_ELEMENTARY_H

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "kernels/simd.h"

/*
 * Functions named `_each` work on `count` vectors, op by op: steps of one vector wait for each other, those of several don't.
 * `count` is a constant, so that loops over it unroll.
 */
#define SIMD_EACH(i) for (size_t i = 0; i < count; i++)
#define SIMD_INLINE static inline __attribute__((always_inline))

enum { simd_most = 4 }; /* vectors at a time */

/*
 * Constants lie in elementary.c, where the compiler can't see them: a number that it sees becomes a literal vector inside the
 * loop, which V8 builds by three instructions at every use; what has to be loaded is loaded once, before the loop.
 */
extern const struct simd_constants {
  float one, minus_one, two, half, sign;
  float rounder;       /* 1.5 * 2^23: adding it rounds to an integer, which it leaves in the low bits */
  float power_rounder; /* 127 more, so that the low bits become 2^n when they are shifted */
  float exp_least, exp_most, exp_any_least, exp_any_most, expm1_least, expm1_most;
  float log2_of_e, minus_log_of_2_high, log_of_2_low; /* the high part times an integer up to 2^8 is exact */
  float exp_terms[5];                                 /* from that of x^2 on */
  float short_exp_terms[5];                           /* from that of x on */
  float exp_near;                                     /* magnitudes up to it have powers that are normal numbers */
  float log_of_2, root_of_half, log_terms[9], log1p_terms[9];
  float tanh_most, tanh_above[7], tanh_below[4];
  float root_of_2, erf_most, erf_least, erf_above[7], erf_below[5];
  float gelu_tanh_terms[2], gelu_tanh_least, power_of_2_least, power_of_2_terms[5], mish_most;
  float half_turns, half_turns_most, minus_pi_high, minus_pi_middle, minus_pi_low, half_turn_terms[4];
  float sine_terms[3], cosine_terms[4], power_terms[7];
  float least_normal, int32_limit, minus_int32_limit, int32_most, half_limit, half_scale, half_unbiased;
  uint32_t infinity, half_least, half_more, half_exponent, half_fraction, half_nan, half_unit, brain_half, quiet,
      brain_places, low_byte, half_places, int32_max, power_most;
  double wide_rounder, quarters_per_radian, quarter_high,
      quarter_low; /* a quarter of a turn, the high part of 25 bits */
  double wide_one, power_logarithms[5];
} simd_constants;

#define SIMD_CONSTANT(name) wasm_v128_load32_splat(&simd_constants.name)
#define SIMD_CONSTANT_F64(name) wasm_v128_load64_splat(&simd_constants.name)

/* The polynomial of `terms` coefficients, the constant one first. */
SIMD_INLINE void simd_polynomial_each(const v128_t* x, const float* coefficients, size_t terms, v128_t* sum,
                                      size_t count) {
  SIMD_EACH(i) sum[i] = wasm_v128_load32_splat(coefficients + terms - 1);
  for (size_t term = terms - 1; term > 0; term--) {
    SIMD_EACH(i) sum[i] = simd_madd(sum[i], x[i], wasm_v128_load32_splat(coefficients + term - 1));
  }
}

SIMD_INLINE v128_t simd_polynomial(v128_t x, const float* coefficients, size_t terms) {
  v128_t sum;
  simd_polynomial_each(&x, coefficients, terms, &sum, 1);
  return sum;
}

/* x = n * log(2) + r with an integer n up to 2^8 either way: n, in the low bits, and r in the place of x. */
SIMD_INLINE void simd_reduce_power_each(v128_t* x, v128_t* n, v128_t rounder, size_t count) {
  v128_t whole[simd_most];
  SIMD_EACH(i) n[i] = simd_madd(x[i], SIMD_CONSTANT(log2_of_e), rounder);
  SIMD_EACH(i) whole[i] = wasm_f32x4_sub(n[i], rounder);
  SIMD_EACH(i) x[i] = simd_madd(whole[i], SIMD_CONSTANT(minus_log_of_2_high), x[i]);
  SIMD_EACH(i) x[i] = simd_madd(whole[i], SIMD_CONSTANT(log_of_2_low), x[i]);
}

/* e^x of x within simd_constants.exp_near, one unit in the last place. */
SIMD_INLINE void simd_exp_of_near_each(v128_t* x, size_t count) {
  v128_t n[simd_most], sum[simd_most];
  simd_reduce_power_each(x, n, SIMD_CONSTANT(power_rounder), count);
  simd_polynomial_each(x, simd_constants.exp_terms, 5, sum, count);
  SIMD_EACH(i) sum[i] = simd_madd(sum[i], x[i], SIMD_CONSTANT(one));
  SIMD_EACH(i) sum[i] = simd_madd(sum[i], x[i], SIMD_CONSTANT(one));
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(sum[i], wasm_i32x4_shl(n[i], 23));
}

/* e^x of x up to simd_constants.exp_most as a product of x and of a power of 2, two units in the last place. */
SIMD_INLINE void simd_exp_parts_each(v128_t* x, v128_t* power_of_two, size_t count) {
  v128_t sum[simd_most];
  SIMD_EACH(i) x[i] = wasm_f32x4_pmax(x[i], SIMD_CONSTANT(exp_least));
  simd_reduce_power_each(x, power_of_two, SIMD_CONSTANT(power_rounder), count);
  simd_polynomial_each(x, simd_constants.short_exp_terms, 5, sum, count);
  SIMD_EACH(i) x[i] = simd_madd(sum[i], x[i], SIMD_CONSTANT(one));
  SIMD_EACH(i) power_of_two[i] = wasm_i32x4_shl(power_of_two[i], 23);
}

/* The same; 0 where it would be denormal. */
SIMD_INLINE void simd_exp_of_bounded_each(v128_t* x, size_t count) {
  v128_t power_of_two[simd_most];
  simd_exp_parts_each(x, power_of_two, count);
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(x[i], power_of_two[i]);
}

/* e^x, two units in the last place; 0 where it would be denormal, and infinite from e^88.4 on. */
SIMD_INLINE void simd_exp_each(v128_t* x, size_t count) {
  SIMD_EACH(i) x[i] = wasm_f32x4_pmin(x[i], SIMD_CONSTANT(exp_most));
  simd_exp_of_bounded_each(x, count);
}

SIMD_INLINE v128_t simd_exp(v128_t x) {
  simd_exp_each(&x, 1);
  return x;
}

/* 2^n, of n in the low bits, from -126 to 127. */
static inline v128_t simd_power_of_two(v128_t n) {
  return wasm_i32x4_add(wasm_i32x4_shl(n, 23), SIMD_CONSTANT(one));
}

/* x * 2^n, of n in the low bits, from -252 to 254: in two steps, each of which a float can be. */
SIMD_INLINE v128_t simd_scaled(v128_t x, v128_t n) {
  const v128_t half = wasm_i32x4_shr(n, 1);
  return wasm_f32x4_mul(wasm_f32x4_mul(x, simd_power_of_two(half)), simd_power_of_two(wasm_i32x4_sub(n, half)));
}

/* Whether no magnitude is above a bound, and there is no NaN. Bits of floats above 0 have the order of integers. */
SIMD_INLINE bool simd_are_within(const v128_t* x, v128_t bound, size_t count) {
  v128_t most = bound;
  SIMD_EACH(i) most = wasm_i32x4_max(most, wasm_v128_andnot(x[i], SIMD_CONSTANT(sign)));
  return __builtin_expect(!wasm_v128_any_true(wasm_i32x4_gt(most, bound)), 1);
}

/* e^x of any x: denormal, 0 and inf where it is so small or large. */
SIMD_INLINE void simd_exp_of_any_each(v128_t* x, size_t count) {
  if (simd_are_within(x, SIMD_CONSTANT(exp_near), count)) {
    simd_exp_of_near_each(x, count);
    return;
  }
  v128_t n[simd_most], sum[simd_most];
  SIMD_EACH(i) x[i] = simd_clamp(x[i], SIMD_CONSTANT(exp_any_least), SIMD_CONSTANT(exp_any_most));
  simd_reduce_power_each(x, n, SIMD_CONSTANT(rounder), count);
  simd_polynomial_each(x, simd_constants.exp_terms, 5, sum, count);
  SIMD_EACH(i) sum[i] = simd_madd(sum[i], x[i], SIMD_CONSTANT(one));
  SIMD_EACH(i) sum[i] = simd_madd(sum[i], x[i], SIMD_CONSTANT(one));
  SIMD_EACH(i) x[i] = simd_scaled(sum[i], wasm_i32x4_sub(n[i], SIMD_CONSTANT(rounder)));
}

/* e^x - 1, two units in the last place; what lies outside [-87, 88] counts as the nearest inside. */
SIMD_INLINE void simd_expm1_each(v128_t* x, size_t count) {
  v128_t n[simd_most], tail[simd_most];
  SIMD_EACH(i) x[i] = simd_clamp(x[i], SIMD_CONSTANT(expm1_least), SIMD_CONSTANT(expm1_most));
  simd_reduce_power_each(x, n, SIMD_CONSTANT(power_rounder), count);
  simd_polynomial_each(x, simd_constants.exp_terms, 5, tail, count);
  SIMD_EACH(i) tail[i] = wasm_f32x4_mul(tail[i], x[i]);
  SIMD_EACH(i) tail[i] = simd_madd(tail[i], x[i], x[i]);
  SIMD_EACH(i) n[i] = wasm_i32x4_shl(n[i], 23);
  SIMD_EACH(i) x[i] = simd_madd(n[i], tail[i], wasm_f32x4_sub(n[i], SIMD_CONSTANT(one)));
}

/*
 * log(x) of normal x > 0, one unit in the last place, a half more where relaxed multiply-adds round twice.
 *
 * x = 2^n * (1 + f) with 1 + f from sqrt(1/2) to sqrt(2), and log(1 + f) = f + f^2 * polynomial(f), a minimax fit.
 */
SIMD_INLINE void simd_log_each(v128_t* x, size_t count) {
  v128_t f[simd_most], n[simd_most], sum[simd_most];
  SIMD_EACH(i) n[i] = wasm_i32x4_shr(wasm_i32x4_sub(x[i], SIMD_CONSTANT(root_of_half)), 23);
  SIMD_EACH(i) f[i] = wasm_i32x4_sub(x[i], wasm_i32x4_shl(n[i], 23));
  SIMD_EACH(i) f[i] = wasm_f32x4_sub(f[i], SIMD_CONSTANT(one));
  simd_polynomial_each(f, simd_constants.log_terms, 9, sum, count);
  SIMD_EACH(i) sum[i] = simd_madd(wasm_f32x4_mul(f[i], f[i]), sum[i], f[i]);
  SIMD_EACH(i) x[i] = simd_madd(wasm_f32x4_convert_i32x4(n[i]), SIMD_CONSTANT(log_of_2), sum[i]);
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

/* log(1 + y) for y in [0, 1]: a minimax fit. */
SIMD_INLINE void simd_log1p_each(v128_t* y, size_t count) {
  v128_t sum[simd_most];
  simd_polynomial_each(y, simd_constants.log1p_terms, 9, sum, count);
  SIMD_EACH(i) y[i] = wasm_f32x4_mul(y[i], sum[i]);
}

SIMD_INLINE v128_t simd_log1p(v128_t y) {
  simd_log1p_each(&y, 1);
  return y;
}

/* y / (1 + e^-x), of which x brings the second: a sigmoid with y = 1. Both may be infinite. */
SIMD_INLINE void simd_divide_by_power_each(v128_t* y, v128_t* minus_x, size_t count) {
  v128_t power_of_two[simd_most];
  SIMD_EACH(i) minus_x[i] = wasm_f32x4_pmin(minus_x[i], SIMD_CONSTANT(exp_most));
  simd_exp_parts_each(minus_x, power_of_two, count);
  SIMD_EACH(i) y[i] = wasm_f32x4_div(y[i], simd_madd(minus_x[i], power_of_two[i], SIMD_CONSTANT(one)));
}

SIMD_INLINE v128_t simd_sigmoid(v128_t x) {
  v128_t y = SIMD_CONSTANT(one), minus_x = wasm_v128_xor(x, SIMD_CONSTANT(sign));
  simd_divide_by_power_each(&y, &minus_x, 1);
  return y;
}

/* A rational fit, within 4e-7 relatively; 1 from 7.9 on. */
SIMD_INLINE void simd_tanh_each(v128_t* x, size_t count) {
  v128_t square[simd_most], above[simd_most], below[simd_most];
  const v128_t most = SIMD_CONSTANT(tanh_most);
  SIMD_EACH(i) x[i] = simd_clamp(x[i], wasm_f32x4_neg(most), most);
  SIMD_EACH(i) square[i] = wasm_f32x4_mul(x[i], x[i]);
  simd_polynomial_each(square, simd_constants.tanh_above, 7, above, count);
  simd_polynomial_each(square, simd_constants.tanh_below, 4, below, count);
  SIMD_EACH(i) x[i] = wasm_f32x4_div(wasm_f32x4_mul(above[i], x[i]), below[i]);
}

SIMD_INLINE v128_t simd_tanh(v128_t x) {
  simd_tanh_each(&x, 1);
  return x;
}

#endif
