#include "kernels/integer_product.h"

#include <string.h>
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))

static inline int32_t byte_at(const uint8_t* row, bool is_signed, size_t i) {
  return is_signed ? (int8_t)row[i] : row[i];
}

/* Eight channels of a row, less its zero point. */
INLINE v128_t load_channels(const uint8_t* row, bool is_signed, size_t i, v128_t zero) {
  if (row == NULL) {
    return wasm_i16x8_const_splat(0);
  }
  return wasm_i16x8_sub(is_signed ? wasm_i16x8_load8x8(row + i) : wasm_u16x8_load8x8(row + i), zero);
}

INLINE void pack_eights(size_t count, const uint8_t* const* rows, const int32_t* zeros, bool is_signed, size_t channels,
                        int16_t* packed) {
  v128_t zero[integer_rows];
  for (size_t r = 0; r < count; r++) {
    zero[r] = wasm_i16x8_splat((int16_t)zeros[r]);
  }
  for (size_t i = 0; i + 8 <= channels; i += 8) {
    int16_t* to = packed + i * count;
    const v128_t a = load_channels(rows[0], is_signed, i, zero[0]);
    if (count == 1) {
      wasm_v128_store(to, a);
      continue;
    }
    const v128_t b = load_channels(rows[1], is_signed, i, zero[1]);
    const v128_t c = load_channels(rows[2], is_signed, i, zero[2]);
    const v128_t d = load_channels(rows[3], is_signed, i, zero[3]);
    const v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
    const v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
    wasm_v128_store(to, wasm_i64x2_shuffle(ab_low, cd_low, 0, 2));
    wasm_v128_store(to + 8, wasm_i64x2_shuffle(ab_low, cd_low, 1, 3));
    wasm_v128_store(to + 16, wasm_i64x2_shuffle(ab_high, cd_high, 0, 2));
    wasm_v128_store(to + 24, wasm_i64x2_shuffle(ab_high, cd_high, 1, 3));
  }
}

void integer_pack_rows(size_t count, const uint8_t* const* rows, const int32_t* zeros, bool is_signed, size_t channels,
                       int16_t* packed) {
  size_t i = 0;
  if (count == 1 || count == integer_rows) {
    if (count == 1 && is_signed) {
      pack_eights(1, rows, zeros, true, channels, packed);
    } else if (count == 1) {
      pack_eights(1, rows, zeros, false, channels, packed);
    } else if (is_signed) {
      pack_eights(integer_rows, rows, zeros, true, channels, packed);
    } else {
      pack_eights(integer_rows, rows, zeros, false, channels, packed);
    }
    i = channels / 8 * 8;
  }
  for (; i < channels; i += 2) {
    for (size_t r = 0; r < count; r++) {
      int16_t* to = packed + i * count + 2 * r;
      to[0] = rows[r] == NULL ? 0 : (int16_t)(byte_at(rows[r], is_signed, i) - zeros[r]);
      to[1] = rows[r] == NULL || i + 1 == channels ? 0 : (int16_t)(byte_at(rows[r], is_signed, i + 1) - zeros[r]);
    }
  }
}

void integer_row_sums(size_t count, size_t pairs, const int16_t* rows, int32_t* sums) {
  if (count == integer_rows) {
    v128_t sum = wasm_i32x4_const_splat(0);
    for (size_t p = 0; p < pairs; p++) {
      sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_load(rows + 8 * p), wasm_i16x8_const_splat(1)));
    }
    wasm_v128_store(sums, sum);
    return;
  }
  memset(sums, 0, count * sizeof(*sums));
  for (size_t p = 0; p < pairs; p++) {
    for (size_t r = 0; r < count; r++) {
      sums[r] += rows[(p * count + r) * 2] + rows[(p * count + r) * 2 + 1];
    }
  }
}

INLINE void products(size_t count, size_t pairs, const int16_t* rows, const int8_t* columns, int32_t* output) {
  v128_t sums[integer_rows][2];
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    sums[r][0] = sums[r][1] = wasm_i32x4_const_splat(0);
  }
#pragma unroll 2
  for (size_t p = 0; p < pairs; p++) {
    const v128_t left = wasm_i16x8_load8x8(columns);
    const v128_t right = wasm_i16x8_load8x8(columns + 8);
    columns += 2 * integer_columns;
#pragma unroll
    for (size_t r = 0; r < count; r++) {
      const v128_t pair = wasm_v128_load32_splat(rows);
      rows += 2;
      sums[r][0] = wasm_i32x4_add(sums[r][0], wasm_i32x4_dot_i16x8(pair, left));
      sums[r][1] = wasm_i32x4_add(sums[r][1], wasm_i32x4_dot_i16x8(pair, right));
    }
  }
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    wasm_v128_store(output + r * integer_columns, sums[r][0]);
    wasm_v128_store(output + r * integer_columns + 4, sums[r][1]);
  }
}

void integer_products(size_t count, size_t pairs, const int16_t* rows, const int8_t* columns, int32_t* output) {
#define CASE(n)                                \
  case n:                                      \
    products(n, pairs, rows, columns, output); \
    break
  switch (count) {
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
  }
#undef CASE
}
