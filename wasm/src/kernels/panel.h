/* Products of a few rows with a panel of weights: eight columns side by side, [depth][8]. */
#ifndef PYXNN_KERNELS_PANEL_H
#define PYXNN_KERNELS_PANEL_H

#include "kernels/simd.h"

enum { panel_width = 8, panel_rows = 4 };

/* Four times a lane of `value`. */
static inline __attribute__((always_inline)) v128_t panel_splat(v128_t value, size_t lane) {
  switch (lane) {
    case 0:
      return wasm_i32x4_shuffle(value, value, 0, 0, 0, 0);
    case 1:
      return wasm_i32x4_shuffle(value, value, 1, 1, 1, 1);
    case 2:
      return wasm_i32x4_shuffle(value, value, 2, 2, 2, 2);
    default:
      return wasm_i32x4_shuffle(value, value, 3, 3, 3, 3);
  }
}

/*
 * sums [2] = the products of one row with a panel. Four pairs of sums take turns, so that none waits for itself: all stay in
 * registers.
 * @param depth  of the row
 */
static inline __attribute__((always_inline)) void panel_row_product(const float* row, const float* panel, size_t depth,
                                                                    v128_t* sums) {
  enum { chains = 4 };
  v128_t low[chains] = {0}, high[chains] = {0};
  size_t k = 0;
  for (; k + chains <= depth; k += chains) {
    const v128_t values = wasm_v128_load(row + k);
#pragma unroll
    for (size_t i = 0; i < chains; i++) {
      const v128_t value = panel_splat(values, i);
      low[i] = simd_madd(value, wasm_v128_load(panel + (k + i) * panel_width), low[i]);
      high[i] = simd_madd(value, wasm_v128_load(panel + (k + i) * panel_width + 4), high[i]);
    }
  }
  for (; k < depth; k++) {
    const v128_t value = wasm_v128_load32_splat(row + k);
    low[0] = simd_madd(value, wasm_v128_load(panel + k * panel_width), low[0]);
    high[0] = simd_madd(value, wasm_v128_load(panel + k * panel_width + 4), high[0]);
  }
  sums[0] = wasm_f32x4_add(wasm_f32x4_add(low[0], low[1]), wasm_f32x4_add(low[2], low[3]));
  sums[1] = wasm_f32x4_add(wasm_f32x4_add(high[0], high[1]), wasm_f32x4_add(high[2], high[3]));
}

/*
 * sums [rows][2] = the products of rows, `stride` apart, with a panel; of two rows, two sums take turns.
 * @param depth  of the rows
 * @param rows   2 to panel_rows, a constant
 */
static inline __attribute__((always_inline)) void panel_product(const float* row, size_t stride, const float* panel,
                                                                size_t depth, size_t rows, v128_t sums[panel_rows][2]) {
  const size_t chains = rows == 2 ? 2 : 1;
  v128_t low[2][panel_rows] = {0}, high[2][panel_rows] = {0};
  for (size_t k = 0; k < depth; k += chains) {
#pragma unroll
    for (size_t c = 0; c < chains; c++) {
      if (c > 0 && k + c == depth) {
        break;
      }
      const v128_t first = wasm_v128_load(panel), second = wasm_v128_load(panel + 4);
      panel += panel_width;
#pragma unroll
      for (size_t r = 0; r < rows; r++) {
        const v128_t value = wasm_v128_load32_splat(row + r * stride + k + c);
        low[c][r] = simd_madd(value, first, low[c][r]);
        high[c][r] = simd_madd(value, second, high[c][r]);
      }
    }
  }
#pragma unroll
  for (size_t r = 0; r < rows; r++) {
    sums[r][0] = chains == 2 ? wasm_f32x4_add(low[0][r], low[1][r]) : low[0][r];
    sums[r][1] = chains == 2 ? wasm_f32x4_add(high[0][r], high[1][r]) : high[0][r];
  }
}

#endif
