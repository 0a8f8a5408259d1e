#include "kernels/winograd_qs8.h"

#define INLINE static inline __attribute__((always_inline))

void winograd_qs8_transform_weights(const int8_t* taps, size_t tap_step, int32_t zero, int16_t* transformed,
                                    size_t point_step) {
  int32_t rows[4][3];
  for (size_t x = 0; x < 3; x++) {
    const int32_t top = taps[x * tap_step] - zero, middle = taps[(3 + x) * tap_step] - zero;
    const int32_t bottom = taps[(6 + x) * tap_step] - zero;
    rows[0][x] = 2 * top;
    rows[1][x] = top + middle + bottom;
    rows[2][x] = top - middle + bottom;
    rows[3][x] = 2 * bottom;
  }
  for (size_t y = 0; y < 4; y++) {
    const int32_t left = rows[y][0], middle = rows[y][1], right = rows[y][2];
    int16_t* to = transformed + 4 * y * point_step;
    to[0] = (int16_t)(2 * left);
    to[point_step] = (int16_t)(left + middle + right);
    to[2 * point_step] = (int16_t)(left - middle + right);
    to[3 * point_step] = (int16_t)(2 * right);
  }
}

/* Eight channels of four pixels of a row, transformed along it. */
struct points {
  v128_t at[4];
};

INLINE struct points transform_row(const int8_t* const* pixels, size_t channel, v128_t zero) {
  v128_t x[4];
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    x[i] = wasm_i16x8_sub(wasm_i16x8_load8x8(pixels[i] + channel), zero);
  }
  return (struct points){{
      wasm_i16x8_sub(x[0], x[2]),
      wasm_i16x8_add(x[1], x[2]),
      wasm_i16x8_sub(x[2], x[1]),
      wasm_i16x8_sub(x[1], x[3]),
  }};
}

INLINE struct points add(struct points a, struct points b) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    a.at[i] = wasm_i16x8_add(a.at[i], b.at[i]);
  }
  return a;
}

INLINE struct points subtract(struct points a, struct points b) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    a.at[i] = wasm_i16x8_sub(a.at[i], b.at[i]);
  }
  return a;
}

/* Stores a row of points. */
INLINE void store(int16_t* to, size_t row, size_t point_step, size_t tiles, struct points points) {
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    int16_t* place = to + (4 * row + i) * point_step;
    wasm_v128_store64_lane(place, points.at[i], 0);
    wasm_v128_store64_lane(place + 4 * tiles, points.at[i], 1);
  }
}

void winograd_qs8_transform_pixels(const int8_t* const pixels[winograd_qs8_points], size_t in_channels, int8_t zero,
                                   size_t tiles, int16_t* transformed, size_t point_step) {
  const v128_t wide = wasm_i16x8_splat(zero);
  for (size_t channel = 0; channel < in_channels; channel += winograd_qs8_channels) {
    /* Rows in such an order that few vectors live at a time. */
    const struct points third = transform_row(pixels + 8, channel, wide);
    store(transformed, 0, point_step, tiles, subtract(transform_row(pixels, channel, wide), third));
    const struct points second = transform_row(pixels + 4, channel, wide);
    store(transformed, 1, point_step, tiles, add(second, third));
    store(transformed, 2, point_step, tiles, subtract(third, second));
    store(transformed, 3, point_step, tiles, subtract(second, transform_row(pixels + 12, channel, wide)));
    transformed += winograd_qs8_channels * tiles;
  }
}

/* Four columns of the outputs of a tile, row by row. */
INLINE void transform_columns(const int32_t* sums, size_t point_step, v128_t bias, v128_t* outputs) {
  v128_t rows[4][2];
#pragma unroll
  for (size_t y = 0; y < 4; y++) {
    v128_t x[4];
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      x[i] = wasm_v128_load(sums + (4 * y + i) * point_step);
    }
    rows[y][0] = wasm_i32x4_add(x[0], wasm_i32x4_add(x[1], x[2]));
    rows[y][1] = wasm_i32x4_sub(wasm_i32x4_sub(x[1], x[2]), x[3]);
  }
#pragma unroll
  for (size_t x = 0; x < 2; x++) {
    const v128_t top = wasm_i32x4_add(rows[0][x], wasm_i32x4_add(rows[1][x], rows[2][x]));
    const v128_t bottom = wasm_i32x4_sub(wasm_i32x4_sub(rows[1][x], rows[2][x]), rows[3][x]);
    outputs[x] = wasm_i32x4_add(wasm_i32x4_shr(top, 2), bias);
    outputs[2 + x] = wasm_i32x4_add(wasm_i32x4_shr(bottom, 2), bias);
  }
}

void winograd_qs8_transform_sums(const int32_t* sums, size_t point_step, const struct requantizer* by,
                                 const struct winograd_qs8_outputs* to) {
  v128_t low[4], high[4];
  transform_columns(sums, point_step, wasm_v128_load(to->bias), low);
  transform_columns(sums + 4, point_step, wasm_v128_load(to->bias + 4), high);
  const struct eight multipliers = {wasm_v128_load(to->multipliers), wasm_v128_load(to->multipliers + 4)};
  struct eight outputs[4];
#pragma unroll
  for (size_t i = 0; i < 4; i++) {
    outputs[i] = (struct eight){low[i], high[i]};
  }
  if (to->rows == 2 && to->pixels == 2 && to->columns >= 8) {
    requantize_rows(by, outputs, 2, multipliers, to->output, to->pixel_step);
    requantize_rows(by, outputs + 2, 2, multipliers, to->output + to->row_step, to->pixel_step);
    return;
  }
  int8_t all[4 * 8];
  requantize_rows(by, outputs, 4, multipliers, all, 8);
  for (size_t row = 0; row < to->rows; row++) {
    copy_block(all + row * 16, to->output + row * to->row_step, to->pixel_step, to->pixels,
               to->columns < 8 ? to->columns : 8);
  }
}
