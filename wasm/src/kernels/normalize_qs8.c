#include "kernels/normalize_qs8.h"

#include "kernels/bytes.h"
#include "kernels/simd.h"
#include "sizes.h"

/* So many numbers have sums of 32 bits: 2^17 products of 2^14 in each of four lanes, less one. */
enum { numbers_per_sum = 1 << 18 };

static int64_t sum_of_lanes(v128_t sums) {
  return (int64_t)wasm_i32x4_extract_lane(sums, 0) + wasm_i32x4_extract_lane(sums, 1) +
         wasm_i32x4_extract_lane(sums, 2) + wasm_i32x4_extract_lane(sums, 3);
}

struct sums_qs8 sums_of_row_qs8(const int8_t* input, size_t length) {
  struct sums_qs8 all = {0};
  for (size_t begin = 0; begin < length; begin += numbers_per_sum) {
    const size_t end = smaller(begin + numbers_per_sum, length);
    v128_t sums = wasm_i32x4_const_splat(0), squares = sums;
    for (size_t at = begin; at < end; at += bytes_per_turn) {
      const v128_t x = bytes_load(input + at, end - at);
      const v128_t low = wasm_i16x8_extend_low_i8x16(x), high = wasm_i16x8_extend_high_i8x16(x);
      sums = wasm_i32x4_add(sums, wasm_i32x4_extadd_pairwise_i16x8(wasm_i16x8_add(low, high)));
      squares = wasm_i32x4_add(squares, wasm_i32x4_dot_i16x8(low, low));
      squares = wasm_i32x4_add(squares, wasm_i32x4_dot_i16x8(high, high));
    }
    all.sum += sum_of_lanes(sums);
    all.squares += sum_of_lanes(squares);
  }
  return all;
}

void normalize_row_qs8(const int8_t* input, size_t length, float center, float factor, const float* scale,
                       const float* bias, const struct requantizer* to, int8_t* output) {
  const v128_t centers = wasm_f32x4_splat(center), factors = wasm_f32x4_splat(factor);
  for (size_t at = 0; at < length; at += bytes_per_turn) {
    const size_t left = length - at;
    struct sixteen x = bytes_widen(bytes_load(input + at, left));
    for (size_t i = 0; i < 4; i++) {
      const size_t lanes = left > 4 * i ? left - 4 * i : 0;
      const v128_t centered = wasm_f32x4_sub(wasm_f32x4_convert_i32x4(x.four[i]), centers);
      x.four[i] = simd_madd(wasm_f32x4_mul(centered, factors), simd_load(scale + at + 4 * i, lanes),
                            simd_load(bias + at + 4 * i, lanes));
    }
    bytes_store(to, &x, output + at, left);
  }
}
