#include "kernels/functions.h"

#include "kernels/simd.h"

/* The polynomial of `count` coefficients, the constant one first. */
static inline v128_t polynomial(v128_t x, const float* coefficients, size_t count) {
  v128_t sum = wasm_f32x4_splat(coefficients[count - 1]);
  for (size_t i = count - 1; i > 0; i--) {
    sum = simd_madd(sum, x, wasm_f32x4_splat(coefficients[i - 1]));
  }
  return sum;
}

/*
 * e^x, one unit in the last place; what lies outside [-87, 88] counts as the nearest inside.
 *
 * x = n * log(2) + r with an integer n: 2^n is made of bits, e^r = 1 + r + r^2 * polynomial (a minimax fit). Adding
 * 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
 */
static inline v128_t exponential(v128_t x) {
  static const float coefficients[] = {0.49999994f, 0.16666521f, 0.041668389f, 0.00836871f, 0.001381461f};
  const v128_t rounder = wasm_f32x4_splat(12582912.0f);
  x = simd_clamp(x, wasm_f32x4_splat(-87.0f), wasm_f32x4_splat(88.0f));
  const v128_t rounded = simd_madd(x, wasm_f32x4_splat(1.44269504f), rounder);
  const v128_t n = wasm_f32x4_sub(rounded, rounder);
  /* log(2) in two parts, so that n times the first is exact. */
  v128_t r = simd_madd(n, wasm_f32x4_splat(-0.693359375f), x);
  r = simd_madd(n, wasm_f32x4_splat(2.12194440e-4f), r);
  const v128_t tail = simd_madd(wasm_f32x4_mul(r, r), polynomial(r, coefficients, 5), r);
  const v128_t power = wasm_i32x4_add(wasm_i32x4_shl(rounded, 23), wasm_i32x4_splat(127 << 23));
  return wasm_f32x4_mul(wasm_f32x4_add(tail, wasm_f32x4_splat(1.0f)), power);
}

/* Minimax fits: |x| * polynomial(x^2) below 0.9, 1 - exp(polynomial(|x|)) above; 1 in float32 from 3.95 on. */
static inline v128_t erf4(v128_t x) {
  static const float near[] = {1.1283791f, -0.37612525f, 0.1128214f, -0.026778908f, 0.0050119623f, -0.0006090358f};
  static const float far[] = {-0.00016644636f, -1.1277972f,    -0.63697606f,  -0.10411369f,
                              0.022315219f,    -0.0030654918f, 0.00019821982f};
  const v128_t sign = wasm_f32x4_splat(-0.0f);
  const v128_t a = wasm_f32x4_pmin(wasm_v128_andnot(x, sign), wasm_f32x4_splat(3.95f));
  const v128_t low = wasm_f32x4_mul(a, polynomial(wasm_f32x4_mul(a, a), near, 6));
  const v128_t high = wasm_f32x4_sub(wasm_f32x4_splat(1.0f), exponential(polynomial(a, far, 7)));
  const v128_t magnitude = wasm_v128_bitselect(low, high, wasm_f32x4_lt(a, wasm_f32x4_splat(0.9f)));
  return wasm_v128_bitselect(x, magnitude, sign);
}

static inline v128_t gelu_tanh4(v128_t x) {
  const v128_t one = wasm_f32x4_splat(1.0f);
  const v128_t cubic = simd_madd(wasm_f32x4_mul(x, x), wasm_f32x4_splat(0.044715f), one);
  const v128_t slope = wasm_f32x4_mul(x, wasm_f32x4_splat(-1.5957691216f));
  const v128_t denominator = wasm_f32x4_add(exponential(wasm_f32x4_mul(slope, cubic)), one);
  /* The exponential ends at 88: so must x, for 0 as the result of every x far below. */
  return wasm_f32x4_div(wasm_f32x4_pmax(x, wasm_f32x4_splat(-88.0f)), denominator);
}

void function_erf(const float* input, float* output, size_t count) {
  for (size_t i = 0; i < count; i += 4) {
    simd_store(output + i, erf4(simd_load(input + i, count - i)), count - i);
  }
}

void function_gelu_tanh(const float* input, float* output, size_t count) {
  for (size_t i = 0; i < count; i += 4) {
    simd_store(output + i, gelu_tanh4(simd_load(input + i, count - i)), count - i);
  }
}
