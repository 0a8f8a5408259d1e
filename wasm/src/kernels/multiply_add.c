#include "kernels/multiply_add.h"

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

struct bounds {
  v128_t min, max;
};

/* Four numbers, or the `left` ones that are there. */
INLINE void four(const float* from, v128_t factor, v128_t addend, struct bounds bounds, float* to, size_t left) {
  const v128_t value = simd_madd(simd_load(from, left), factor, addend);
  simd_store(to, simd_clamp(value, bounds.min, bounds.max), left);
}

static void by_row(const float* from, v128_t factor, v128_t addend, struct bounds bounds, float* to, size_t left) {
  for (; left >= 16; left -= 16, from += 16, to += 16) {
    for (size_t i = 0; i < 16; i += 4) {
      four(from + i, factor, addend, bounds, to + i, 4);
    }
  }
  for (; left >= 4; left -= 4, from += 4, to += 4) {
    four(from, factor, addend, bounds, to, 4);
  }
  four(from, factor, addend, bounds, to, left);
}

/* Four columns, or the `left` ones that are there, of some rows. */
INLINE void four_of_rows(const float* from, ptrdiff_t from_row, const float* factors, const float* addends,
                         struct bounds bounds, float* to, ptrdiff_t to_row, size_t rows, size_t left) {
  const v128_t factor = simd_load(factors, left), addend = simd_load(addends, left);
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
    four(from + (ptrdiff_t)row * from_row, factor, addend, bounds, to + (ptrdiff_t)row * to_row, left);
  }
}

INLINE void by_column(const float* from, ptrdiff_t from_row, const float* factors, const float* addends,
                      struct bounds bounds, float* to, ptrdiff_t to_row, size_t rows, size_t left) {
  for (; left >= 16; left -= 16, from += 16, factors += 16, addends += 16, to += 16) {
#pragma unroll
    for (size_t i = 0; i < 16; i += 4) {
      four_of_rows(from + i, from_row, factors + i, addends + i, bounds, to + i, to_row, rows, 4);
    }
  }
  for (; left >= 4; left -= 4, from += 4, factors += 4, addends += 4, to += 4) {
    four_of_rows(from, from_row, factors, addends, bounds, to, to_row, rows, 4);
  }
  if (left > 0) {
    four_of_rows(from, from_row, factors, addends, bounds, to, to_row, rows, left);
  }
}

void multiply_add(struct multiply_add_rows rows, const float* input, const float* factors, const float* addends,
                  bool has_columns, float min, float max, float* output) {
  const struct bounds bounds = {wasm_f32x4_splat(min), wasm_f32x4_splat(max)};
  size_t row = 0;
  if (has_columns && rows.factors == 0 && rows.addends == 0) { /* pairs of rows, for which factors are loaded once */
    for (; row + 2 <= rows.rows; row += 2) {
      by_column(input, rows.input, factors, addends, bounds, output, rows.output, 2, rows.columns);
      input += 2 * rows.input;
      output += 2 * rows.output;
    }
  }
  for (; row < rows.rows; row++) {
    if (has_columns) {
      by_column(input, 0, factors, addends, bounds, output, 0, 1, rows.columns);
    } else {
      by_row(input, wasm_v128_load32_splat(factors), wasm_v128_load32_splat(addends), bounds, output, rows.columns);
    }
    input += rows.input;
    factors += rows.factors;
    addends += rows.addends;
    output += rows.output;
  }
}
