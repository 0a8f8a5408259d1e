#include "kernels/functions.h"

#include <math.h>
#include <stdbool.h>

#include "kernels/elementary.h"

#define INLINE static inline __attribute__((always_inline))

/*
 * A kernel by a function of some vectors, `name(x, count, p)`; see kernels/elementary.h. So many at a time hide how long each of
 * their steps takes, even from a thread that shares its core with another.
 */
#define KERNEL_BY(name, together)                                                              \
  static void name##_kernel(const float* input, float* output, size_t count, const float* p) { \
    size_t i = 0;                                                                              \
    for (; i + 4 * together <= count; i += 4 * together) {                                     \
      v128_t x[together];                                                                      \
      for (size_t j = 0; j < together; j++) {                                                  \
        x[j] = wasm_v128_load(input + i + 4 * j);                                              \
      }                                                                                        \
      name(x, together, p);                                                                    \
      for (size_t j = 0; j < together; j++) {                                                  \
        wasm_v128_store(output + i + 4 * j, x[j]);                                             \
      }                                                                                        \
    }                                                                                          \
    for (; i < count; i += 4) {                                                                \
      v128_t x = simd_load(input + i, count - i);                                              \
      name(&x, 1, p);                                                                          \
      simd_store(output + i, x, count - i);                                                    \
    }                                                                                          \
  }
#define KERNEL(name) KERNEL_BY(name, simd_most)

/* A kernel by a function of four values, `name(x, p)`. */
#define SHORT_KERNEL(name)                                           \
  INLINE void name##_each(v128_t* x, size_t count, const float* p) { \
    SIMD_EACH(i) x[i] = name(x[i], p);                               \
  }                                                                  \
  KERNEL(name##_each)

/* A kernel by a function of one value: seldom met, so as exact as libm. */
#define SCALAR_KERNEL(function)                                                                    \
  static void function##_kernel(const float* input, float* output, size_t count, const float* p) { \
    for (size_t i = 0; i < count; i++) {                                                           \
      output[i] = function(input[i]);                                                              \
    }                                                                                              \
  }

INLINE v128_t sign_bit(void) {
  return SIMD_CONSTANT(sign);
}

INLINE v128_t one(void) {
  return SIMD_CONSTANT(one);
}

INLINE v128_t zero(void) {
  return wasm_f32x4_const_splat(0.0f);
}

/* erf(x / sqrt(2)) for |x| up to erf_most, where it is 1 or a little more: a rational fit, within 4e-7. */
INLINE void error_of_roots_each(v128_t* x, size_t count) {
  v128_t square[simd_most], below[simd_most], above[simd_most];
  SIMD_EACH(i) square[i] = wasm_f32x4_mul(x[i], x[i]);
  simd_polynomial_each(square, simd_constants.erf_below, 5, below, count);
  simd_polynomial_each(square, simd_constants.erf_above, 7, above, count);
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(above[i], wasm_f32x4_div(x[i], below[i]));
}

INLINE void error_function(v128_t* x, size_t count, const float* p) {
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(x[i], SIMD_CONSTANT(root_of_2));
  SIMD_EACH(i) x[i] = simd_clamp(x[i], SIMD_CONSTANT(erf_least), SIMD_CONSTANT(erf_most));
  error_of_roots_each(x, count);
  SIMD_EACH(i) x[i] = simd_clamp(x[i], SIMD_CONSTANT(minus_one), one());
}

/* x / 2 * (1 + erf(x / sqrt(2))) */
INLINE void gelu(v128_t* x, size_t count, const float* p) {
  v128_t error[simd_most];
  SIMD_EACH(i) x[i] = wasm_f32x4_pmax(x[i], SIMD_CONSTANT(erf_least));
  SIMD_EACH(i) error[i] = wasm_f32x4_pmin(x[i], SIMD_CONSTANT(erf_most));
  error_of_roots_each(error, count);
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(x[i], SIMD_CONSTANT(half));
  SIMD_EACH(i) x[i] = simd_madd(error[i], x[i], x[i]);
}

/*
 * As x / (1 + 2^y) with y = -2 * sqrt(2 / pi) * log2(e) * (x + 0.044715 * x^3), which is the same. Below the least x, where that is
 * next to 0, y would have no power.
 */
INLINE void gelu_tanh(v128_t* x, size_t count, const float* p) {
  v128_t y[simd_most], n[simd_most], power[simd_most];
  const v128_t rounder = SIMD_CONSTANT(power_rounder);
  SIMD_EACH(i) x[i] = wasm_f32x4_pmax(x[i], SIMD_CONSTANT(gelu_tanh_least));
  SIMD_EACH(i) y[i] = wasm_f32x4_mul(x[i], x[i]);
  simd_polynomial_each(y, simd_constants.gelu_tanh_terms, 2, power, count);
  SIMD_EACH(i) y[i] = wasm_f32x4_pmax(wasm_f32x4_mul(x[i], power[i]), SIMD_CONSTANT(power_of_2_least));
  SIMD_EACH(i) n[i] = wasm_f32x4_add(y[i], rounder);
  SIMD_EACH(i) y[i] = wasm_f32x4_sub(y[i], wasm_f32x4_sub(n[i], rounder));
  simd_polynomial_each(y, simd_constants.power_of_2_terms, 5, power, count);
  SIMD_EACH(i) power[i] = simd_madd(power[i], y[i], one());
  SIMD_EACH(i) power[i] = simd_madd(power[i], wasm_i32x4_shl(n[i], 23), one());
  SIMD_EACH(i) x[i] = wasm_f32x4_div(x[i], power[i]);
}

INLINE void sigmoid(v128_t* x, size_t count, const float* p) {
  v128_t minus_x[simd_most];
  SIMD_EACH(i) minus_x[i] = wasm_v128_xor(x[i], sign_bit());
  SIMD_EACH(i) x[i] = one();
  simd_divide_by_power_each(x, minus_x, count);
}

/* x * sigmoid(p[0] * x) */
INLINE void swish(v128_t* x, size_t count, const float* p) {
  const v128_t minus_alpha = wasm_f32x4_neg(wasm_v128_load32_splat(p));
  v128_t minus_y[simd_most];
  SIMD_EACH(i) minus_y[i] = wasm_f32x4_mul(x[i], minus_alpha);
  simd_divide_by_power_each(x, minus_y, count);
}

INLINE void hyperbolic_tangent(v128_t* x, size_t count, const float* p) {
  simd_tanh_each(x, count);
}

INLINE void exponential(v128_t* x, size_t count, const float* p) {
  simd_exp_of_any_each(x, count);
}

/* Whether all are positive, neither denormal nor infinite. Bits of floats above 0 have the order of integers. */
INLINE bool are_normal(const v128_t* x, size_t count) {
  const v128_t least = SIMD_CONSTANT(least_normal), infinity = SIMD_CONSTANT(infinity);
  v128_t low = x[0], high = x[0];
  SIMD_EACH(i) low = wasm_i32x4_min(low, x[i]);
  SIMD_EACH(i) high = wasm_i32x4_max(high, x[i]);
  const v128_t beyond = wasm_v128_or(wasm_i32x4_lt(low, least), wasm_i32x4_ge(high, infinity));
  return __builtin_expect(!wasm_v128_any_true(beyond), 1);
}

INLINE void logarithm(v128_t* x, size_t count, const float* p) {
  if (are_normal(x, count)) {
    simd_log_each(x, count);
  } else {
    SIMD_EACH(i) x[i] = simd_log_of_any(x[i]);
  }
}

/* x = quadrant * pi / 2 + rest, |rest| <= pi / 4; both have two lanes. */
struct angle {
  v128_t rest, quadrant;
};

/* In float64, whose first part of pi / 2 has 25 bits, so that its product with an integer below 2^28 is exact. */
INLINE struct angle angle_of(v128_t x) {
  const v128_t rounder = SIMD_CONSTANT_F64(wide_rounder);
  const v128_t rounded = wasm_f64x2_add(wasm_f64x2_mul(x, SIMD_CONSTANT_F64(quarters_per_radian)), rounder);
  const v128_t n = wasm_f64x2_sub(rounded, rounder);
  const v128_t first = wasm_f64x2_sub(x, wasm_f64x2_mul(n, SIMD_CONSTANT_F64(quarter_high)));
  const v128_t rest = wasm_f64x2_sub(first, wasm_f64x2_mul(n, SIMD_CONSTANT_F64(quarter_low)));
  return (struct angle){wasm_f32x4_demote_f64x2_zero(rest), rounded};
}

/* Sine and cosine of what is left of x in its quadrant (0 to 3 in the low bits). */
struct circle {
  v128_t sine, cosine, quadrant;
};

INLINE struct circle circle_of(v128_t x) {
  const struct angle low = angle_of(wasm_f64x2_promote_low_f32x4(x));
  const struct angle high = angle_of(wasm_f64x2_promote_low_f32x4(wasm_i64x2_shuffle(x, x, 1, 1)));
  const v128_t rest = wasm_i64x2_shuffle(low.rest, high.rest, 0, 2);
  const v128_t square = wasm_f32x4_mul(rest, rest);
  return (struct circle){
      .sine = wasm_f32x4_mul(rest, simd_madd(square, simd_polynomial(square, simd_constants.sine_terms, 3), one())),
      .cosine = simd_madd(square, simd_polynomial(square, simd_constants.cosine_terms, 4), one()),
      .quadrant = wasm_i32x4_shuffle(low.quadrant, high.quadrant, 0, 2, 4, 6),
  };
}

/* All bits set where the quadrant is odd. */
INLINE v128_t is_odd(v128_t quadrant) {
  return wasm_i32x4_shr(wasm_i32x4_shl(quadrant, 31), 31);
}

/* The sine, after so many quarters of a turn. */
INLINE v128_t sine_after(v128_t x, int quarters) {
  const struct circle at = circle_of(x);
  const v128_t quadrant = wasm_i32x4_add(at.quadrant, wasm_i32x4_splat(quarters));
  const v128_t magnitude = wasm_v128_bitselect(at.cosine, at.sine, is_odd(quadrant));
  return wasm_v128_xor(magnitude, wasm_v128_and(wasm_i32x4_shl(quadrant, 30), sign_bit()));
}

/* Whether the quadrants of all four values are exact. */
INLINE bool are_near(v128_t x) {
  return wasm_i32x4_all_true(wasm_f32x4_lt(wasm_f32x4_abs(x), wasm_f32x4_splat(0x1p28f)));
}

/* A function of libm, of each of four values. */
#define BY_LIBM(x, function)                                                                        \
  wasm_f32x4_make(function(wasm_f32x4_extract_lane(x, 0)), function(wasm_f32x4_extract_lane(x, 1)), \
                  function(wasm_f32x4_extract_lane(x, 2)), function(wasm_f32x4_extract_lane(x, 3)))

/*
 * The sine or cosine of x = n * pi + rest, |rest| <= pi / 2, where a half is part of a cosine's n. Of pi's three parts the first two
 * have 13 bits, so that their products with n, below 2^9, are exact.
 */
INLINE void half_turns_each(v128_t* x, bool is_cosine, size_t count) {
  v128_t n[simd_most], sign[simd_most], square[simd_most], sum[simd_most];
  const v128_t rounder = SIMD_CONSTANT(rounder), half = SIMD_CONSTANT(half), per_radian = SIMD_CONSTANT(half_turns);
  if (is_cosine) {
    SIMD_EACH(i) n[i] = wasm_f32x4_add(simd_madd(x[i], per_radian, wasm_f32x4_neg(half)), rounder);
    SIMD_EACH(i) sign[i] = wasm_v128_andnot(sign_bit(), wasm_i32x4_shl(n[i], 31));
    SIMD_EACH(i) n[i] = wasm_f32x4_add(wasm_f32x4_sub(n[i], rounder), half);
  } else {
    SIMD_EACH(i) n[i] = simd_madd(x[i], per_radian, rounder);
    SIMD_EACH(i) sign[i] = wasm_i32x4_shl(n[i], 31);
    SIMD_EACH(i) n[i] = wasm_f32x4_sub(n[i], rounder);
  }
  SIMD_EACH(i) x[i] = simd_madd(n[i], SIMD_CONSTANT(minus_pi_high), x[i]);
  SIMD_EACH(i) x[i] = simd_madd(n[i], SIMD_CONSTANT(minus_pi_middle), x[i]);
  SIMD_EACH(i) x[i] = simd_madd(n[i], SIMD_CONSTANT(minus_pi_low), x[i]);
  SIMD_EACH(i) square[i] = wasm_f32x4_mul(x[i], x[i]);
  simd_polynomial_each(square, simd_constants.half_turn_terms, 4, sum, count);
  /* 0, not -0, for an x of 0, so that it keeps its sign. */
  SIMD_EACH(i) sum[i] = simd_madd(square[i], sum[i], zero());
  SIMD_EACH(i) x[i] = wasm_v128_xor(simd_madd(x[i], sum[i], x[i]), sign[i]);
}

INLINE void sine(v128_t* x, size_t count, const float* p) {
  if (simd_are_within(x, SIMD_CONSTANT(half_turns_most), count)) {
    half_turns_each(x, false, count);
  } else {
    SIMD_EACH(i) x[i] = are_near(x[i]) ? sine_after(x[i], 0) : BY_LIBM(x[i], sinf);
  }
}

INLINE void cosine(v128_t* x, size_t count, const float* p) {
  if (simd_are_within(x, SIMD_CONSTANT(half_turns_most), count)) {
    half_turns_each(x, true, count);
  } else {
    SIMD_EACH(i) x[i] = are_near(x[i]) ? sine_after(x[i], 1) : BY_LIBM(x[i], cosf);
  }
}

INLINE v128_t tangent(v128_t x, const float* p) {
  if (__builtin_expect(!are_near(x), 0)) {
    return BY_LIBM(x, tanf);
  }
  const struct circle at = circle_of(x);
  const v128_t odd = is_odd(at.quadrant);
  const v128_t over = wasm_v128_bitselect(wasm_f32x4_neg(at.cosine), at.sine, odd);
  return wasm_f32x4_div(over, wasm_v128_bitselect(at.sine, at.cosine, odd));
}

INLINE v128_t sign(v128_t x, const float* p) {
  const v128_t positive = wasm_v128_and(wasm_f32x4_gt(x, zero()), one());
  const v128_t negative = wasm_v128_and(wasm_f32x4_lt(x, zero()), wasm_f32x4_neg(one()));
  return wasm_v128_bitselect(x, wasm_v128_or(positive, negative), wasm_f32x4_ne(x, x));
}

INLINE v128_t madd_f64(v128_t a, v128_t b, v128_t c) {
#ifdef __wasm_relaxed_simd__
  return wasm_f64x2_relaxed_madd(a, b, c);
#else
  return wasm_f64x2_add(wasm_f64x2_mul(a, b), c);
#endif
}

/* The polynomial of each of `count` pairs of doubles. */
INLINE void polynomial_f64_each(const v128_t* x, const double* coefficients, size_t terms, v128_t* sum, size_t count) {
  SIMD_EACH(i) sum[i] = wasm_v128_load64_splat(coefficients + terms - 1);
  for (size_t term = terms - 1; term > 0; term--) {
    SIMD_EACH(i) sum[i] = madd_f64(sum[i], x[i], wasm_v128_load64_splat(coefficients + term - 1));
  }
}

/* The exponent times the logarithm to base 2 of numbers 2^k * m with m from sqrt(1/2) to sqrt(2), in the place of m. */
INLINE void scaled_logarithm_each(const v128_t* k, v128_t* m, v128_t exponent, size_t count) {
  v128_t square[simd_most], series[simd_most];
  const v128_t unit = SIMD_CONSTANT_F64(wide_one);
  SIMD_EACH(i) m[i] = wasm_f64x2_div(wasm_f64x2_sub(m[i], unit), wasm_f64x2_add(m[i], unit));
  SIMD_EACH(i) square[i] = wasm_f64x2_mul(m[i], m[i]);
  polynomial_f64_each(square, simd_constants.power_logarithms, 5, series, count);
  SIMD_EACH(i) m[i] = wasm_f64x2_mul(madd_f64(m[i], series[i], k[i]), exponent);
}

enum { powers_together = simd_most / 2 };

/*
 * Positive normal numbers to a power, as 2^(exponent * log2(x)). The logarithm takes float64, as its error grows with the product;
 * what is left of that beside an integer doesn't.
 */
INLINE void power_of_normal_each(v128_t* x, v128_t exponent, size_t count) {
  v128_t k[powers_together], wide_k[simd_most], wide[simd_most], n[simd_most];
  const v128_t rounder = SIMD_CONSTANT_F64(wide_rounder), most = SIMD_CONSTANT(power_most);
  SIMD_EACH(i) k[i] = wasm_i32x4_shr(wasm_i32x4_sub(x[i], SIMD_CONSTANT(root_of_half)), 23);
  SIMD_EACH(i) x[i] = wasm_i32x4_sub(x[i], wasm_i32x4_shl(k[i], 23));
  SIMD_EACH(i) {
    wide_k[2 * i] = wasm_f64x2_convert_low_i32x4(k[i]);
    wide_k[2 * i + 1] = wasm_f64x2_convert_low_i32x4(wasm_i64x2_shuffle(k[i], k[i], 1, 1));
    wide[2 * i] = wasm_f64x2_promote_low_f32x4(x[i]);
    wide[2 * i + 1] = wasm_f64x2_promote_low_f32x4(wasm_i64x2_shuffle(x[i], x[i], 1, 1));
  }
  scaled_logarithm_each(wide_k, wide, exponent, 2 * count);
  for (size_t i = 0; i < 2 * count; i++) {
    n[i] = wasm_f64x2_add(wide[i], rounder);
    wide[i] = wasm_f32x4_demote_f64x2_zero(wasm_f64x2_sub(wide[i], wasm_f64x2_sub(n[i], rounder)));
  }
  SIMD_EACH(i) k[i] = wasm_i64x2_shuffle(wide[2 * i], wide[2 * i + 1], 0, 2);
  simd_polynomial_each(k, simd_constants.power_terms, 7, x, count);
  SIMD_EACH(i) {
    const v128_t whole = wasm_i32x4_shuffle(n[2 * i], n[2 * i + 1], 0, 2, 4, 6);
    x[i] = simd_scaled(x[i], wasm_i32x4_max(wasm_i32x4_min(whole, most), wasm_i32x4_neg(most)));
  }
}

/* Of zeros, denormals, what is not finite, and exponents whose products are no int32, libm knows. */
INLINE void power(v128_t* x, size_t count, const float* p) {
  const float exponent = p[0];
  const v128_t wide_exponent = wasm_f64x2_splat(exponent);
  const bool is_moderate = fabsf(exponent) < 0x1p23f;
  if (is_moderate && are_normal(x, count)) {
    power_of_normal_each(x, wide_exponent, count);
    return;
  }
  v128_t magnitude[powers_together];
  SIMD_EACH(i) magnitude[i] = wasm_v128_andnot(x[i], sign_bit());
  if (!is_moderate || !are_normal(magnitude, count)) {
    SIMD_EACH(i) {
      x[i] = wasm_f32x4_make(
          powf(wasm_f32x4_extract_lane(x[i], 0), exponent), powf(wasm_f32x4_extract_lane(x[i], 1), exponent),
          powf(wasm_f32x4_extract_lane(x[i], 2), exponent), powf(wasm_f32x4_extract_lane(x[i], 3), exponent));
    }
    return;
  }
  const bool is_whole = truncf(exponent) == exponent;
  const v128_t sign = is_whole && fmodf(exponent, 2.0f) != 0.0f ? sign_bit() : zero();
  const v128_t of_negative = is_whole ? zero() : wasm_f32x4_splat(NAN);
  power_of_normal_each(magnitude, wide_exponent, count);
  SIMD_EACH(i) {
    const v128_t result = wasm_v128_or(magnitude[i], wasm_v128_and(x[i], sign));
    x[i] = wasm_v128_or(result, wasm_v128_and(wasm_f32x4_lt(x[i], zero()), of_negative));
  }
}

/* max(x, 0) + log(1 + exp(-|x|)), in which nothing overflows. */
INLINE void softplus(v128_t* x, size_t count, const float* p) {
  v128_t power[simd_most];
  SIMD_EACH(i) power[i] = wasm_v128_or(x[i], sign_bit());
  simd_exp_of_any_each(power, count);
  simd_log1p_each(power, count);
  SIMD_EACH(i) x[i] = wasm_f32x4_add(wasm_f32x4_pmax(x[i], zero()), power[i]);
}

/* With u = exp(x) and n = u * (u + 2) it is x * n / (n + 2); the quotient is 1 long before u * u overflows. */
INLINE void mish(v128_t* x, size_t count, const float* p) {
  v128_t u[simd_most];
  SIMD_EACH(i) u[i] = wasm_f32x4_pmin(x[i], SIMD_CONSTANT(mish_most));
  simd_exp_of_any_each(u, count);
  SIMD_EACH(i) u[i] = wasm_f32x4_mul(u[i], wasm_f32x4_add(u[i], SIMD_CONSTANT(two)));
  SIMD_EACH(i) x[i] = wasm_f32x4_mul(x[i], wasm_f32x4_div(u[i], wasm_f32x4_add(u[i], SIMD_CONSTANT(two))));
}

INLINE void elu(v128_t* x, size_t count, const float* p) {
  v128_t below[simd_most];
  SIMD_EACH(i) below[i] = wasm_f32x4_mul(x[i], wasm_f32x4_splat(p[1]));
  simd_expm1_each(below, count);
  SIMD_EACH(i) below[i] = wasm_f32x4_mul(below[i], wasm_f32x4_splat(p[0]));
  SIMD_EACH(i) {
    const v128_t above = wasm_f32x4_mul(x[i], wasm_f32x4_splat(p[2]));
    x[i] = simd_select(below[i], above, wasm_f32x4_lt(x[i], zero()));
  }
}

INLINE v128_t thresholded_relu(v128_t x, const float* p) {
  return wasm_v128_and(x, wasm_f32x4_gt(x, wasm_f32x4_splat(p[0])));
}

INLINE v128_t hard_sigmoid(v128_t x, const float* p) {
  return simd_clamp(simd_madd(x, wasm_f32x4_splat(p[0]), wasm_f32x4_splat(p[1])), zero(), one());
}

INLINE v128_t softsign(v128_t x, const float* p) {
  return wasm_f32x4_div(x, wasm_f32x4_add(wasm_f32x4_abs(x), one()));
}

INLINE v128_t shrink(v128_t x, const float* p) {
  const v128_t bias = wasm_f32x4_splat(p[1]);
  const v128_t low = wasm_v128_and(wasm_f32x4_add(x, bias), wasm_f32x4_lt(x, wasm_f32x4_splat(-p[0])));
  return wasm_v128_bitselect(wasm_f32x4_sub(x, bias), low, wasm_f32x4_gt(x, wasm_f32x4_splat(p[0])));
}

INLINE v128_t reciprocal(v128_t x, const float* p) {
  return wasm_f32x4_div(one(), x);
}

/*
 * Rounds by adding, and taking off again, the power of two whose last place is that of the result: 2^13 times that of x, or of the
 * least normal number. What becomes 2^16 is infinite; NaN goes through.
 */
INLINE v128_t to_float16(v128_t x, const float* p) {
  const v128_t limit = SIMD_CONSTANT(half_limit), infinity = SIMD_CONSTANT(infinity);
  const v128_t magnitude = wasm_v128_andnot(x, sign_bit());
  const v128_t finite = wasm_f32x4_pmin(magnitude, limit);
  const v128_t exponent = wasm_i32x4_max(wasm_v128_and(finite, infinity), SIMD_CONSTANT(half_least));
  const v128_t unit = wasm_i32x4_add(exponent, SIMD_CONSTANT(half_unit));
  const v128_t rounded = wasm_f32x4_sub(wasm_f32x4_add(finite, unit), unit);
  const v128_t beyond = wasm_v128_and(wasm_f32x4_ge(rounded, limit), infinity);
  return wasm_v128_or(wasm_v128_or(rounded, beyond), wasm_v128_xor(x, magnitude));
}

/* Half of the last place but one bit, which odd numbers have more, is added before bits go. */
INLINE v128_t to_bfloat16(v128_t x, const float* p) {
  const v128_t is_odd = wasm_u32x4_shr(wasm_i32x4_shl(x, 15), 31);
  const v128_t raised = wasm_i32x4_add(wasm_i32x4_add(x, SIMD_CONSTANT(brain_half)), is_odd);
  const v128_t rounded = wasm_v128_and(raised, SIMD_CONSTANT(brain_places));
  return simd_select(x, rounded, wasm_f32x4_ne(x, x));
}

KERNEL(error_function)
KERNEL(gelu)
KERNEL(gelu_tanh)
KERNEL(sigmoid)
KERNEL(hyperbolic_tangent)
KERNEL(exponential)
KERNEL(logarithm)
KERNEL(sine)
KERNEL(cosine)
SHORT_KERNEL(tangent)
SHORT_KERNEL(sign)
KERNEL_BY(power, powers_together)
KERNEL(softplus)
KERNEL(mish)
KERNEL(elu)
SHORT_KERNEL(thresholded_relu)
SHORT_KERNEL(hard_sigmoid)
SHORT_KERNEL(softsign)
KERNEL(swish)
SHORT_KERNEL(shrink)
SHORT_KERNEL(reciprocal)
SHORT_KERNEL(to_float16)
SHORT_KERNEL(to_bfloat16)
SCALAR_KERNEL(asinf)
SCALAR_KERNEL(acosf)
SCALAR_KERNEL(atanf)
SCALAR_KERNEL(sinhf)
SCALAR_KERNEL(coshf)
SCALAR_KERNEL(asinhf)
SCALAR_KERNEL(acoshf)
SCALAR_KERNEL(atanhf)

function_kernel function_choose(enum pyxnn_function_type type) {
  static const function_kernel kernels[] = {
      [pyxnn_erf] = error_function_kernel,
      [pyxnn_gelu] = gelu_kernel,
      [pyxnn_gelu_tanh] = gelu_tanh_kernel,
      [pyxnn_sigmoid] = sigmoid_kernel,
      [pyxnn_tanh] = hyperbolic_tangent_kernel,
      [pyxnn_exp] = exponential_kernel,
      [pyxnn_log] = logarithm_kernel,
      [pyxnn_sine] = sine_kernel,
      [pyxnn_cosine] = cosine_kernel,
      [pyxnn_tangent] = tangent_each_kernel,
      [pyxnn_sign] = sign_each_kernel,
      [pyxnn_power_of] = power_kernel,
      [pyxnn_softplus] = softplus_kernel,
      [pyxnn_mish] = mish_kernel,
      [pyxnn_elu] = elu_kernel,
      [pyxnn_thresholded_relu] = thresholded_relu_each_kernel,
      [pyxnn_hard_sigmoid] = hard_sigmoid_each_kernel,
      [pyxnn_softsign] = softsign_each_kernel,
      [pyxnn_swish] = swish_kernel,
      [pyxnn_shrink] = shrink_each_kernel,
      [pyxnn_reciprocal] = reciprocal_each_kernel,
      [pyxnn_to_float16] = to_float16_each_kernel,
      [pyxnn_to_bfloat16] = to_bfloat16_each_kernel,
      [pyxnn_arc_sine] = asinf_kernel,
      [pyxnn_arc_cosine] = acosf_kernel,
      [pyxnn_arc_tangent] = atanf_kernel,
      [pyxnn_hyperbolic_sine] = sinhf_kernel,
      [pyxnn_hyperbolic_cosine] = coshf_kernel,
      [pyxnn_area_sine] = asinhf_kernel,
      [pyxnn_area_cosine] = acoshf_kernel,
      [pyxnn_area_tangent] = atanhf_kernel,
  };
  return (size_t)type < sizeof(kernels) / sizeof(kernels[0]) ? kernels[type] : NULL;
}
