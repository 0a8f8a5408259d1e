#include "kernels/resample.h"

#include <math.h>

#include "kernels/simd.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

/* Vectors that are summed side by side, so that additions need not wait for each other. */
enum { num_sums = 4 };

/* Rows whose weights stay in registers. */
enum { few_taps = 4 };

/* Pixels of a row that becomes twice as long: eight that end with it, and four before them. */
enum { least_pixels = 12 };

/* Rows that are added up, and the sums that are made of them. */
struct sums {
  const float* rows;
  size_t stride, taps;
  const float* weights;
  float* output;
  size_t to, count;
};

/*
 * Sums of `vectors` vectors of the rows from float `at` on.
 * @param splats  the weights, NULL where taps are many
 */
INLINE void add_vectors(struct sums sums, const v128_t* splats, size_t at, size_t vectors) {
  v128_t made[num_sums];
  for (size_t t = 0; t < sums.taps; t++) {
    const float* from = sums.rows + t * sums.stride + at;
    for (size_t v = 0; v < vectors; v++) {
      const v128_t value = wasm_v128_load(from + v * 4);
      for (size_t i = 0; i < sums.count; i++) {
        const size_t place = i * sums.taps + t;
        const v128_t weight = splats != NULL ? splats[place] : wasm_v128_load32_splat(sums.weights + place);
        v128_t* sum = &made[v * sums.count + i];
        *sum = t == 0 ? wasm_f32x4_mul(value, weight) : simd_madd(value, weight, *sum);
      }
    }
  }
  for (size_t i = 0; i < sums.count; i++) {
    for (size_t v = 0; v < vectors; v++) {
      wasm_v128_store(sums.output + i * sums.to + at + v * 4, made[v * sums.count + i]);
    }
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

/* Sums of `floats` floats. */
INLINE void add_rows(struct sums sums, bool is_few, size_t floats) {
  v128_t splats[2 * few_taps];
  for (size_t i = 0; is_few && i < sums.count * sums.taps; i++) {
    splats[i] = wasm_v128_load32_splat(sums.weights + i);
  }
  const v128_t* weights = is_few ? splats : NULL;
  const size_t vectors = num_sums / sums.count;
  size_t at = 0;
  for (; at + vectors * 4 <= floats; at += vectors * 4) {
    add_vectors(sums, weights, at, vectors);
  }
  for (; at + 4 <= floats; at += 4) {
    add_vectors(sums, weights, at, 1);
  }
  if (at < floats && floats >= 4) { /* some of them again */
    add_vectors(sums, weights, floats - 4, 1);
  } else if (at < floats) {
    for (size_t i = 0; i < sums.count; i++) {
      add_few(sums.rows, sums.stride, sums.weights + i * sums.taps, sums.taps, sums.output + i * sums.to, floats);
    }
  }
}

INLINE void add_rows_by_taps(struct sums sums, size_t floats) {
  switch (sums.taps) { /* unrolled */
    case 2:
      sums.taps = 2;
      add_rows(sums, true, floats);
      break;
    case 4:
      sums.taps = 4;
      add_rows(sums, true, floats);
      break;
    default:
      add_rows(sums, false, floats);
  }
}

void resample_rows(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t count) {
  add_rows_by_taps((struct sums){rows, stride, taps, weights, output, 0, 1}, count);
}

void resample_two_rows(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t to,
                       size_t count) {
  add_rows_by_taps((struct sums){rows, stride, taps, weights, output, to, 2}, count);
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
    add_rows((struct sums){pixel, row->stride, taps, weights + x * taps, output + x * to, 0, 1}, false, inner);
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

/* The weights of four pixels, or of as many columns; the upper ones first. */
struct quad {
  v128_t weights[4];
};

INLINE struct quad quad_of(v128_t left, v128_t right, const float* across) {
  const v128_t top = wasm_v128_load32_splat(across), bottom = wasm_v128_load32_splat(across + 1);
  return (struct quad){{
      wasm_f32x4_mul(left, top),
      wasm_f32x4_mul(right, top),
      wasm_f32x4_mul(left, bottom),
      wasm_f32x4_mul(right, bottom),
  }};
}

INLINE v128_t add_quad(const struct quad* quad, v128_t a, v128_t b, v128_t c, v128_t d) {
  const v128_t upper = wasm_f32x4_add(wasm_f32x4_mul(quad->weights[0], a), wasm_f32x4_mul(quad->weights[1], b));
  return wasm_f32x4_add(wasm_f32x4_add(upper, wasm_f32x4_mul(quad->weights[2], c)),
                        wasm_f32x4_mul(quad->weights[3], d));
}

/* Sums of whole vectors. */
INLINE void add_quads(const struct quad* quad, const float* a, const float* b, const float* c, const float* d,
                      float* output, size_t vectors) {
  v128_t sums[num_sums];
  for (size_t s = 0; s < vectors; s++) {
    sums[s] = add_quad(quad, wasm_v128_load(a + s * 4), wasm_v128_load(b + s * 4), wasm_v128_load(c + s * 4),
                       wasm_v128_load(d + s * 4));
  }
  for (size_t s = 0; s < vectors; s++) {
    wasm_v128_store(output + s * 4, sums[s]);
  }
}

void resample_quads(const float* top, const float* bottom, const float* across, size_t inner, const int32_t* firsts,
                    const float* weights, float* output, size_t columns) {
  for (size_t x = 0; x < columns; x++, weights += 2, output += inner) {
    const float* a = top + (size_t)firsts[x] * inner;
    const float* c = bottom + (size_t)firsts[x] * inner;
    const struct quad quad = quad_of(wasm_v128_load32_splat(weights), wasm_v128_load32_splat(weights + 1), across);
    const float *b = a + inner, *d = c + inner;
    size_t i = 0;
    for (; i + 16 <= inner; i += 16) {
      add_quads(&quad, a + i, b + i, c + i, d + i, output + i, 4);
    }
    for (; i + 4 <= inner; i += 4) {
      add_quads(&quad, a + i, b + i, c + i, d + i, output + i, 1);
    }
    const size_t left = inner - i;
    if (left > 0) {
      const v128_t upper = simd_load(a + i, left), lower = simd_load(c + i, left);
      const v128_t sum = add_quad(&quad, upper, simd_load(b + i, left), lower, simd_load(d + i, left));
      simd_store(output + i, sum, left);
    }
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
  return divide_up(columns, 4);
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
      four->from = smaller(first, four->from);
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

INLINE void make_fours(const float* row, const uint8_t* table, size_t taps, float* output, size_t columns) {
  const size_t size = four_size(taps);
  size_t x = 0;
  for (; x + 8 <= columns; x += 8, table += 2 * size) {
    wasm_v128_store(output + x, make_four(row, table, taps));
    wasm_v128_store(output + x + 4, make_four(row, table + size, taps));
  }
  for (; x < columns; x += 4, table += size) {
    wasm_v128_store(output + (x + 4 <= columns ? x : columns - 4), make_four(row, table, taps));
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

/* How far the weights of a table may be from those that they stand for. */
static const float rounding = 1e-6f;

/*
 * Whether column `number` of a row is made by the weights `phase` of pixels from `first` on, those at the ends of the row
 * being repeated beyond.
 */
static bool is_made_by(const float* phase, ptrdiff_t first, const int32_t* firsts, const float* weights, size_t taps,
                       size_t number, size_t pixels) {
  const ptrdiff_t last = (ptrdiff_t)pixels - 1;
  for (size_t t = 0; t < taps; t++) {
    const ptrdiff_t pixel = firsts[number] + (ptrdiff_t)t;
    float difference = weights[number * taps + t];
    for (size_t i = 0; i < taps; i++) {
      const ptrdiff_t at = first + (ptrdiff_t)i;
      difference -= (at < 0 ? 0 : at > last ? last : at) == pixel ? phase[i] : 0.0f;
    }
    if (fabsf(difference) > rounding) {
      return false;
    }
  }
  return true;
}

bool resample_find_phases(const int32_t* firsts, const float* weights, size_t taps, size_t pixels, size_t columns,
                          struct resample_phases* phases) {
  if (columns != 2 * pixels || (taps != 2 && taps != 4) || pixels < least_pixels) {
    return false;
  }
  const size_t middle = pixels / 2;
  const float* both = weights + 2 * middle * taps;
  const ptrdiff_t first = firsts[2 * middle] - (ptrdiff_t)middle, half = (ptrdiff_t)taps / 2;
  if (first != -half && first != 1 - half) {
    return false;
  }
  const size_t apart = first == -half ? 1 : 0;
  *phases = (struct resample_phases){.taps = taps, .apart = apart, .weights = both};
  for (size_t t = 0; apart == 1 && t < taps; t++) {
    if (fabsf(both[t] - both[2 * taps - 1 - t]) > rounding) {
      return false;
    }
  }
  for (size_t i = 0; i < columns; i++) {
    const size_t phase = i % 2;
    const ptrdiff_t neighbour = (ptrdiff_t)(i / 2) + first + (ptrdiff_t)(phase * apart);
    if (!is_made_by(both + phase * taps, neighbour, firsts, weights, taps, i, pixels)) {
      return false;
    }
  }
  return true;
}

/* Rows that become one, and their weights; how many is an argument beside it, as compilers must see early what they unroll by. */
struct stack {
  const float* first;
  size_t stride;
  v128_t weights[few_taps];
};

/* Four pixels of the sum of `count` rows. */
INLINE v128_t load_sum(const struct stack* rows, size_t count, size_t at) {
  const float* pixel = rows->first + at;
  if (count == 1) {
    return wasm_v128_load(pixel);
  }
  v128_t sum = wasm_f32x4_mul(wasm_v128_load(pixel), rows->weights[0]);
  for (size_t t = 1; t < count; t++) {
    sum = simd_madd(wasm_v128_load(pixel + t * rows->stride), rows->weights[t], sum);
  }
  return sum;
}

/* Lanes `from` to `from` + 3 of three vectors. */
INLINE v128_t lanes_from(v128_t a, v128_t b, v128_t c, size_t from) {
  switch (from) {
    case 2:
      return wasm_i32x4_shuffle(a, b, 2, 3, 4, 5);
    case 3:
      return wasm_i32x4_shuffle(a, b, 3, 4, 5, 6);
    case 5:
      return wasm_i32x4_shuffle(b, c, 1, 2, 3, 4);
    case 6:
      return wasm_i32x4_shuffle(b, c, 2, 3, 4, 5);
    default:
      return b;
  }
}

/* Both columns of the four pixels `now`; `weights` are those of resample_phases. */
INLINE void put_columns(v128_t before, v128_t now, v128_t behind, const v128_t* weights, size_t taps, size_t apart,
                        float* output) {
  v128_t even = now, odd = now;
  for (size_t t = 0; t < taps + apart; t++) {
    const v128_t value = lanes_from(before, now, behind, 5 - taps / 2 - apart + t);
    if (t < taps) {
      even = t == 0 ? wasm_f32x4_mul(value, weights[0]) : simd_madd(value, weights[t], even);
    }
    if (t >= apart) {
      const v128_t weight = weights[apart == 1 ? taps - t : taps + t];
      odd = t == apart ? wasm_f32x4_mul(value, weight) : simd_madd(value, weight, odd);
    }
  }
  wasm_v128_store(output, wasm_i32x4_shuffle(even, odd, 0, 4, 1, 5));
  wasm_v128_store(output + 4, wasm_i32x4_shuffle(even, odd, 2, 6, 3, 7));
}

/* The columns of one row. */
INLINE void double_row(const struct stack* rows, size_t count, const v128_t* weights, size_t taps, size_t apart,
                       float* output, size_t pixels) {
  size_t at = 0;
  v128_t now = load_sum(rows, count, 0), before = wasm_i32x4_shuffle(now, now, 0, 0, 0, 0);
  for (; at + 12 <= pixels; at += 8) {
    const v128_t next = load_sum(rows, count, at + 4), last = load_sum(rows, count, at + 8);
    put_columns(before, now, next, weights, taps, apart, output + 2 * at);
    put_columns(now, next, last, weights, taps, apart, output + 2 * at + 8);
    before = next;
    now = last;
  }
  if (at + 4 < pixels) { /* the last eight, maybe some of them again */
    at = pixels - 4;
    before = load_sum(rows, count, at - 4);
    now = load_sum(rows, count, at);
    put_columns(load_sum(rows, count, at - 8), before, now, weights, taps, apart, output + 2 * at - 8);
  }
  put_columns(before, now, wasm_i32x4_shuffle(now, now, 3, 3, 3, 3), weights, taps, apart, output + 2 * at);
}

/* Rows of `count` rows each. */
INLINE void double_rows(const struct resample_stack* from, size_t count, const float* phases, size_t taps, size_t apart,
                        float* output, size_t number) {
  v128_t columns[2 * few_taps];
  for (size_t i = 0; i < (apart == 1 ? taps : 2 * taps); i++) {
    columns[i] = wasm_v128_load32_splat(phases + i);
  }
  const size_t pixels = from->stride;
  const float* weights = from->weights;
  struct stack rows;
  rows.stride = pixels;
  for (size_t y = 0; y < number; y++, weights += count, output += 2 * pixels) {
    rows.first = from->image + (size_t)from->firsts[y] * pixels;
    for (size_t t = 0; count > 1 && t < count; t++) {
      rows.weights[t] = wasm_v128_load32_splat(weights + t);
    }
    double_row(&rows, count, columns, taps, apart, output, pixels);
  }
}

/* Functions of their own, as one that has them all in it spends as long on its own registers as on a short row. */
#define DEFINE_DOUBLE(name, count, taps, apart)                                                            \
  static void name(const struct resample_stack* rows, const float* phases, float* output, size_t number) { \
    double_rows(rows, count, phases, taps, apart, output, number);                                         \
  }

DEFINE_DOUBLE(double_row_by_2, 1, 2, 0)
DEFINE_DOUBLE(double_row_by_4, 1, 4, 0)
DEFINE_DOUBLE(double_row_by_2_apart, 1, 2, 1)
DEFINE_DOUBLE(double_row_by_4_apart, 1, 4, 1)
DEFINE_DOUBLE(double_rows_by_2, 2, 2, 0)
DEFINE_DOUBLE(double_rows_by_4, 4, 4, 0)
DEFINE_DOUBLE(double_rows_by_2_apart, 2, 2, 1)
DEFINE_DOUBLE(double_rows_by_4_apart, 4, 4, 1)

void resample_phases(const struct resample_stack* rows, const struct resample_phases* phases, float* output,
                     size_t number) {
  static void (*const kernels[2][2][2])(const struct resample_stack*, const float*, float*, size_t) = {
      {{double_row_by_2, double_row_by_4}, {double_row_by_2_apart, double_row_by_4_apart}},
      {{double_rows_by_2, double_rows_by_4}, {double_rows_by_2_apart, double_rows_by_4_apart}},
  };
  kernels[rows->taps > 1][phases->apart][phases->taps > 2](rows, phases->weights, output, number);
}

INLINE v128_t make_quad_four(const float* top, const float* bottom, const float* across, const uint8_t* record) {
  const struct four* four = (const struct four*)record;
  const v128_t places = four->places;
  const v128_t* planes = (const v128_t*)(four + 1);
  const struct quad quad = quad_of(planes[0], planes[1], across);
  v128_t pixels[4];
  for (size_t t = 0; t < 2; t++) {
    pixels[t] = simd_pick_bytes(wasm_v128_load(top + four->from + t), places);
    pixels[2 + t] = simd_pick_bytes(wasm_v128_load(bottom + four->from + t), places);
  }
  return add_quad(&quad, pixels[0], pixels[1], pixels[2], pixels[3]);
}

void resample_quad_fours(const float* top, const float* bottom, const float* across, const void* table, float* output,
                         size_t columns) {
  const uint8_t* record = table;
  for (size_t x = 0; x < columns; x += 4, record += four_size(2)) {
    wasm_v128_store(output + (x + 4 <= columns ? x : columns - 4), make_quad_four(top, bottom, across, record));
  }
}
