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
 * sums [panels * 2] = the products of one row with a panel, or with two of them: where weights come from the second-level cache,
 * reading both at a time is a tenth faster. Several sums take turns, so that none waits for itself: eight stay in registers.
 * @param panel_stride  floats from the one panel to the other
 * @param depth         of the row
 * @param panels        1 or 2, a constant
 */
static inline __attribute__((always_inline)) void panel_row_product(const float* row, const float* panel,
                                                                    size_t panel_stride, size_t depth, size_t panels,
                                                                    v128_t* sums) {
  enum { together = 4 };
  const float* const panel_of[2] = {panel, panel + panel_stride};
  const size_t chains = together / panels;
  v128_t all[together][together] = {0};
  size_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    const v128_t values = wasm_v128_load(row + k);
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      const v128_t value = panel_splat(values, i);
#pragma unroll
      for (size_t v = 0; v < 2 * panels; v++) {
        const v128_t weight = wasm_v128_load(panel_of[v / 2] + (k + i) * panel_width + v % 2 * 4);
        all[i % chains][v] = simd_madd(value, weight, all[i % chains][v]);
      }
    }
  }
  for (; k < depth; k++) {
    const v128_t value = wasm_v128_load32_splat(row + k);
#pragma unroll
    for (size_t v = 0; v < 2 * panels; v++) {
      const v128_t weight = wasm_v128_load(panel_of[v / 2] + k * panel_width + v % 2 * 4);
      all[0][v] = simd_madd(value, weight, all[0][v]);
    }
  }
#pragma unroll
  for (size_t v = 0; v < 2 * panels; v++) {
    sums[v] = all[0][v];
#pragma unroll
    for (size_t c = 1; c < chains; c++) {
      sums[v] = wasm_f32x4_add(sums[v], all[c][v]);
    }
  }
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
