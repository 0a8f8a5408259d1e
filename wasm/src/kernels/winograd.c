#include "kernels/winograd.h"

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* In double precision, so that they are rounded once. */
void winograd_transform_weights(const float* taps, size_t tap_step, float* transformed, size_t point_step) {
  double rows[4][3];
  for (size_t x = 0; x < 3; x++) {
    const double top = taps[x * tap_step], middle = taps[(3 + x) * tap_step], bottom = taps[(6 + x) * tap_step];
    rows[0][x] = top;
    rows[1][x] = (top + middle + bottom) / 2;
    rows[2][x] = (top - middle + bottom) / 2;
    rows[3][x] = bottom;
  }
  for (size_t y = 0; y < 4; y++) {
    const double left = rows[y][0], middle = rows[y][1], right = rows[y][2];
    float* to = transformed + 4 * y * point_step;
    to[0] = (float)left;
    to[point_step] = (float)((left + middle + right) / 2);
    to[2 * point_step] = (float)((left - middle + right) / 2);
    to[3 * point_step] = (float)right;
  }
}

/* Four pixels of a row, transformed along it. */
struct points {
  v128_t at[4];
};

INLINE struct points transform_row(const float* const* pixels, size_t channel, size_t count) {
  v128_t x[4];
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    x[i] = simd_load(pixels[i] + channel, count);
  }
  return (struct points){{
      wasm_f32x4_sub(x[0], x[2]),
      wasm_f32x4_add(x[1], x[2]),
      wasm_f32x4_sub(x[2], x[1]),
      wasm_f32x4_sub(x[1], x[3]),
  }};
}

INLINE struct points add(struct points a, struct points b) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    a.at[i] = wasm_f32x4_add(a.at[i], b.at[i]);
  }
  return a;
}

INLINE struct points subtract(struct points a, struct points b) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    a.at[i] = wasm_f32x4_sub(a.at[i], b.at[i]);
  }
  return a;
}

INLINE void store(float* to, size_t row, struct points points) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    wasm_v128_store(to + (4 * row + i) * winograd_point_step, points.at[i]);
  }
}

/* Rows in such an order that few vectors live at a time. */
INLINE void transform_four(const float* const* pixels, size_t channel, size_t count, float* to) {
  const struct points third = transform_row(pixels + 8, channel, count);
  store(to, 0, subtract(transform_row(pixels, channel, count), third));
  const struct points second = transform_row(pixels + 4, channel, count);
  store(to, 1, add(second, third));
  store(to, 2, subtract(third, second));
  store(to, 3, subtract(second, transform_row(pixels + 12, channel, count)));
}

void winograd_transform_pixels(const float* const pixels[winograd_points], size_t in_channels, float* transformed) {
  size_t channel = 0;
  for (; channel + 4 <= in_channels; channel += 4) {
    transform_four(pixels, channel, 4, transformed);
    transformed += winograd_tiles * 4;
  }
  if (channel < in_channels) {
    transform_four(pixels, channel, in_channels - channel, transformed);
  }
}

/* One point of a strip. */
INLINE void multiply_point(size_t tiles, const float* pixels, const float* end, const float* weights, float* to) {
  v128_t sums[winograd_tiles][2];
#pragma unroll
  for (size_t t = 0; t < tiles; t++) {
    sums[t][0] = sums[t][1] = wasm_f32x4_const_splat(0.0f);
  }
#pragma clang loop unroll(disable)
  do {
    /* Not unrolled: compilers then finish each sum in its turn, for which weights of all four channels take their registers. */
#pragma clang loop unroll(disable)
    for (const float* next = pixels + 4; pixels != next; pixels++) {
      const v128_t low = wasm_v128_load(weights), high = wasm_v128_load(weights + 4);
#pragma unroll
      for (size_t t = 0; t < tiles; t++) {
        const v128_t pixel = wasm_v128_load32_splat(pixels + t * 4);
        sums[t][0] = simd_madd(pixel, low, sums[t][0]);
        sums[t][1] = simd_madd(pixel, high, sums[t][1]);
      }
      weights += winograd_columns;
    }
    pixels += winograd_tiles * 4 - 4;
  } while (pixels != end);
#pragma unroll
  for (size_t t = 0; t < tiles; t++) {
    wasm_v128_store(to + t * winograd_columns, sums[t][0]);
    wasm_v128_store(to + t * winograd_columns + 4, sums[t][1]);
  }
}

INLINE void multiply(size_t tiles, size_t in_channels, size_t strips, const float* pixels, const float* weights,
                     float* sums) {
  const size_t strip_size = winograd_strip_size(in_channels);
  for (size_t point = 0; point < winograd_points; point++) {
    const float* strip = pixels + point * winograd_point_step;
    float* to = sums + point * (winograd_tiles * winograd_columns);
    for (size_t s = 0; s < strips; s++) {
      multiply_point(tiles, strip, strip + strip_size, weights, to);
      strip += strip_size;
      to += winograd_sums_size;
    }
    weights += strip_size / winograd_tiles * winograd_columns;
  }
}

#define MULTIPLY(tiles)                                                                                      \
  static void multiply_##tiles(size_t in_channels, size_t strips, const float* pixels, const float* weights, \
                               float* sums) {                                                                \
    multiply(tiles, in_channels, strips, pixels, weights, sums);                                             \
  }

MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)

/* By the number of tiles, less one. */
const winograd_multiply winograd_multiply_tiles[winograd_tiles] = {multiply_1, multiply_2, multiply_3,
                                                                   multiply_4, multiply_5, multiply_6};

/* Four columns of the outputs. */
INLINE void transform_columns(const float* sums, const struct winograd_outputs* to, size_t column) {
  v128_t rows[4][2];
#pragma unroll
  for (size_t y = 0; y < 4; y++) {
    v128_t x[4];
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      x[i] = wasm_v128_load(sums + (4 * y + i) * (winograd_tiles * winograd_columns) + column);
    }
    rows[y][0] = wasm_f32x4_add(x[0], wasm_f32x4_add(x[1], x[2]));
    rows[y][1] = wasm_f32x4_sub(wasm_f32x4_sub(x[1], x[2]), x[3]);
  }
  const v128_t min = wasm_v128_load32_splat(&to->min), max = wasm_v128_load32_splat(&to->max);
  const v128_t bias = wasm_v128_load(to->bias + column);
  float* output = to->output + column;
#pragma unroll
  for (size_t x = 0; x < 2; x++) {
    if (x < to->pixels) {
      const v128_t top = wasm_f32x4_add(rows[0][x], wasm_f32x4_add(rows[1][x], rows[2][x]));
      const v128_t bottom = wasm_f32x4_sub(wasm_f32x4_sub(rows[1][x], rows[2][x]), rows[3][x]);
      simd_store(output, simd_clamp(wasm_f32x4_add(top, bias), min, max), to->columns - column);
      if (to->rows == 2) {
        simd_store(output + to->row_step, simd_clamp(wasm_f32x4_add(bottom, bias), min, max), to->columns - column);
      }
    }
    output += to->pixel_step;
  }
}

void winograd_transform_sums(const float* sums, const struct winograd_outputs* to) {
  transform_columns(sums, to, 0);
  if (to->columns > 4) {
    transform_columns(sums, to, 4);
  }
}
