#include "kernels/multiply_add.h"

#include "kernels/simd.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows that columns are gone down before the next columns are, so that they stay in the first-level cache. */
enum { rows_at_once = 16 };

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

/* Some vectors of columns, the last of which has `left` of them, of all rows: factors stay in registers. */
INLINE void vectors(const struct multiply_add_rows* rows, const float* from, const float* factors, const float* addends,
                    struct bounds bounds, float* to, size_t count, size_t left) {
  v128_t factor[4], addend[4];
  for (size_t v = 0; v < count; v++) {
    factor[v] = simd_load(factors + v * 4, left);
    addend[v] = simd_load(addends + v * 4, left);
  }
  for (size_t row = 0; row < rows->rows; row++, from += rows->input, to += rows->output) {
#pragma unroll
    for (size_t v = 0; v < count; v++) {
      four(from + v * 4, factor[v], addend[v], bounds, to + v * 4, left);
    }
  }
}

/* Rows that meet the same factors. */
static void by_column(const struct multiply_add_rows* rows, const float* from, const float* factors,
                      const float* addends, struct bounds bounds, float* to) {
  size_t i = 0;
  for (; i + 16 <= rows->columns; i += 16) {
    vectors(rows, from + i, factors + i, addends + i, bounds, to + i, 4, 4);
  }
  for (; i + 4 <= rows->columns; i += 4) {
    vectors(rows, from + i, factors + i, addends + i, bounds, to + i, 1, 4);
  }
  if (i < rows->columns) {
    vectors(rows, from + i, factors + i, addends + i, bounds, to + i, 1, rows->columns - i);
  }
}

void multiply_add(struct multiply_add_rows rows, const float* input, const float* factors, const float* addends,
                  bool has_columns, float min, float max, float* output) {
  const struct bounds bounds = {wasm_f32x4_splat(min), wasm_f32x4_splat(max)};
  const bool are_shared = has_columns && rows.factors == 0 && rows.addends == 0;
  struct multiply_add_rows some = rows;
  for (size_t row = 0; row < rows.rows; row += some.rows) {
    some.rows = are_shared ? smaller(rows.rows - row, rows_at_once) : 1;
    if (has_columns) {
      by_column(&some, input, factors, addends, bounds, output);
    } else {
      by_row(input, wasm_v128_load32_splat(factors), wasm_v128_load32_splat(addends), bounds, output, rows.columns);
    }
    input += (ptrdiff_t)some.rows * rows.input;
    factors += (ptrdiff_t)some.rows * rows.factors;
    addends += (ptrdiff_t)some.rows * rows.addends;
    output += (ptrdiff_t)some.rows * rows.output;
  }
}
