#include "kernels/functions.h"

#include "kernels/elementary.h"

/* Minimax fits: |x| * polynomial(x^2) below 0.9, 1 - exp(polynomial(|x|)) above; 1 in float32 from 3.95 on. */
static inline v128_t erf4(v128_t x) {
  static const float near[] = {1.1283791f, -0.37612525f, 0.1128214f, -0.026778908f, 0.0050119623f, -0.0006090358f};
  static const float far[] = {-0.00016644636f, -1.1277972f,    -0.63697606f,  -0.10411369f,
                              0.022315219f,    -0.0030654918f, 0.00019821982f};
  const v128_t sign = wasm_f32x4_splat(-0.0f);
  const v128_t a = wasm_f32x4_pmin(wasm_v128_andnot(x, sign), wasm_f32x4_splat(3.95f));
  const v128_t low = wasm_f32x4_mul(a, simd_polynomial(wasm_f32x4_mul(a, a), near, 6));
  const v128_t high = wasm_f32x4_sub(wasm_f32x4_splat(1.0f), simd_exp(simd_polynomial(a, far, 7)));
  const v128_t magnitude = wasm_v128_bitselect(low, high, wasm_f32x4_lt(a, wasm_f32x4_splat(0.9f)));
  return wasm_v128_bitselect(x, magnitude, sign);
}

static inline v128_t gelu_tanh4(v128_t x) {
  const v128_t one = wasm_f32x4_splat(1.0f);
  const v128_t cubic = simd_madd(wasm_f32x4_mul(x, x), wasm_f32x4_splat(0.044715f), one);
  const v128_t slope = wasm_f32x4_mul(x, wasm_f32x4_splat(-1.5957691216f));
  const v128_t denominator = wasm_f32x4_add(simd_exp(wasm_f32x4_mul(slope, cubic)), one);
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
