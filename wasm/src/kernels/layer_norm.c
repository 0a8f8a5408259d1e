#include "kernels/layer_norm.h"

#include <math.h>

#include "kernels/simd.h"

static inline float sum_of_lanes(v128_t value) {
  return (wasm_f32x4_extract_lane(value, 0) + wasm_f32x4_extract_lane(value, 1)) +
         (wasm_f32x4_extract_lane(value, 2) + wasm_f32x4_extract_lane(value, 3));
}

/* Additions wait for each other: so many sums at a time keep the adders busy. */
enum { num_sums = 4, elements_per_turn = num_sums * 4 };

static inline float total_of(const v128_t sums[num_sums]) {
  return sum_of_lanes(wasm_f32x4_add(wasm_f32x4_add(sums[0], sums[1]), wasm_f32x4_add(sums[2], sums[3])));
}

static float mean_of(const float* row, size_t channels) {
  v128_t sums[num_sums] = {0};
  size_t i = 0;
  for (; i + elements_per_turn <= channels; i += elements_per_turn) {
    for (size_t s = 0; s < num_sums; s++) {
      sums[s] = wasm_f32x4_add(sums[s], wasm_v128_load(row + i + s * 4));
    }
  }
  float sum = total_of(sums);
  for (; i < channels; i++) {
    sum += row[i];
  }
  return sum / (float)channels;
}

/* The mean of the squares of the differences from `center`. */
static float variance_of(const float* row, size_t channels, float center) {
  const v128_t centers = wasm_f32x4_splat(center);
  v128_t sums[num_sums] = {0};
  size_t i = 0;
  for (; i + elements_per_turn <= channels; i += elements_per_turn) {
    for (size_t s = 0; s < num_sums; s++) {
      const v128_t difference = wasm_f32x4_sub(wasm_v128_load(row + i + s * 4), centers);
      sums[s] = simd_madd(difference, difference, sums[s]);
    }
  }
  float sum = total_of(sums);
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
