#include "kernels/layer_norm.h"

#include <math.h>

#include "kernels/simd.h"

static inline float sum_of_lanes(v128_t value) {
  return (wasm_f32x4_extract_lane(value, 0) + wasm_f32x4_extract_lane(value, 1)) +
         (wasm_f32x4_extract_lane(value, 2) + wasm_f32x4_extract_lane(value, 3));
}

static float mean_of(const float* row, size_t channels) {
  v128_t even = wasm_f32x4_const_splat(0.0f), odd = even;
  size_t i = 0;
  for (; i + 8 <= channels; i += 8) {
    even = wasm_f32x4_add(even, wasm_v128_load(row + i));
    odd = wasm_f32x4_add(odd, wasm_v128_load(row + i + 4));
  }
  float sum = sum_of_lanes(wasm_f32x4_add(even, odd));
  for (; i < channels; i++) {
    sum += row[i];
  }
  return sum / (float)channels;
}

/* The mean of the squares of the differences from `center`. */
static float variance_of(const float* row, size_t channels, float center) {
  const v128_t centers = wasm_f32x4_splat(center);
  v128_t even = wasm_f32x4_const_splat(0.0f), odd = even;
  size_t i = 0;
  for (; i + 8 <= channels; i += 8) {
    const v128_t a = wasm_f32x4_sub(wasm_v128_load(row + i), centers);
    const v128_t b = wasm_f32x4_sub(wasm_v128_load(row + i + 4), centers);
    even = simd_madd(a, a, even);
    odd = simd_madd(b, b, odd);
  }
  float sum = sum_of_lanes(wasm_f32x4_add(even, odd));
  for (; i < channels; i++) {
    sum += (row[i] - center) * (row[i] - center);
  }
  return sum / (float)channels;
}

void layer_norm_row(const float* input, const float* scale, const float* bias, float* output, size_t channels,
                    float epsilon, bool centered) {
  const float mean = centered ? mean_of(input, channels) : 0.0f;
  const float factor = 1.0f / sqrtf(variance_of(input, channels, mean) + epsilon);
  const v128_t means = wasm_f32x4_splat(mean), factors = wasm_f32x4_splat(factor);
  size_t i = 0;
  for (; i + 4 <= channels; i += 4) {
    const v128_t normal = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(input + i), means), factors);
    wasm_v128_store(output + i, simd_madd(normal, wasm_v128_load(scale + i), wasm_v128_load(bias + i)));
  }
  for (; i < channels; i++) {
    output[i] = (input[i] - mean) * factor * scale[i] + bias[i];
  }
}
