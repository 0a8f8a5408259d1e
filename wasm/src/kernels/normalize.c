#include "kernels/normalize.h"

#include <math.h>
#include <stdbool.h>

#include "kernels/simd.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

/* So many values are half of a first-level cache. */
enum { piece = 4096 };

/* Additions wait for each other: so many sums at a time keep the adders busy. */
enum { num_sums = 8, values_per_turn = num_sums * 4 };

static inline float sum_of_lanes(v128_t value) {
  return (wasm_f32x4_extract_lane(value, 0) + wasm_f32x4_extract_lane(value, 1)) +
         (wasm_f32x4_extract_lane(value, 2) + wasm_f32x4_extract_lane(value, 3));
}

static inline float total_of(v128_t sums[num_sums]) {
#pragma unroll
  for (size_t half = num_sums / 2; half > 0; half /= 2) {
#pragma unroll
    for (size_t s = 0; s < half; s++) {
      sums[s] = wasm_f32x4_add(sums[s], sums[s + half]);
    }
  }
  return sum_of_lanes(sums[0]);
}

static float sum_of(const float* values, size_t count) {
  v128_t sums[num_sums] = {0};
  size_t i = 0;
  for (; i + values_per_turn <= count; i += values_per_turn) {
#pragma unroll
    for (size_t s = 0; s < num_sums; s++) {
      sums[s] = wasm_f32x4_add(sums[s], wasm_v128_load(values + i + s * 4));
    }
  }
  for (; i + 4 <= count; i += 4) {
    sums[0] = wasm_f32x4_add(sums[0], wasm_v128_load(values + i));
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
#pragma unroll
    for (size_t s = 0; s < num_sums; s++) {
      sums[s] = spread4(sums[s], wasm_v128_load(values + i + s * 4), centers, spread);
    }
  }
  for (; i + 4 <= count; i += 4) {
    sums[0] = spread4(sums[0], wasm_v128_load(values + i), centers, spread);
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
  struct moments moments = moments_of_piece(values, smaller(count, piece), spread);
  for (size_t i = piece; i < count; i += piece) {
    const size_t left = count - i;
    moments = moments_merged(moments, moments_of_piece(values + i, smaller(left, piece), spread));
  }
  return moments;
}

/* Clamping costs as much as all else: where there are no bounds, it is left out. */
static bool is_bounded(const struct bounds* bounds) {
  return bounds->min > -INFINITY || bounds->max < INFINITY;
}

/* What all values of a run have in common; `each` has a scale and a bias of its own in the place of `bias`. */
struct run {
  v128_t center, factor, bias, min, max;
  bool each, bounded;
};

INLINE v128_t clamp4(v128_t value, const struct run* run) {
  return run->bounded ? simd_clamp(value, run->min, run->max) : value;
}

/* Up to four values. */
INLINE void normalize4(const struct run* run, const float* input, float* output, size_t count, const float* scale,
                       const float* bias) {
  v128_t value = wasm_f32x4_sub(simd_load(input, count), run->center);
  if (run->each) {
    value = simd_madd(wasm_f32x4_mul(value, run->factor), simd_load(scale, count), simd_load(bias, count));
  } else {
    value = simd_madd(value, run->factor, run->bias);
  }
  simd_store(output, clamp4(value, run), count);
}

INLINE void normalize_run(const struct run* run, const float* input, float* output, size_t count, const float* scale,
                          const float* bias) {
  const size_t scale_step = run->each ? 4 : 0;
  while (count >= 16) {
#pragma unroll
    for (size_t v = 0; v < 4; v++) {
      normalize4(run, input + v * 4, output + v * 4, 4, scale + v * scale_step, bias + v * scale_step);
    }
    input += 16;
    output += 16;
    scale += 4 * scale_step;
    bias += 4 * scale_step;
    count -= 16;
  }
  for (; count >= 4; count -= 4) {
    normalize4(run, input, output, 4, scale, bias);
    input += 4;
    output += 4;
    scale += scale_step;
    bias += scale_step;
  }
  if (count > 0) {
    normalize4(run, input, output, count, scale, bias);
  }
}

INLINE struct run run_of(float center, float factor, float bias, const struct bounds* bounds, bool each, bool bounded) {
  return (struct run){
      .center = wasm_f32x4_splat(center),
      .factor = wasm_f32x4_splat(factor),
      .bias = wasm_f32x4_splat(bias),
      .min = wasm_f32x4_splat(bounds->min),
      .max = wasm_f32x4_splat(bounds->max),
      .each = each,
      .bounded = bounded,
  };
}

void normalize_each(const float* input, float* output, size_t count, float center, float factor, const float* scale,
                    const float* bias, const struct bounds* bounds) {
  if (is_bounded(bounds)) {
    const struct run run = run_of(center, factor, 0.0f, bounds, true, true);
    normalize_run(&run, input, output, count, scale, bias);
  } else {
    const struct run run = run_of(center, factor, 0.0f, bounds, true, false);
    normalize_run(&run, input, output, count, scale, bias);
  }
}

void normalize_all(const float* input, float* output, size_t count, float center, float factor, float bias,
                   const struct bounds* bounds) {
  if (is_bounded(bounds)) {
    const struct run run = run_of(center, factor, bias, bounds, false, true);
    normalize_run(&run, input, output, count, NULL, NULL);
  } else {
    const struct run run = run_of(center, factor, bias, bounds, false, false);
    normalize_run(&run, input, output, count, NULL, NULL);
  }
}

/*
 * Sums down `vectors` times four columns, of which the last four may be fewer: `lanes`. `chains` rows are summed side by side,
 * for the reason above. For means, values are summed as they are.
 */
INLINE void sums_of_columns(const float* values, size_t rows, size_t stride, size_t vectors, size_t lanes,
                            size_t chains, const float* center, enum spread spread, bool is_mean, float* sums) {
  v128_t sum[4][4] = {0}, centers[4];
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
    centers[v] = is_mean ? wasm_f32x4_splat(0.0f) : simd_load(center + v * 4, v + 1 == vectors ? lanes : 4);
  }
  size_t row = 0;
  for (; row + chains <= rows; row += chains) {
#pragma unroll
    for (size_t c = 0; c < chains; c++) {
#pragma unroll
      for (size_t v = 0; v < vectors; v++) {
        const v128_t value = simd_load(values + c * stride + v * 4, v + 1 == vectors ? lanes : 4);
        sum[c][v] = is_mean ? wasm_f32x4_add(sum[c][v], value) : spread4(sum[c][v], value, centers[v], spread);
      }
    }
    values += chains * stride;
  }
  for (; row < rows; row++) {
#pragma unroll
    for (size_t v = 0; v < vectors; v++) {
      const v128_t value = simd_load(values + v * 4, v + 1 == vectors ? lanes : 4);
      sum[0][v] = is_mean ? wasm_f32x4_add(sum[0][v], value) : spread4(sum[0][v], value, centers[v], spread);
    }
    values += stride;
  }
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
#pragma unroll
    for (size_t c = 1; c < chains; c++) {
      sum[0][v] = wasm_f32x4_add(sum[0][v], sum[c][v]);
    }
    simd_store(sums + v * 4, sum[0][v], v + 1 == vectors ? lanes : 4);
  }
}

INLINE void sums_of_all_columns(const float* values, size_t rows, size_t stride, size_t columns, const float* center,
                                enum spread spread, bool is_mean, float* sums) {
  size_t i = 0;
  for (; i + 16 <= columns; i += 16) {
    sums_of_columns(values + i, rows, stride, 4, 4, 2, center + i, spread, is_mean, sums + i);
  }
  for (; i + 8 <= columns; i += 8) {
    sums_of_columns(values + i, rows, stride, 2, 4, 4, center + i, spread, is_mean, sums + i);
  }
  if (i + 4 <= columns) {
    sums_of_columns(values + i, rows, stride, 1, 4, 4, center + i, spread, is_mean, sums + i);
    i += 4;
  }
  if (i < columns) {
    sums_of_columns(values + i, rows, stride, 1, columns - i, 4, center + i, spread, is_mean, sums + i);
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
      sums_of_all_columns(values, rows, stride, columns, moments->mean, spread_squares, false, moments->spread);
    } else {
      sums_of_all_columns(values, rows, stride, columns, moments->mean, spread_magnitudes, false, moments->spread);
    }
    return;
  }
  sums_of_all_columns(values, rows, stride, columns, moments->mean, spread, true, moments->mean);
  for (size_t i = 0; i < columns; i++) {
    moments->mean[i] /= moments->count;
  }
  sums_of_all_columns(values, rows, stride, columns, moments->mean, spread_squared_differences, false, moments->spread);
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
    moments_of_columns(&own, values + row * stride, smaller(left, rows_per_piece), stride, columns, spread);
    column_moments_merge(moments, &own, columns);
  }
}

/*
 * Up to four vectors of columns, of which the last may have fewer `lanes`, down some rows: what they have in common is loaded
 * once for all rows.
 */
INLINE void normalize_rows(const float* input, float* output, size_t rows, size_t stride, size_t vectors, size_t lanes,
                           const float* center, const float* factor, const float* bias, const struct bounds* bounds,
                           bool bounded) {
  struct run runs[4];
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
    const size_t count = v + 1 == vectors ? lanes : 4;
    runs[v] = (struct run){
        .center = simd_load(center + v * 4, count),
        .factor = simd_load(factor + v * 4, count),
        .bias = simd_load(bias + v * 4, count),
        .min = wasm_f32x4_splat(bounds->min),
        .max = wasm_f32x4_splat(bounds->max),
        .bounded = bounded,
    };
  }
  for (size_t row = 0; row < rows; row++) {
#pragma unroll
    for (size_t v = 0; v < vectors; v++) {
      normalize4(&runs[v], input + v * 4, output + v * 4, v + 1 == vectors ? lanes : 4, NULL, NULL);
    }
    input += stride;
    output += stride;
  }
}

INLINE void normalize_all_columns(const float* input, float* output, size_t rows, size_t stride, size_t columns,
                                  const float* center, const float* factor, const float* bias,
                                  const struct bounds* bounds, bool bounded) {
  size_t i = 0;
  for (; i + 16 <= columns; i += 16) {
    normalize_rows(input + i, output + i, rows, stride, 4, 4, center + i, factor + i, bias + i, bounds, bounded);
  }
  for (; i + 4 <= columns; i += 4) {
    normalize_rows(input + i, output + i, rows, stride, 1, 4, center + i, factor + i, bias + i, bounds, bounded);
  }
  if (i < columns) {
    normalize_rows(input + i, output + i, rows, stride, 1, columns - i, center + i, factor + i, bias + i, bounds,
                   bounded);
  }
}

/* Columns are taken in turns: as many rows as stay in the first-level cache meanwhile. */
void normalize_columns(const float* input, float* output, size_t rows, size_t stride, size_t columns,
                       const float* center, const float* factor, const float* bias, const struct bounds* bounds) {
  const size_t together = piece / 2 / columns + 1;
  for (size_t row = 0; row < rows; row += together) {
    const size_t place = row * stride, count = smaller(rows - row, together);
    if (is_bounded(bounds)) {
      normalize_all_columns(input + place, output + place, count, stride, columns, center, factor, bias, bounds, true);
    } else {
      normalize_all_columns(input + place, output + place, count, stride, columns, center, factor, bias, bounds, false);
    }
  }
}
