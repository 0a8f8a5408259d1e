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
 * sums [rows][2] = the products of rows, `stride` apart, with a panel. Of few rows, `chains` sums take turns, so that none waits
 * for itself: with rows * chains = 4, eight sums stay in registers.
 * @param depth   of the rows
 * @param rows    1 to panel_rows, a constant
 * @param chains  1, 2 or 4, a constant
 */
static inline __attribute__((always_inline)) void panel_product(const float* row, size_t stride, const float* panel,
                                                                size_t depth, size_t rows, size_t chains,
                                                                v128_t sums[panel_rows][2]) {
  v128_t low[4][panel_rows] = {0}, high[4][panel_rows] = {0};
  size_t k = 0;
  for (; rows == 1 && k + 4 <= depth; k += 4) {
    const v128_t values = wasm_v128_load(row + k);
#pragma unroll
    for (size_t c = 0; c < 4; c++) {
      const v128_t value = panel_splat(values, c);
      low[c][0] = simd_madd(value, wasm_v128_load(panel), low[c][0]);
      high[c][0] = simd_madd(value, wasm_v128_load(panel + 4), high[c][0]);
      panel += panel_width;
    }
  }
  for (; k < depth; k++) {
    const v128_t first = wasm_v128_load(panel), second = wasm_v128_load(panel + 4);
    panel += panel_width;
#pragma unroll
    for (size_t r = 0; r < rows; r++) {
      const v128_t value = wasm_v128_load32_splat(row + r * stride + k);
      low[0][r] = simd_madd(value, first, low[0][r]);
      high[0][r] = simd_madd(value, second, high[0][r]);
    }
  }
#pragma unroll
  for (size_t r = 0; r < rows; r++) {
#pragma unroll
    for (size_t c = 1; c < chains; c++) {
      low[0][r] = wasm_f32x4_add(low[0][r], low[c][r]);
      high[0][r] = wasm_f32x4_add(high[0][r], high[c][r]);
    }
    sums[r][0] = low[0][r];
    sums[r][1] = high[0][r];
  }
}

#endif
