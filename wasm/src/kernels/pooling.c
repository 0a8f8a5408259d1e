#include "kernels/pooling.h"

#include <float.h>
#include <math.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

enum pooling { maximum, sum, sum_of_magnitudes, sum_of_squares, sum_of_powers };

INLINE v128_t power_of_lanes(v128_t value, float power) {
  return wasm_f32x4_make(powf(wasm_f32x4_extract_lane(value, 0), power), powf(wasm_f32x4_extract_lane(value, 1), power),
                         powf(wasm_f32x4_extract_lane(value, 2), power),
                         powf(wasm_f32x4_extract_lane(value, 3), power));
}

INLINE v128_t add(enum pooling pooling, v128_t total, v128_t value, float power) {
  switch (pooling) {
    case maximum:
      return wasm_f32x4_pmax(total, value);
    case sum:
      return wasm_f32x4_add(total, value);
    case sum_of_magnitudes:
      return wasm_f32x4_add(total, wasm_f32x4_abs(value));
    case sum_of_squares:
      return simd_madd(value, value, total);
    default:
      return wasm_f32x4_add(total, power_of_lanes(wasm_f32x4_abs(value), power));
  }
}

INLINE v128_t finish(enum pooling pooling, v128_t total, const struct pooling_result* result) {
  switch (pooling) {
    case sum:
      total = wasm_f32x4_mul(total, wasm_f32x4_splat(result->factor));
      break;
    case sum_of_squares:
      total = wasm_f32x4_sqrt(total);
      break;
    case sum_of_powers:
      total = power_of_lanes(total, 1.0f / result->power);
      break;
    default:
      break;
  }
  return simd_clamp(total, wasm_f32x4_splat(result->min), wasm_f32x4_splat(result->max));
}

INLINE v128_t nothing(enum pooling pooling) {
  return wasm_f32x4_splat(pooling == maximum ? -FLT_MAX : 0.0f);
}

/* `left` channels from `channel` on, four at most. */
INLINE void reduce(enum pooling pooling, const struct pooling_taps* taps, const struct pooling_result* result,
                   size_t channel, size_t left) {
  const ptrdiff_t step = taps->strides[2];
  const size_t width = taps->counts[2];
  const float power = result->power;
  v128_t total = nothing(pooling);
  const float* plane = taps->first + channel;
  for (size_t d = 0; d < taps->counts[0]; d++, plane += taps->strides[0]) {
    const float* row = plane;
    for (size_t h = 0; h < taps->counts[1]; h++, row += taps->strides[1]) {
      const float* pixel = row;
      for (size_t w = 0; w < width; w++, pixel += step) {
        total = add(pooling, total, simd_load(pixel, left), power);
      }
    }
  }
  simd_store(result->output + channel, finish(pooling, total, result), left);
}

/* Sixteen channels from `channel` on, whose vectors need not wait for each other. */
INLINE void reduce_sixteen(enum pooling pooling, const struct pooling_taps* taps, const struct pooling_result* result,
                           size_t channel) {
  const ptrdiff_t step = taps->strides[2];
  const size_t width = taps->counts[2];
  const float power = result->power;
  v128_t a = nothing(pooling), b = a, c = a, d = a;
  const float* plane = taps->first + channel;
  for (size_t z = 0; z < taps->counts[0]; z++, plane += taps->strides[0]) {
    const float* row = plane;
    for (size_t y = 0; y < taps->counts[1]; y++, row += taps->strides[1]) {
      const float* pixel = row;
      for (size_t x = 0; x < width; x++, pixel += step) {
        a = add(pooling, a, wasm_v128_load(pixel), power);
        b = add(pooling, b, wasm_v128_load(pixel + 4), power);
        c = add(pooling, c, wasm_v128_load(pixel + 8), power);
        d = add(pooling, d, wasm_v128_load(pixel + 12), power);
      }
    }
  }
  float* output = result->output + channel;
  wasm_v128_store(output, finish(pooling, a, result));
  wasm_v128_store(output + 4, finish(pooling, b, result));
  wasm_v128_store(output + 8, finish(pooling, c, result));
  wasm_v128_store(output + 12, finish(pooling, d, result));
}

INLINE void reduce_all(enum pooling pooling, const struct pooling_taps* taps, const struct pooling_result* result) {
  size_t channel = 0;
  for (; channel + 16 <= result->channels; channel += 16) {
    reduce_sixteen(pooling, taps, result, channel);
  }
  for (; channel + 4 <= result->channels; channel += 4) {
    reduce(pooling, taps, result, channel, 4);
  }
  if (channel < result->channels) {
    reduce(pooling, taps, result, channel, result->channels - channel);
  }
}

void pooling_maximum(const struct pooling_taps* taps, const struct pooling_result* result) {
  reduce_all(maximum, taps, result);
}

void pooling_mean(const struct pooling_taps* taps, const struct pooling_result* result) {
  reduce_all(sum, taps, result);
}

void pooling_norm(const struct pooling_taps* taps, const struct pooling_result* result) {
  if (result->power == 1.0f) {
    reduce_all(sum_of_magnitudes, taps, result);
  } else if (result->power == 2.0f) {
    reduce_all(sum_of_squares, taps, result);
  } else {
    reduce_all(sum_of_powers, taps, result);
  }
}

void pooling_argmax(const struct pooling_taps* taps, int64_t place, const int32_t strides[3], int64_t step,
                    int64_t* output, size_t channels) {
  for (size_t channel = 0; channel < channels; channel += 4) {
    const size_t left = channels - channel;
    v128_t best = wasm_f32x4_splat(-FLT_MAX);
    v128_t places = wasm_i32x4_const_splat(0);
    for (size_t d = 0; d < taps->counts[0]; d++) {
      for (size_t h = 0; h < taps->counts[1]; h++) {
        const float* pixel = taps->first + channel + (ptrdiff_t)d * taps->strides[0] + (ptrdiff_t)h * taps->strides[1];
        int32_t at = (int32_t)d * strides[0] + (int32_t)h * strides[1];
        for (size_t w = 0; w < taps->counts[2]; w++, pixel += taps->strides[2], at += strides[2]) {
          const v128_t value = simd_load(pixel, left);
          const v128_t greater = wasm_f32x4_gt(value, best);
          best = wasm_v128_bitselect(value, best, greater);
          places = wasm_v128_bitselect(wasm_i32x4_splat(at), places, greater);
        }
      }
    }
    int32_t found[4];
    wasm_v128_store(found, places);
    for (size_t lane = 0; lane < 4 && lane < left; lane++) {
      output[channel + lane] = place + found[lane] + (int64_t)(channel + lane) * step;
    }
  }
}
