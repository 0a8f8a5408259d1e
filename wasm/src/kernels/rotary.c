#include "kernels/rotary.h"

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

struct pairs {
  v128_t first, second;
};

static inline struct pairs turned(struct pairs pairs, v128_t cosine, v128_t sine) {
  return (struct pairs){
      wasm_f32x4_sub(wasm_f32x4_mul(pairs.first, cosine), wasm_f32x4_mul(pairs.second, sine)),
      wasm_f32x4_add(wasm_f32x4_mul(pairs.first, sine), wasm_f32x4_mul(pairs.second, cosine)),
  };
}

/* Four pairs, or the `left` ones that are there. */
INLINE void turn_halves(const float* input, const float* cosines, const float* sines, size_t half, float* output,
                        size_t left) {
  const struct pairs given = {simd_load(input, left), simd_load(input + half, left)};
  const struct pairs result = turned(given, simd_load(cosines, left), simd_load(sines, left));
  simd_store(output, result.first, left);
  simd_store(output + half, result.second, left);
}

void rotary_halves(const float* input, const float* cosines, const float* sines, size_t half, float* output,
                   size_t rows, struct rotary_steps steps) {
  for (; rows > 0; rows--) {
    size_t i = 0;
    for (; i + 8 <= half; i += 8) {
      turn_halves(input + i, cosines + i, sines + i, half, output + i, 4);
      turn_halves(input + i + 4, cosines + i + 4, sines + i + 4, half, output + i + 4, 4);
    }
    for (; i < half; i += 4) {
      turn_halves(input + i, cosines + i, sines + i, half, output + i, half - i);
    }
    input += steps.input;
    cosines += steps.table;
    sines += steps.table;
    output += steps.output;
  }
}

INLINE void turn_pairs(const float* input, const float* cosines, const float* sines, float* output, size_t left) {
  const size_t numbers = 2 * left, behind = numbers > 4 ? numbers - 4 : 0;
  const v128_t a = simd_load(input, numbers);
  const v128_t b = simd_load(input + (behind == 0 ? 0 : 4), behind);
  const struct pairs given = {wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7)};
  const struct pairs result = turned(given, simd_load(cosines, left), simd_load(sines, left));
  simd_store(output, wasm_i32x4_shuffle(result.first, result.second, 0, 4, 1, 5), numbers);
  if (behind != 0) {
    simd_store(output + 4, wasm_i32x4_shuffle(result.first, result.second, 2, 6, 3, 7), behind);
  }
}

void rotary_pairs(const float* input, const float* cosines, const float* sines, size_t half, float* output, size_t rows,
                  struct rotary_steps steps) {
  for (; rows > 0; rows--) {
    size_t i = 0;
    for (; i + 4 <= half; i += 4) {
      turn_pairs(input + 2 * i, cosines + i, sines + i, output + 2 * i, 4);
    }
    if (i < half) {
      turn_pairs(input + 2 * i, cosines + i, sines + i, output + 2 * i, half - i);
    }
    input += steps.input;
    cosines += steps.table;
    sines += steps.table;
    output += steps.output;
  }
}
