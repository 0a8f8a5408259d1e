#include "kernels/attention.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/elementary.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

enum { most_panels = 4 };

void attention_pack_rows(const float* rows, size_t stride, size_t count, size_t length, float* panel) {
  if (count < attention_columns) {
    memset(panel, 0, length * attention_columns * sizeof(*panel));
  }
  for (size_t first = 0; first < count; first += 4) {
    const float* row = rows + first * stride;
    const size_t left = count - first;
    size_t i = 0;
    for (; left >= 4 && i + 4 <= length; i += 4) {
      const v128_t a = wasm_v128_load(row + i);
      const v128_t b = wasm_v128_load(row + stride + i);
      const v128_t c = wasm_v128_load(row + 2 * stride + i);
      const v128_t d = wasm_v128_load(row + 3 * stride + i);
      const v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5);
      const v128_t ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
      const v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
      const v128_t cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
      float* to = panel + i * attention_columns + first;
      wasm_v128_store(to, wasm_i64x2_shuffle(ab_low, cd_low, 0, 2));
      wasm_v128_store(to + attention_columns, wasm_i64x2_shuffle(ab_low, cd_low, 1, 3));
      wasm_v128_store(to + 2 * attention_columns, wasm_i64x2_shuffle(ab_high, cd_high, 0, 2));
      wasm_v128_store(to + 3 * attention_columns, wasm_i64x2_shuffle(ab_high, cd_high, 1, 3));
    }
    for (; i < length; i++) {
      for (size_t j = 0; j < 4 && j < left; j++) {
        panel[i * attention_columns + first + j] = row[j * stride + i];
      }
    }
  }
}

/* Some panels, from a column on, of which `wanted` columns count. */
INLINE void product(size_t count, const float* const* rows, const float* panel, size_t panel_stride, size_t stride,
                    size_t streams, size_t apart, size_t length, const float* factors, float* const* outputs,
                    size_t column, size_t panels, size_t wanted, bool more) {
  v128_t sums[attention_rows][2 * most_panels];
#pragma unroll
  for (size_t r = 0; r < count; r++) {
#pragma unroll
    for (size_t v = 0; v < 2 * panels; v++) {
      sums[r][v] = wasm_f32x4_const_splat(0.0f);
    }
  }
  for (size_t i = 0; i < length; i++, panel += stride) {
#pragma unroll
    for (size_t s = 0; s < streams; s++) {
      const float* stream = panel + s * apart * stride;
      v128_t elements[attention_rows];
#pragma unroll
      for (size_t r = 0; r < count; r++) {
        elements[r] = wasm_v128_load32_splat(rows[r] + s * apart + i);
      }
#pragma unroll
      for (size_t v = 0; v < 2 * panels; v++) {
        const v128_t values = wasm_v128_load(stream + v / 2 * panel_stride + v % 2 * 4);
#pragma unroll
        for (size_t r = 0; r < count; r++) {
          sums[r][v] = simd_madd(elements[r], values, sums[r][v]);
        }
      }
    }
  }
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    const v128_t factor = wasm_f32x4_splat(factors[r]);
#pragma unroll
    for (size_t v = 0; v < 2 * panels; v++) {
      if (v * 4 < wanted) {
        float* to = outputs[r] + column + v * 4;
        const v128_t before = more ? simd_load(to, wanted - v * 4) : wasm_f32x4_const_splat(0.0f);
        simd_store(to, simd_madd(sums[r][v], factor, before), wanted - v * 4);
      }
    }
  }
}

/* So many panels at a time that sums needn't wait for each other. */
INLINE void products(size_t count, size_t panels, const float* const* rows, const float* panel, size_t panel_stride,
                     size_t stride, size_t streams, size_t apart, size_t length, const float* factors,
                     float* const* outputs, size_t columns, bool more) {
  const size_t together = panels * attention_columns;
  size_t column = 0;
  for (; column + together <= columns; column += together, panel += panels * panel_stride) {
    if (panel_stride == attention_columns) { /* a constant distance: one pointer is enough */
      product(count, rows, panel, attention_columns, stride, streams, apart, length, factors, outputs, column, panels,
              together, more);
    } else {
      product(count, rows, panel, panel_stride, stride, streams, apart, length, factors, outputs, column, panels,
              together, more);
    }
  }
  for (; column < columns; column += attention_columns, panel += panel_stride) {
    const size_t left = columns - column;
    product(count, rows, panel, 0, stride, streams, apart, length, factors, outputs, column, 1,
            smaller(left, attention_columns), more);
  }
}

void attention_products(size_t count, const float* const* rows, const float* panel, size_t panel_stride, size_t stride,
                        size_t length, const float* factors, float* const* outputs, size_t columns, bool more) {
#define CASE(n, panels)                                                                                    \
  case n:                                                                                                  \
    products(n, panels, rows, panel, panel_stride, stride, 1, 0, length, factors, outputs, columns, more); \
    break
  switch (count) { /* of three rows, two panels are more than V8 keeps in registers */
    CASE(1, 4);
    CASE(2, 2);
    CASE(3, 1);
    CASE(4, 1);
  }
#undef CASE
}

void attention_product_of_streams(const float* row, const float* panel, size_t panel_stride, size_t stride,
                                  size_t apart, size_t length, float factor, float* output, size_t columns, bool more) {
  products(1, 4, &row, panel, panel_stride, stride, attention_streams, apart, length, &factor, &output, columns, more);
}

static inline float sum_lanes(v128_t a) {
  a = wasm_f32x4_add(a, wasm_i64x2_shuffle(a, a, 1, 0));
  return wasm_f32x4_extract_lane(a, 0) + wasm_f32x4_extract_lane(a, 1);
}

/* The sums of the lanes of four vectors. */
INLINE v128_t sum_lanes_of_four(v128_t a, v128_t b, v128_t c, v128_t d) {
  const v128_t ab = wasm_f32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
  const v128_t cd = wasm_f32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
  return wasm_f32x4_add(wasm_i64x2_shuffle(ab, cd, 0, 2), wasm_i64x2_shuffle(ab, cd, 1, 3));
}

/* Dot products of rows with four others that lie so far apart. */
INLINE void dots_of_four(size_t count, const float* const* rows, const float* others, size_t apart, size_t length,
                         v128_t* results) {
  enum { together = 4 };
  const size_t chains = count == 1 ? 2 : 1; /* so that no sum waits for itself */
  v128_t sums[2][attention_rows][together] = {0};
  size_t i = 0;
  for (; i + 4 * chains <= length; i += 4 * chains) {
#pragma unroll
    for (size_t c = 0; c < chains; c++) {
#pragma unroll
      for (size_t j = 0; j < together; j++) {
        const v128_t other = wasm_v128_load(others + j * apart + i + c * 4);
#pragma unroll
        for (size_t r = 0; r < count; r++) {
          sums[c][r][j] = simd_madd(wasm_v128_load(rows[r] + i + c * 4), other, sums[c][r][j]);
        }
      }
    }
  }
  for (; i < length; i += 4) {
#pragma unroll
    for (size_t j = 0; j < together; j++) {
      const v128_t other = simd_load(others + j * apart + i, length - i);
#pragma unroll
      for (size_t r = 0; r < count; r++) {
        sums[0][r][j] = simd_madd(simd_load(rows[r] + i, length - i), other, sums[0][r][j]);
      }
    }
  }
#pragma unroll
  for (size_t r = 0; r < count; r++) {
#pragma unroll
    for (size_t j = 0; j < together; j++) {
      sums[0][r][j] = chains == 2 ? wasm_f32x4_add(sums[0][r][j], sums[1][r][j]) : sums[0][r][j];
    }
    results[r] = sum_lanes_of_four(sums[0][r][0], sums[0][r][1], sums[0][r][2], sums[0][r][3]);
  }
}

static float dot(const float* a, const float* b, size_t length) {
  v128_t sum = wasm_f32x4_const_splat(0.0f);
  for (size_t i = 0; i < length; i += 4) {
    sum = simd_madd(simd_load(a + i, length - i), simd_load(b + i, length - i), sum);
  }
  return sum_lanes(sum);
}

INLINE void dots(size_t rows_count, const float* const* rows, const float* others, size_t stride, size_t count,
                 size_t length, float factor, float* const* outputs, size_t at) {
  const v128_t factors = wasm_f32x4_splat(factor);
  size_t j = 0;
  for (; j + 4 <= count; j += 4) {
    v128_t results[attention_rows];
    dots_of_four(rows_count, rows, others + j * stride, stride, length, results);
#pragma unroll
    for (size_t r = 0; r < rows_count; r++) {
      wasm_v128_store(outputs[r] + at + j, wasm_f32x4_mul(results[r], factors));
    }
  }
  for (; j < count; j++) {
    for (size_t r = 0; r < rows_count; r++) {
      outputs[r][at + j] = dot(rows[r], others + j * stride, length) * factor;
    }
  }
}

/* Four vectors, a lane of each for a stream, to the streams' places; `count` of them are there. */
INLINE void store_streams(const v128_t* results, size_t count, float* output, size_t apart) {
  const v128_t ab_low = wasm_i32x4_shuffle(results[0], results[1], 0, 4, 1, 5);
  const v128_t ab_high = wasm_i32x4_shuffle(results[0], results[1], 2, 6, 3, 7);
  const v128_t cd_low = wasm_i32x4_shuffle(results[2], results[3], 0, 4, 1, 5);
  const v128_t cd_high = wasm_i32x4_shuffle(results[2], results[3], 2, 6, 3, 7);
  simd_store(output, wasm_i64x2_shuffle(ab_low, cd_low, 0, 2), count);
  simd_store(output + apart, wasm_i64x2_shuffle(ab_low, cd_low, 1, 3), count);
  simd_store(output + 2 * apart, wasm_i64x2_shuffle(ab_high, cd_high, 0, 2), count);
  simd_store(output + 3 * apart, wasm_i64x2_shuffle(ab_high, cd_high, 1, 3), count);
}

/* Of one row, which does little with each of the others: read in streams. */
static void dots_of_row(const float* row, const float* others, size_t stride, size_t count, size_t length, float factor,
                        float* output) {
  enum { together = 4 };
  const v128_t factors = wasm_f32x4_splat(factor);
  const size_t apart = count / attention_streams;
  for (size_t j = 0; j < apart; j += together) {
    const size_t left = apart - j;
    v128_t results[together];
    for (size_t k = 0; k < smaller(left, together); k++) {
      dots_of_four(1, &row, others + (j + k) * stride, apart * stride, length, results + k);
      results[k] = wasm_f32x4_mul(results[k], factors);
    }
    store_streams(results, left, output + j, apart);
  }
  for (size_t j = apart * attention_streams; j < count; j++) {
    output[j] = dot(row, others + j * stride, length) * factor;
  }
}

void attention_dots(size_t rows_count, const float* const* rows, const float* others, size_t stride, size_t count,
                    size_t length, float factor, float* const* outputs, size_t at) {
  switch (rows_count) {
    case 1:
      dots_of_row(rows[0], others, stride, count, length, factor, outputs[0] + at);
      break;
    case 3:
      dots(3, rows, others, stride, count, length, factor, outputs, at);
      break;
    case 4: /* more sums than registers */
      dots(2, rows + 2, others, stride, count, length, factor, outputs + 2, at);
      [[fallthrough]];
    default:
      dots(2, rows, others, stride, count, length, factor, outputs, at);
  }
}

/* All bits set in the first `count` lanes. */
static inline v128_t first_lanes(size_t count) {
  return wasm_i32x4_lt(wasm_i32x4_const(0, 1, 2, 3), wasm_i32x4_splat(count < 4 ? (int)count : 4));
}

/* All bits set in the lanes of the first `count` bytes, at most four, that aren't zero. */
static inline v128_t lanes_of(const uint8_t* bits, size_t count) {
  uint32_t bytes = 0;
  memcpy(&bytes, bits, smaller(count, 4));
  const v128_t wide = wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_u32x4_splat(bytes)));
  return wasm_i32x4_ne(wide, wasm_i32x4_const_splat(0));
}

/* What scores become before the softmax; `left` of them are there, at most four count. */
INLINE v128_t scored(v128_t score, bool capped, float softcap, const float* mask, const uint8_t* mask_bits,
                     size_t left) {
  if (capped) {
    const v128_t cap = wasm_f32x4_splat(softcap);
    score = wasm_f32x4_mul(simd_tanh(wasm_f32x4_div(score, cap)), cap);
  }
  if (mask != NULL) {
    score = wasm_f32x4_add(score, simd_load(mask, left));
  }
  if (mask_bits != NULL) {
    score = wasm_v128_bitselect(score, wasm_f32x4_splat(-INFINITY), lanes_of(mask_bits, left));
  }
  return score;
}

/* Applies `scored` to all; returns the greatest in each lane. */
INLINE v128_t score_all(float* scores, size_t count, bool capped, float softcap, const float* mask,
                        const uint8_t* mask_bits) {
  const v128_t lowest = wasm_f32x4_splat(-INFINITY);
  v128_t greatest = lowest;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const v128_t score = scored(wasm_v128_load(scores + i), capped, softcap, mask == NULL ? NULL : mask + i,
                                mask_bits == NULL ? NULL : mask_bits + i, 4);
    wasm_v128_store(scores + i, score);
    greatest = wasm_f32x4_pmax(greatest, score);
  }
  if (i < count) {
    v128_t score = scored(wasm_v128_load(scores + i), capped, softcap, mask == NULL ? NULL : mask + i,
                          mask_bits == NULL ? NULL : mask_bits + i, count - i);
    score = wasm_v128_bitselect(score, lowest, first_lanes(count - i));
    wasm_v128_store(scores + i, score);
    greatest = wasm_f32x4_pmax(greatest, score);
  }
  return greatest;
}

static v128_t score_any(float* scores, size_t count, float softcap, const float* mask, const uint8_t* mask_bits) {
  const bool capped = softcap != 0.0f;
  if (mask != NULL) {
    return capped ? score_all(scores, count, true, softcap, mask, NULL)
                  : score_all(scores, count, false, 0.0f, mask, NULL);
  }
  if (mask_bits != NULL) {
    return capped ? score_all(scores, count, true, softcap, NULL, mask_bits)
                  : score_all(scores, count, false, 0.0f, NULL, mask_bits);
  }
  return capped ? score_all(scores, count, true, softcap, NULL, NULL)
                : score_all(scores, count, false, 0.0f, NULL, NULL);
}

float attention_weights(float* scores, size_t count, float softcap, const float* mask, const uint8_t* mask_bits) {
  v128_t greatest = score_any(scores, count, softcap, mask, mask_bits);
  greatest = wasm_f32x4_pmax(greatest, wasm_i64x2_shuffle(greatest, greatest, 1, 0));
  greatest = wasm_f32x4_pmax(greatest, wasm_i32x4_shuffle(greatest, greatest, 1, 0, 3, 2));
  if (wasm_f32x4_extract_lane(greatest, 0) == -INFINITY) {
    memset(scores, 0, rounded_up(count, 4) * sizeof(*scores));
    return 0.0f;
  }
  v128_t sums[simd_most], x[simd_most];
  enum { together = simd_most };
  for (size_t j = 0; j < together; j++) {
    sums[j] = wasm_f32x4_const_splat(0.0f);
  }
  size_t i = 0;
  for (; i + 4 * together <= count; i += 4 * together) {
#pragma unroll
    for (size_t j = 0; j < together; j++) {
      x[j] = wasm_f32x4_sub(wasm_v128_load(scores + i + 4 * j), greatest);
    }
    simd_exp_of_bounded_each(x, together);
#pragma unroll
    for (size_t j = 0; j < together; j++) {
      wasm_v128_store(scores + i + 4 * j, x[j]);
      sums[j] = wasm_f32x4_add(sums[j], x[j]);
    }
  }
  for (; i < count; i += 4) {
    const v128_t weight = simd_exp(wasm_f32x4_sub(wasm_v128_load(scores + i), greatest));
    const v128_t counting = wasm_v128_and(weight, first_lanes(count - i));
    wasm_v128_store(scores + i, counting);
    sums[0] = wasm_f32x4_add(sums[0], counting);
  }
  return 1.0f / sum_lanes(wasm_f32x4_add(wasm_f32x4_add(sums[0], sums[1]), wasm_f32x4_add(sums[2], sums[3])));
}
