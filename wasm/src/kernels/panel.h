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
 * sums [count][2] += the products of one row with panels. Caches fetch ahead in each panel by itself: from memory, four streams
 * come half as fast again as one.
 * @param depth   of the row
 * @param stride  floats from one panel to the next
 * @param count   of panels, a constant
 * @param chains  pairs of sums of a panel that take turns, so that none waits for itself: 1, 2 or 4, a constant. Results depend on
 *                it; those of columns that are alike shall be.
 */
static inline __attribute__((always_inline)) void panel_add_row_products(const float* row, const float* panels,
                                                                         size_t stride, size_t depth, size_t count,
                                                                         size_t chains, v128_t (*sums)[2]) {
  v128_t low[panel_rows] = {0}, high[panel_rows] = {0};
  size_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    const v128_t values = wasm_v128_load(row + k);
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      const v128_t value = panel_splat(values, i);
#pragma unroll
      for (size_t p = 0; p < count; p++) {
        const float* weights = panels + p * stride + (k + i) * panel_width;
        const size_t sum = p * chains + i % chains;
        low[sum] = simd_madd(value, wasm_v128_load(weights), low[sum]);
        high[sum] = simd_madd(value, wasm_v128_load(weights + 4), high[sum]);
      }
    }
  }
  for (; k < depth; k++) {
    const v128_t value = wasm_v128_load32_splat(row + k);
#pragma unroll
    for (size_t p = 0; p < count; p++) {
      const float* weights = panels + p * stride + k * panel_width;
      low[p * chains] = simd_madd(value, wasm_v128_load(weights), low[p * chains]);
      high[p * chains] = simd_madd(value, wasm_v128_load(weights + 4), high[p * chains]);
    }
  }
#pragma unroll
  for (size_t p = 0; p < count; p++) {
#pragma unroll
    for (size_t chain = 1; chain < chains; chain++) {
      low[p * chains] = wasm_f32x4_add(low[p * chains], low[p * chains + chain]);
      high[p * chains] = wasm_f32x4_add(high[p * chains], high[p * chains + chain]);
    }
    sums[p][0] = wasm_f32x4_add(sums[p][0], low[p * chains]);
    sums[p][1] = wasm_f32x4_add(sums[p][1], high[p * chains]);
  }
}

/* sums [count][2] = those products, in sums of few, which is what makes them exact. Arguments as above. */
static inline __attribute__((always_inline)) void panel_row_products(const float* row, const float* panels,
                                                                     size_t stride, size_t depth, size_t count,
                                                                     size_t chains, v128_t (*sums)[2]) {
  enum { few = 256 };
#pragma unroll
  for (size_t p = 0; p < count; p++) {
    sums[p][0] = sums[p][1] = wasm_f32x4_const_splat(0.0f);
  }
  for (; depth > few; depth -= few, row += few, panels += few * panel_width) {
    panel_add_row_products(row, panels, stride, few, count, chains, sums);
  }
  panel_add_row_products(row, panels, stride, depth, count, chains, sums);
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
