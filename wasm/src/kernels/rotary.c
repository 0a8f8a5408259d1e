#include "kernels/rotary.h"

#include "kernels/simd.h"

struct pairs {
  v128_t first, second;
};

static inline struct pairs turned(struct pairs pairs, v128_t cosine, v128_t sine) {
  return (struct pairs){
      wasm_f32x4_sub(wasm_f32x4_mul(pairs.first, cosine), wasm_f32x4_mul(pairs.second, sine)),
      wasm_f32x4_add(wasm_f32x4_mul(pairs.first, sine), wasm_f32x4_mul(pairs.second, cosine)),
  };
}

void rotary_halves(const float* input, const float* cosines, const float* sines, size_t half, float* output) {
  for (size_t i = 0; i < half; i += 4) {
    const size_t left = half - i;
    const struct pairs given = {simd_load(input + i, left), simd_load(input + half + i, left)};
    const struct pairs result = turned(given, simd_load(cosines + i, left), simd_load(sines + i, left));
    simd_store(output + i, result.first, left);
    simd_store(output + half + i, result.second, left);
  }
}

void rotary_pairs(const float* input, const float* cosines, const float* sines, size_t half, float* output) {
  for (size_t i = 0; i < half; i += 4) {
    const size_t left = half - i, numbers = 2 * left, behind = numbers > 4 ? numbers - 4 : 0;
    const v128_t a = simd_load(input + 2 * i, numbers);
    const v128_t b = simd_load(input + 2 * i + (behind == 0 ? 0 : 4), behind);
    const struct pairs given = {wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7)};
    const struct pairs result = turned(given, simd_load(cosines + i, left), simd_load(sines + i, left));
    simd_store(output + 2 * i, wasm_i32x4_shuffle(result.first, result.second, 0, 4, 1, 5), numbers);
    if (behind != 0) {
      simd_store(output + 2 * i + 4, wasm_i32x4_shuffle(result.first, result.second, 2, 6, 3, 7), behind);
    }
  }
}
