#include "kernels/resample.h"

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* Vectors that are summed side by side, so that additions need not wait for each other. */
enum { num_sums = 4 };

/* Sums of `vectors` vectors of the rows from float `at` on. */
INLINE void add_vectors(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t at,
                        size_t vectors) {
  v128_t sums[num_sums];
  const v128_t first = wasm_v128_load32_splat(weights);
  for (size_t s = 0; s < vectors; s++) {
    sums[s] = wasm_f32x4_mul(wasm_v128_load(rows + at + s * 4), first);
  }
  for (size_t t = 1; t < taps; t++) {
    const v128_t weight = wasm_v128_load32_splat(weights + t);
    const float* from = rows + t * stride + at;
    for (size_t s = 0; s < vectors; s++) {
      sums[s] = simd_madd(wasm_v128_load(from + s * 4), weight, sums[s]);
    }
  }
  for (size_t s = 0; s < vectors; s++) {
    wasm_v128_store(output + at + s * 4, sums[s]);
  }
}

/* Sums of fewer than four floats. */
INLINE void add_few(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t count) {
  v128_t sum = wasm_f32x4_const_splat(0.0f);
  for (size_t t = 0; t < taps; t++) {
    sum = simd_madd(simd_load(rows + t * stride, count), wasm_v128_load32_splat(weights + t), sum);
  }
  simd_store(output, sum, count);
}

INLINE void add_rows(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t count) {
  size_t i = 0;
  for (; i + num_sums * 4 <= count; i += num_sums * 4) {
    add_vectors(rows, stride, weights, taps, output, i, num_sums);
  }
  for (; i + 4 <= count; i += 4) {
    add_vectors(rows, stride, weights, taps, output, i, 1);
  }
  if (i < count && count >= 4) { /* some of them again */
    add_vectors(rows, stride, weights, taps, output, count - 4, 1);
  } else if (i < count) {
    add_few(rows, stride, weights, taps, output, count);
  }
}

void resample_rows(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t count) {
  if (taps == 2) {
    add_rows(rows, stride, weights, 2, output, count);
  } else {
    add_rows(rows, stride, weights, taps, output, count);
  }
}

/* Pixels of fewer than four floats, by whole vectors where these don't reach beyond the row. */
INLINE void make_small_pixels(const struct resample_row* row, size_t inner, const int32_t* firsts, const float* weights,
                              size_t taps, float* output, size_t to, size_t columns) {
  const size_t stride = row->stride, end = row->pixels * stride;
  for (size_t x = 0; x < columns; x++, weights += taps, output += to) {
    const size_t at = (size_t)firsts[x] * stride;
    const float* pixel = row->first + at;
    if (at + (taps - 1) * stride + 4 > end) {
      add_few(pixel, stride, weights, taps, output, inner);
      continue;
    }
    v128_t sum = wasm_f32x4_mul(wasm_v128_load(pixel), wasm_v128_load32_splat(weights));
    for (size_t t = 1; t < taps; t++) {
      sum = simd_madd(wasm_v128_load(pixel + t * stride), wasm_v128_load32_splat(weights + t), sum);
    }
    simd_store(output, sum, inner);
  }
}

INLINE void make_pixels(const struct resample_row* row, size_t inner, const int32_t* firsts, const float* weights,
                        size_t taps, float* output, size_t to, size_t columns) {
  if (inner < 4) {
    make_small_pixels(row, inner, firsts, weights, taps, output, to, columns);
    return;
  }
  for (size_t x = 0; x < columns; x++) {
    const float* pixel = row->first + (size_t)firsts[x] * row->stride;
    add_rows(pixel, row->stride, weights + x * taps, taps, output + x * to, inner);
  }
}

/* The sums of neighbouring lanes, of `a` first. */
static inline v128_t add_pairs(v128_t a, v128_t b) {
  return wasm_f32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

/* Two neighbours of one column, two of the next. */
static inline v128_t two_pairs(const float* row, const int32_t* firsts) {
  return wasm_v128_load64_lane(row + firsts[1], wasm_v128_load64_zero(row + firsts[0]), 1);
}

/* The products of one column, four to be added. */
static inline v128_t products(const float* row, const float* weights, size_t taps) {
  v128_t sum = wasm_f32x4_const_splat(0.0f);
  for (size_t t = 0; t < taps; t += 4) {
    sum = simd_madd(simd_load(row + t, taps - t), simd_load(weights + t, taps - t), sum);
  }
  return sum;
}

/* Pixels of one float. */
static void make_floats(const float* row, const int32_t* firsts, const float* weights, size_t taps, float* output,
                        size_t columns) {
  size_t x = 0;
  for (; taps == 2 && x + 4 <= columns; x += 4) {
    const v128_t low = wasm_f32x4_mul(two_pairs(row, firsts + x), wasm_v128_load(weights + x * 2));
    const v128_t high = wasm_f32x4_mul(two_pairs(row, firsts + x + 2), wasm_v128_load(weights + x * 2 + 4));
    wasm_v128_store(output + x, add_pairs(low, high));
  }
  for (; x + 4 <= columns; x += 4) {
    v128_t sums[4];
    for (size_t i = 0; i < 4; i++) {
      sums[i] = products(row + firsts[x + i], weights + (x + i) * taps, taps);
    }
    wasm_v128_store(output + x, add_pairs(add_pairs(sums[0], sums[1]), add_pairs(sums[2], sums[3])));
  }
  for (; x < columns; x++) {
    float sum = 0.0f;
    for (size_t t = 0; t < taps; t++) {
      sum += row[(size_t)firsts[x] + t] * weights[x * taps + t];
    }
    output[x] = sum;
  }
}

void resample_columns(const struct resample_row* row, size_t inner, const int32_t* firsts, const float* weights,
                      size_t taps, float* output, size_t to, size_t columns) {
  if (inner == 1 && row->stride == 1 && to == 1) {
    make_floats(row->first, firsts, weights, taps, output, columns);
  } else if (taps == 2) {
    make_pixels(row, inner, firsts, weights, 2, output, to, columns);
  } else {
    make_pixels(row, inner, firsts, weights, taps, output, to, columns);
  }
}

/* What stands in the table for each four, before their weights, a vector a tap. */
struct four {
  v128_t places; /* of the bytes of each first neighbour, from pixel `from` on */
  size_t from, padding[3];
};

static size_t four_size(size_t taps) {
  return sizeof(struct four) + taps * sizeof(v128_t);
}

static size_t count_fours(size_t columns) {
  return (columns + 3) / 4;
}

/* The last four end with the row. */
static inline size_t four_column(size_t number, size_t columns) {
  return number * 4 + 4 <= columns ? number * 4 : columns - 4;
}

size_t resample_fours_size(size_t taps, size_t columns) {
  return count_fours(columns) * four_size(taps);
}

bool resample_find_fours(const int32_t* firsts, const float* weights, size_t taps, size_t pixels, size_t columns,
                         void* table) {
  if (columns < 4 || pixels < taps + 3) {
    return false;
  }
  uint8_t* record = table;
  for (size_t i = 0; i < count_fours(columns); i++, record += four_size(taps)) {
    const size_t column = four_column(i, columns);
    struct four* four = (struct four*)record;
    float* planes = (float*)(four + 1);
    four->from = pixels - taps - 3; /* vectors must not reach beyond the row */
    for (size_t lane = 0; lane < 4; lane++) {
      const size_t first = (size_t)firsts[column + lane];
      four->from = first < four->from ? first : four->from;
    }
    uint8_t places[sizeof(v128_t)];
    for (size_t lane = 0; lane < 4; lane++) {
      const size_t place = (size_t)firsts[column + lane] - four->from;
      if (place >= 4) {
        return false;
      }
      for (size_t byte = 0; byte < sizeof(float); byte++) {
        places[lane * sizeof(float) + byte] = (uint8_t)(place * sizeof(float) + byte);
      }
      for (size_t t = 0; t < taps; t++) {
        planes[t * 4 + lane] = weights[(column + lane) * taps + t];
      }
    }
    four->places = wasm_v128_load(places);
  }
  return true;
}

INLINE v128_t make_four(const float* row, const uint8_t* record, size_t taps) {
  const struct four* four = (const struct four*)record;
  const v128_t places = four->places;
  const v128_t* planes = (const v128_t*)(four + 1);
  const float* pixel = row + four->from;
  v128_t sum = wasm_f32x4_mul(simd_pick_bytes(wasm_v128_load(pixel), places), planes[0]);
  for (size_t t = 1; t < taps; t++) {
    sum = simd_madd(simd_pick_bytes(wasm_v128_load(pixel + t), places), planes[t], sum);
  }
  return sum;
}

INLINE void make_fours(const float* row, const uint8_t* record, size_t taps, float* output, size_t columns) {
  const size_t size = four_size(taps);
  size_t x = 0;
  for (; x + 8 <= columns; x += 8, record += 2 * size) {
    wasm_v128_store(output + x, make_four(row, record, taps));
    wasm_v128_store(output + x + 4, make_four(row, record + size, taps));
  }
  for (; x < columns; x += 4, record += size) {
    wasm_v128_store(output + (x + 4 <= columns ? x : columns - 4), make_four(row, record, taps));
  }
}

void resample_fours(const float* row, const void* table, size_t taps, float* output, size_t columns) {
  if (taps == 2) {
    make_fours(row, table, 2, output, columns);
  } else if (taps == 4) {
    make_fours(row, table, 4, output, columns);
  } else {
    make_fours(row, table, taps, output, columns);
  }
}
