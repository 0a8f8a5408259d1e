#include "kernels/product_qs8.h"

#include "kernels/requantize.h"

#define INLINE static inline __attribute__((always_inline))

/* Four depths at a time: more need more registers than there are. */
enum { depths_at_once = 4 };

INLINE void add_products(size_t count, const int16_t* rows, const int8_t* columns, size_t depth, struct eight* sums) {
  const int16_t* row[product_rows];
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    row[r] = rows + r * depth;
  }
#pragma clang loop unroll(disable)
  for (const int8_t* end = columns + depth * product_columns; columns != end;) {
#pragma unroll
    for (size_t pair = 0; pair < depths_at_once; pair += 2) {
      const v128_t left = wasm_i16x8_load8x8(columns);
      const v128_t right = wasm_i16x8_load8x8(columns + product_columns);
      columns += 2 * product_columns;
#pragma unroll
      for (size_t r = 0; r < count; r++) {
        const v128_t numbers = wasm_v128_load32_splat(row[r] + pair);
        sums[r].low = wasm_i32x4_add(sums[r].low, wasm_i32x4_dot_i16x8(numbers, left));
        sums[r].high = wasm_i32x4_add(sums[r].high, wasm_i32x4_dot_i16x8(numbers, right));
      }
    }
#pragma unroll
    for (size_t r = 0; r < count; r++) {
      row[r] += depths_at_once;
    }
  }
}

INLINE void compute(const struct product_tile* tile, size_t count) {
  const struct requantizer to = requantizer_of(tile->zero_point, tile->min, tile->max);
  for (size_t column = 0; column < tile->num_columns; column += product_columns) {
    const struct eight bias = {wasm_v128_load(tile->bias + column), wasm_v128_load(tile->bias + column + 4)};
    struct eight sums[product_rows];
#pragma unroll
    for (size_t r = 0; r < count; r++) {
      sums[r] = bias;
    }
    if (tile->row_offsets != NULL) {
#pragma unroll
      for (size_t r = 0; r < count; r++) {
        const v128_t offset = wasm_v128_load32_splat(tile->row_offsets + r);
        sums[r].low = wasm_i32x4_add(sums[r].low, offset);
        sums[r].high = wasm_i32x4_add(sums[r].high, offset);
      }
    }
    add_products(count, tile->rows, tile->columns + column * tile->depth, tile->depth, sums);
    const struct eight multipliers = {wasm_v128_load(tile->multipliers + column),
                                      wasm_v128_load(tile->multipliers + column + 4)};
    const size_t left = tile->num_columns - column;
    if (left >= product_columns) {
      requantize_rows(&to, sums, count, multipliers, tile->output + column, tile->output_stride);
    } else {
      int8_t all[product_rows * product_columns];
      requantize_rows(&to, sums, count, multipliers, all, product_columns);
      copy_block(all, tile->output + column, tile->output_stride, count, left);
    }
  }
}

void product_qs8(const struct product_tile* tile) {
#define CASE(count)       \
  case count:             \
    compute(tile, count); \
    break
  switch (tile->count) {
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
  }
#undef CASE
}

void product_row_sums(const int16_t* rows, size_t count, size_t depth, int32_t* sums) {
  for (size_t r = 0; r < count; r++) {
    v128_t sum = wasm_i32x4_const_splat(0);
    for (size_t i = 0; i < depth; i += 8) {
      sum = wasm_i32x4_add(sum, wasm_i32x4_extadd_pairwise_i16x8(wasm_v128_load(rows)));
      rows += 8;
    }
    sums[r] = wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) + wasm_i32x4_extract_lane(sum, 2) +
              wasm_i32x4_extract_lane(sum, 3);
  }
}

void product_clear(int16_t* to) {
  wasm_v128_store(to, wasm_i16x8_const_splat(0));
}

INLINE void widen_eight(const int8_t* from, v128_t zero, int16_t* to) {
  wasm_v128_store(to, wasm_i16x8_sub(wasm_i16x8_load8x8(from), zero));
}

void product_widen(const int8_t* from, size_t count, int8_t zero_point, int16_t* to) {
  const v128_t zero = wasm_i16x8_splat(zero_point);
  if (count < 8) {
#pragma clang loop vectorize(disable)
    for (size_t i = 0; i < count; i++) {
      to[i] = (int16_t)(from[i] - zero_point);
    }
    return;
  }
  for (size_t i = 0; i + 8 < count; i += 8) {
    widen_eight(from + i, zero, to + i);
  }
  widen_eight(from + count - 8, zero, to + count - 8);
}
