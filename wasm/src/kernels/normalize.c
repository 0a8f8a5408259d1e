#include "kernels/normalize.h"

#include <math.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* So many values are half of a first-level cache. */
enum { piece = 4096 };

/* Additions wait for each other: so many sums at a time keep the adders busy. */
enum { num_sums = 4, values_per_turn = num_sums * 4 };

static inline float sum_of_lanes(v128_t value) {
  return (wasm_f32x4_extract_lane(value, 0) + wasm_f32x4_extract_lane(value, 1)) +
         (wasm_f32x4_extract_lane(value, 2) + wasm_f32x4_extract_lane(value, 3));
}

static inline float total_of(const v128_t sums[num_sums]) {
  return sum_of_lanes(wasm_f32x4_add(wasm_f32x4_add(sums[0], sums[1]), wasm_f32x4_add(sums[2], sums[3])));
}

static float sum_of(const float* values, size_t count) {
  v128_t sums[num_sums] = {0};
  size_t i = 0;
  for (; i + values_per_turn <= count; i += values_per_turn) {
    for (size_t s = 0; s < num_sums; s++) {
      sums[s] = wasm_f32x4_add(sums[s], wasm_v128_load(values + i + s * 4));
    }
  }
  float sum = total_of(sums);
  for (; i < count; i++) {
    sum += values[i];
  }
  return sum;
}

/* What a value adds to a spread. */
INLINE v128_t spread4(v128_t sum, v128_t value, v128_t center, enum spread spread) {
  if (spread == spread_magnitudes) {
    return wasm_f32x4_add(sum, wasm_f32x4_abs(value));
  }
  const v128_t difference = spread == spread_squares ? value : wasm_f32x4_sub(value, center);
  return simd_madd(difference, difference, sum);
}

INLINE float spread_of(const float* values, size_t count, float center, enum spread spread) {
  const v128_t centers = wasm_f32x4_splat(center);
  v128_t sums[num_sums] = {0};
  size_t i = 0;
  for (; i + values_per_turn <= count; i += values_per_turn) {
    for (size_t s = 0; s < num_sums; s++) {
      sums[s] = spread4(sums[s], wasm_v128_load(values + i + s * 4), centers, spread);
    }
  }
  float sum = total_of(sums);
  for (; i < count; i++) {
    const float difference = values[i] - center;
    sum += spread == spread_magnitudes ? fabsf(values[i]) : difference * difference;
  }
  return sum;
}

struct moments moments_merged(struct moments a, struct moments b) {
  const double count = a.count + b.count;
  const double difference = b.mean - a.mean;
  return (struct moments){
      .count = count,
      .mean = a.mean + difference * b.count / count,
      .spread = a.spread + b.spread + difference * difference * a.count * b.count / count,
  };
}

static struct moments moments_of_piece(const float* values, size_t count, enum spread spread) {
  struct moments moments = {.count = (double)count};
  if (spread == spread_magnitudes) {
    moments.spread = spread_of(values, count, 0.0f, spread_magnitudes);
  } else if (spread == spread_squares) {
    moments.spread = spread_of(values, count, 0.0f, spread_squares);
  } else {
    const float mean = sum_of(values, count) / (float)count;
    moments.mean = mean;
    moments.spread = spread_of(values, count, mean, spread_squared_differences);
  }
  return moments;
}

struct moments moments_of(const float* values, size_t count, enum spread spread) {
  struct moments moments = moments_of_piece(values, count < piece ? count : piece, spread);
  for (size_t i = piece; i < count; i += piece) {
    const size_t left = count - i;
    moments = moments_merged(moments, moments_of_piece(values + i, left < piece ? left : piece, spread));
  }
  return moments;
}

INLINE float clamp(float value, const struct bounds* bounds) {
  return value < bounds->min ? bounds->min : value > bounds->max ? bounds->max : value;
}

void normalize_each(const float* input, float* output, size_t count, float center, float factor, const float* scale,
                    const float* bias, const struct bounds* bounds) {
  const v128_t centers = wasm_f32x4_splat(center), factors = wasm_f32x4_splat(factor);
  const v128_t min = wasm_f32x4_splat(bounds->min), max = wasm_f32x4_splat(bounds->max);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const v128_t normal = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(input + i), centers), factors);
    const v128_t value = simd_madd(normal, wasm_v128_load(scale + i), wasm_v128_load(bias + i));
    wasm_v128_store(output + i, simd_clamp(value, min, max));
  }
  for (; i < count; i++) {
    output[i] = clamp((input[i] - center) * factor * scale[i] + bias[i], bounds);
  }
}

void normalize_all(const float* input, float* output, size_t count, float center, float factor, float bias,
                   const struct bounds* bounds) {
  const v128_t centers = wasm_f32x4_splat(center), factors = wasm_f32x4_splat(factor), biases = wasm_f32x4_splat(bias);
  const v128_t min = wasm_f32x4_splat(bounds->min), max = wasm_f32x4_splat(bounds->max);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const v128_t difference = wasm_f32x4_sub(wasm_v128_load(input + i), centers);
    wasm_v128_store(output + i, simd_clamp(simd_madd(difference, factors, biases), min, max));
  }
  for (; i < count; i++) {
    output[i] = clamp((input[i] - center) * factor + bias, bounds);
  }
}

/* Sums down `vectors` times four columns, the last of which has `lanes`; in `center` their means by row count go in. */
INLINE void sums_of_columns(const float* values, size_t rows, size_t stride, size_t vectors, size_t lanes,
                            const float* center, enum spread spread, int is_mean, float* sums) {
  v128_t sum[4] = {0}, centers[4];
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
    centers[v] = is_mean ? wasm_f32x4_splat(0.0f) : simd_load(center + v * 4, v + 1 == vectors ? lanes : 4);
  }
  for (size_t row = 0; row < rows; row++) {
#pragma unroll
    for (size_t v = 0; v < vectors; v++) {
      const v128_t value = simd_load(values + row * stride + v * 4, v + 1 == vectors ? lanes : 4);
      sum[v] = is_mean ? wasm_f32x4_add(sum[v], value) : spread4(sum[v], value, centers[v], spread);
    }
  }
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
    simd_store(sums + v * 4, sum[v], v + 1 == vectors ? lanes : 4);
  }
}

INLINE void sums_of_all_columns(const float* values, size_t rows, size_t stride, size_t columns, const float* center,
                                enum spread spread, int is_mean, float* sums) {
  size_t i = 0;
  for (; i + 16 <= columns; i += 16) {
    sums_of_columns(values + i, rows, stride, 4, 4, center + i, spread, is_mean, sums + i);
  }
  for (; i + 4 <= columns; i += 4) {
    sums_of_columns(values + i, rows, stride, 1, 4, center + i, spread, is_mean, sums + i);
  }
  if (i < columns) {
    sums_of_columns(values + i, rows, stride, 1, columns - i, center + i, spread, is_mean, sums + i);
  }
}

static void moments_of_columns(struct column_moments* moments, const float* values, size_t rows, size_t stride,
                               size_t columns, enum spread spread) {
  moments->count = (float)rows;
  if (spread == spread_magnitudes || spread == spread_squares) {
    for (size_t i = 0; i < columns; i++) {
      moments->mean[i] = 0.0f;
    }
    if (spread == spread_squares) {
      sums_of_all_columns(values, rows, stride, columns, moments->mean, spread_squares, 0, moments->spread);
    } else {
      sums_of_all_columns(values, rows, stride, columns, moments->mean, spread_magnitudes, 0, moments->spread);
    }
    return;
  }
  sums_of_all_columns(values, rows, stride, columns, moments->mean, spread, 1, moments->mean);
  for (size_t i = 0; i < columns; i++) {
    moments->mean[i] /= moments->count;
  }
  sums_of_all_columns(values, rows, stride, columns, moments->mean, spread_squared_differences, 0, moments->spread);
}

void column_moments_merge(struct column_moments* moments, const struct column_moments* other, size_t columns) {
  const float count = moments->count + other->count;
  const float share = other->count / count, weight = moments->count * share;
  for (size_t i = 0; i < columns; i++) {
    const float difference = other->mean[i] - moments->mean[i];
    moments->mean[i] += difference * share;
    moments->spread[i] += other->spread[i] + difference * difference * weight;
  }
  moments->count = count;
}

void column_moments_add(struct column_moments* moments, const float* values, size_t rows, size_t stride, size_t columns,
                        enum spread spread) {
  const size_t rows_per_piece = piece / columns + 1;
  for (size_t row = 0; row < rows; row += rows_per_piece) {
    const size_t left = rows - row;
    struct column_moments own;
    moments_of_columns(&own, values + row * stride, left < rows_per_piece ? left : rows_per_piece, stride, columns,
                       spread);
    column_moments_merge(moments, &own, columns);
  }
}

void normalize_columns(const float* input, float* output, size_t rows, size_t stride, size_t columns,
                       const float* center, const float* factor, const float* bias, const struct bounds* bounds) {
  const v128_t min = wasm_f32x4_splat(bounds->min), max = wasm_f32x4_splat(bounds->max);
  for (size_t row = 0; row < rows; row++) {
    size_t i = 0;
    for (; i + 4 <= columns; i += 4) {
      const v128_t difference = wasm_f32x4_sub(wasm_v128_load(input + i), wasm_v128_load(center + i));
      const v128_t value = simd_madd(difference, wasm_v128_load(factor + i), wasm_v128_load(bias + i));
      wasm_v128_store(output + i, simd_clamp(value, min, max));
    }
    for (; i < columns; i++) {
      output[i] = clamp((input[i] - center[i]) * factor[i] + bias[i], bounds);
    }
    input += stride;
    output += stride;
  }
}
