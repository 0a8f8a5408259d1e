#include "kernels/small_product.h"

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* Four columns of a row from `column` on: zeros stand for those that aren't there. */
INLINE v128_t load(const float* row, size_t column, size_t columns) {
  return column < columns ? simd_load(row + column, columns - column) : wasm_f32x4_const_splat(0.0f);
}

/* Eight columns, or fewer of them. */
INLINE void tile(const float* a, const float* b, float* output, size_t rows, size_t depth, size_t stride,
                 size_t columns) {
  v128_t sums[small_product_rows][2];
#pragma unroll
  for (size_t r = 0; r < rows; r++) {
    sums[r][0] = sums[r][1] = wasm_f32x4_const_splat(0.0f);
  }
  /* Not unrolled: compilers then finish each sum in its turn, for which columns of all these depths take their registers. */
#pragma clang loop unroll(disable)
  for (size_t k = 0; k < depth; k++) {
    const v128_t left = load(b, 0, columns), right = load(b, 4, columns);
    b += stride;
#pragma unroll
    for (size_t r = 0; r < rows; r++) {
      const v128_t value = wasm_v128_load32_splat(a + r * depth + k);
      sums[r][0] = simd_madd(value, left, sums[r][0]);
      sums[r][1] = simd_madd(value, right, sums[r][1]);
    }
  }
#pragma unroll
  for (size_t r = 0; r < rows; r++) {
    float* to = output + r * stride;
    simd_store(to, sums[r][0], columns);
    if (columns > 4) {
      simd_store(to + 4, sums[r][1], columns - 4);
    }
  }
}

INLINE void tiles(const float* a, const float* b, float* output, size_t rows, size_t depth, size_t columns) {
  size_t column = 0;
  for (; column + 8 <= columns; column += 8) {
    tile(a, b + column, output + column, rows, depth, columns, 8);
  }
  if (column < columns) {
    tile(a, b + column, output + column, rows, depth, columns, columns - column);
  }
}

void small_product(const float* a, const float* b, float* output, size_t rows, size_t depth, size_t columns) {
  switch (rows) {
    case 1:
      tiles(a, b, output, 1, depth, columns);
      break;
    case 2:
      tiles(a, b, output, 2, depth, columns);
      break;
    case 3:
      tiles(a, b, output, 3, depth, columns);
      break;
    default:
      tiles(a, b, output, 4, depth, columns);
  }
}
