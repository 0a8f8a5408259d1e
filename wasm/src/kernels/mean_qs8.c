#include "kernels/mean_qs8.h"

#include <wasm_simd128.h>

#include "sizes.h"

/* Bytes of a vector, and so many of them fit the sum of 16 bits: 255 * 128 < 2^15. */
enum { vector = 16, most_rows = 255 };

static void add_to(int32_t* sums, v128_t low, v128_t high) {
  const v128_t wide[4] = {
      wasm_i32x4_extend_low_i16x8(low),
      wasm_i32x4_extend_high_i16x8(low),
      wasm_i32x4_extend_low_i16x8(high),
      wasm_i32x4_extend_high_i16x8(high),
  };
  for (size_t i = 0; i < 4; i++) {
    wasm_v128_store(sums + 4 * i, wasm_i32x4_add(wasm_v128_load(sums + 4 * i), wide[i]));
  }
}

void sum_columns_qs8(const int8_t* input, size_t rows, size_t stride, size_t columns, int32_t* sums) {
  for (size_t column = 0; column < columns; column++) {
    sums[column] = 0;
  }
  for (size_t begin = 0; begin < rows; begin += most_rows) {
    const size_t end = smaller(begin + most_rows, rows);
    size_t column = 0;
    for (; column + vector <= columns; column += vector) {
      v128_t low = wasm_i16x8_const_splat(0), high = low;
      for (size_t row = begin; row < end; row++) {
        const v128_t x = wasm_v128_load(input + row * stride + column);
        low = wasm_i16x8_add(low, wasm_i16x8_extend_low_i8x16(x));
        high = wasm_i16x8_add(high, wasm_i16x8_extend_high_i8x16(x));
      }
      add_to(sums + column, low, high);
    }
    for (; column < columns; column++) {
      for (size_t row = begin; row < end; row++) {
        sums[column] += input[row * stride + column];
      }
    }
  }
}

int32_t sum_row_qs8(const int8_t* input, size_t count) {
  v128_t sums = wasm_i32x4_const_splat(0);
  size_t at = 0;
  for (; at + vector <= count; at += vector) {
    const v128_t pairs = wasm_i16x8_extadd_pairwise_i8x16(wasm_v128_load(input + at));
    sums = wasm_i32x4_add(sums, wasm_i32x4_extadd_pairwise_i16x8(pairs));
  }
  int32_t sum = wasm_i32x4_extract_lane(sums, 0) + wasm_i32x4_extract_lane(sums, 1) + wasm_i32x4_extract_lane(sums, 2) +
                wasm_i32x4_extract_lane(sums, 3);
  for (; at < count; at++) {
    sum += input[at];
  }
  return sum;
}

/* Four means as int32s. */
static inline v128_t mean_four(v128_t sums, const struct mean_scaling* scaling) {
  const v128_t centered = wasm_f32x4_convert_i32x4(wasm_i32x4_sub(sums, wasm_i32x4_splat(scaling->offset)));
  const v128_t rounded = wasm_f32x4_nearest(wasm_f32x4_mul(centered, wasm_f32x4_splat(scaling->factor)));
  const v128_t mean = wasm_f32x4_add(rounded, wasm_f32x4_splat(scaling->zero));
  const v128_t min = wasm_f32x4_splat(scaling->min), max = wasm_f32x4_splat(scaling->max);
  return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_pmin(max, wasm_f32x4_pmax(min, mean)));
}

void means_qs8(const int32_t* sums, size_t count, const struct mean_scaling* scaling, int8_t* means) {
  for (size_t i = 0; i < count; i += 8) {
    const v128_t low = mean_four(wasm_v128_load(sums + i), scaling);
    const v128_t high = mean_four(wasm_v128_load(sums + i + 4), scaling);
    const v128_t wide = wasm_i16x8_narrow_i32x4(low, high);
    wasm_v128_store64_lane(means + i, wasm_i8x16_narrow_i16x8(wide, wide), 0);
  }
}
