/*
 * Blocks are read once and in order, by vectors. A row adds to several sums at a time, as additions wait for each other; of
 * columns several rows are added up before they meet the sums. Both keep sums short, which is what makes them exact.
 */
#include "kernels/reduce.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/elementary.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows shorter than this are read four at a time, element by element. */
enum { short_row = 16 };
/* Vectors that each of a row's four sums takes before they are added up. */
enum { turns_per_block = 64 };
/* Rows that are added up before they meet the sums of columns; a power of two. */
enum { rows_per_turn = 8 };

INLINE size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

typedef float f32x4 __attribute__((vector_size(16), aligned(4)));
typedef int32_t i32x4 __attribute__((vector_size(16), aligned(4)));
typedef int64_t i64x2 __attribute__((vector_size(16), aligned(8)));

#define SPLAT_4(value) {value, value, value, value}
#define SPLAT_2(value) {value, value}
#define GATHER_4(in, stride) {(in)[0], (in)[stride], (in)[2 * (stride)], (in)[3 * (stride)]}
#define GATHER_2(in, stride) {(in)[0], (in)[stride]}
/* All lanes together in lane 0. */
#define FOLD_4(vector, combine, v)                           \
  v = combine(v, __builtin_shufflevector(v, v, 2, 3, 0, 1)); \
  v = combine(v, __builtin_shufflevector(v, v, 1, 0, 3, 2))
#define FOLD_2(vector, combine, v) v = combine(v, __builtin_shufflevector(v, v, 1, 0))

#define ITSELF(x) (x)
#define SQUARE(x) ((x) * (x))
#define ABS_FLOAT(x) ((f32x4)wasm_f32x4_abs((v128_t)(x)))
#define ABS_INT(x) __builtin_elementwise_abs(x)
#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
#define MAX_FLOAT(a, b) ((f32x4)wasm_f32x4_max((v128_t)(a), (v128_t)(b)))
#define MIN_FLOAT(a, b) ((f32x4)wasm_f32x4_min((v128_t)(a), (v128_t)(b)))
#define MAX_INT(a, b) __builtin_elementwise_max(a, b)
#define MIN_INT(a, b) __builtin_elementwise_min(a, b)

/*
 * A kernel that combines what `map` makes of each element.
 * @param lanes    of a vector: 2 or 4
 * @param nothing  the value that changes nothing when combined, before and after `map`
 */
#define KERNEL(name, element, vector, lanes, nothing, map, combine)                                                    \
  INLINE vector name##_load(const element* from, size_t count) {                                                       \
    vector value = SPLAT_##lanes(nothing);                                                                             \
    if (count >= lanes) {                                                                                              \
      return *(const vector*)from;                                                                                     \
    }                                                                                                                  \
    memcpy(&value, from, count * sizeof(element));                                                                     \
    return value;                                                                                                      \
  }                                                                                                                    \
  static void name##_begin(struct reduce_sums* sums, size_t count) {                                                   \
    for (size_t i = 0; i < count; i++) {                                                                               \
      ((element*)sums->sums)[i] = nothing;                                                                             \
    }                                                                                                                  \
  }                                                                                                                    \
  INLINE element name##_row(const element* in, size_t length, element sum) {                                           \
    const vector begin = SPLAT_##lanes(nothing);                                                                       \
    vector total = begin;                                                                                              \
    size_t turns = length / (4 * lanes);                                                                               \
    while (turns > 0) {                                                                                                \
      vector a = begin, b = begin, c = begin, d = begin;                                                               \
      const size_t now = least(turns, turns_per_block);                                                                \
      for (size_t turn = 0; turn < now; turn++, in += 4 * lanes) {                                                     \
        const vector* four = (const vector*)in;                                                                        \
        a = combine(a, map(four[0]));                                                                                  \
        b = combine(b, map(four[1]));                                                                                  \
        c = combine(c, map(four[2]));                                                                                  \
        d = combine(d, map(four[3]));                                                                                  \
      }                                                                                                                \
      const vector ab = combine(a, b), cd = combine(c, d), block = combine(ab, cd);                                    \
      total = combine(total, block);                                                                                   \
      turns -= now;                                                                                                    \
    }                                                                                                                  \
    for (size_t left = length % (4 * lanes); left > 0; left -= least(left, lanes), in += lanes) {                      \
      const vector last = name##_load(in, left);                                                                       \
      total = combine(total, map(last));                                                                               \
    }                                                                                                                  \
    FOLD_##lanes(vector, combine, total);                                                                              \
    const vector before = SPLAT_##lanes(sum);                                                                          \
    return combine(before, total)[0];                                                                                  \
  }                                                                                                                    \
  static void name##_rows(const void* input, size_t length, size_t stride, size_t count, struct reduce_sums* all) {    \
    const element* in = input;                                                                                         \
    element* sums = (element*)all->sums;                                                                               \
    size_t i = 0;                                                                                                      \
    for (; length < short_row && i + lanes <= count; i += lanes, in += lanes * stride) {                               \
      vector sum = *(vector*)(sums + i);                                                                               \
      for (size_t j = 0; j < length; j++) {                                                                            \
        const vector one = GATHER_##lanes(in + j, stride);                                                             \
        sum = combine(sum, map(one));                                                                                  \
      }                                                                                                                \
      *(vector*)(sums + i) = sum;                                                                                      \
    }                                                                                                                  \
    for (; i < count; i++, in += stride) {                                                                             \
      sums[i] = name##_row(in, length, sums[i]);                                                                       \
    }                                                                                                                  \
  }                                                                                                                    \
  INLINE void name##_turn(const element* in, size_t length, size_t stride, size_t left, element* sum) {                \
    vector turn[rows_per_turn];                                                                                        \
    for (size_t j = 0; j < length; j++) {                                                                              \
      const vector one = name##_load(in + j * stride, left);                                                           \
      turn[j] = map(one);                                                                                              \
    }                                                                                                                  \
    for (size_t half = length / 2; half > 0; half /= 2) {                                                              \
      for (size_t j = 0; j < half; j++) {                                                                              \
        turn[j] = combine(turn[j], turn[j + half]);                                                                    \
      }                                                                                                                \
    }                                                                                                                  \
    *(vector*)sum = combine(*(vector*)sum, turn[0]);                                                                   \
  }                                                                                                                    \
  INLINE void name##_turns(const element* in, size_t length, size_t stride, size_t count, element* sums) {             \
    size_t i = 0;                                                                                                      \
    for (; i + lanes <= count; i += lanes) {                                                                           \
      name##_turn(in + i, length, stride, lanes, sums + i);                                                            \
    }                                                                                                                  \
    if (i < count) {                                                                                                   \
      name##_turn(in + i, length, stride, count - i, sums + i);                                                        \
    }                                                                                                                  \
  }                                                                                                                    \
  static void name##_columns(const void* input, size_t length, size_t stride, size_t count, struct reduce_sums* all) { \
    const element* in = input;                                                                                         \
    element* sums = (element*)all->sums;                                                                               \
    for (; length >= rows_per_turn; length -= rows_per_turn, in += rows_per_turn * stride) {                           \
      name##_turns(in, rows_per_turn, stride, count, sums);                                                            \
    }                                                                                                                  \
    for (; length > 0; length--, in += stride) {                                                                       \
      name##_turns(in, 1, stride, count, sums);                                                                        \
    }                                                                                                                  \
  }                                                                                                                    \
  static void name##_merge(struct reduce_sums* all, const struct reduce_sums* other, size_t first, size_t count) {     \
    element* sums = (element*)all->sums;                                                                               \
    const element* others = (const element*)other->sums + first;                                                       \
    for (size_t i = 0; i < count; i += lanes) {                                                                        \
      *(vector*)(sums + i) = combine(*(vector*)(sums + i), *(const vector*)(others + i));                              \
    }                                                                                                                  \
  }                                                                                                                    \
  const struct reduce_kernel name = {                                                                                  \
      .element_size = sizeof(element),                                                                                 \
      .begin = name##_begin,                                                                                           \
      .rows = name##_rows,                                                                                             \
      .columns = name##_columns,                                                                                       \
      .merge = name##_merge,                                                                                           \
  };

KERNEL(reduce_sum_f32, float, f32x4, 4, 0, ITSELF, ADD)
KERNEL(reduce_sum_abs_f32, float, f32x4, 4, 0, ABS_FLOAT, ADD)
KERNEL(reduce_sum_square_f32, float, f32x4, 4, 0, SQUARE, ADD)
KERNEL(reduce_product_f32, float, f32x4, 4, 1, ITSELF, MULTIPLY)
KERNEL(reduce_maximum_f32, float, f32x4, 4, -INFINITY, ITSELF, MAX_FLOAT)
KERNEL(reduce_minimum_f32, float, f32x4, 4, INFINITY, ITSELF, MIN_FLOAT)

KERNEL(reduce_sum_i32, int32_t, i32x4, 4, 0, ITSELF, ADD)
KERNEL(reduce_sum_abs_i32, int32_t, i32x4, 4, 0, ABS_INT, ADD)
KERNEL(reduce_sum_square_i32, int32_t, i32x4, 4, 0, SQUARE, ADD)
KERNEL(reduce_product_i32, int32_t, i32x4, 4, 1, ITSELF, MULTIPLY)
KERNEL(reduce_maximum_i32, int32_t, i32x4, 4, INT32_MIN, ITSELF, MAX_INT)
KERNEL(reduce_minimum_i32, int32_t, i32x4, 4, INT32_MAX, ITSELF, MIN_INT)

KERNEL(reduce_sum_i64, int64_t, i64x2, 2, 0, ITSELF, ADD)
KERNEL(reduce_sum_abs_i64, int64_t, i64x2, 2, 0, ABS_INT, ADD)
KERNEL(reduce_sum_square_i64, int64_t, i64x2, 2, 0, SQUARE, ADD)
KERNEL(reduce_product_i64, int64_t, i64x2, 2, 1, ITSELF, MULTIPLY)
KERNEL(reduce_maximum_i64, int64_t, i64x2, 2, INT64_MIN, ITSELF, MAX_INT)
KERNEL(reduce_minimum_i64, int64_t, i64x2, 2, INT64_MAX, ITSELF, MIN_INT)

/*
 * Sums of powers of e relative to the greatest exponent so far; when a greater one turns up, the sum is brought to it. What
 * powers are relative to is finite, so that nothing becomes inf - inf.
 */
struct sum_exp {
  v128_t sum, maximum;
};

INLINE v128_t bounded(v128_t x) {
  return simd_clamp(x, wasm_f32x4_splat(-FLT_MAX), wasm_f32x4_splat(FLT_MAX));
}

INLINE struct sum_exp raised(struct sum_exp to, v128_t maximum) {
  const v128_t greatest = wasm_f32x4_pmax(to.maximum, maximum);
  const v128_t factor = simd_exp(wasm_f32x4_sub(bounded(to.maximum), bounded(greatest)));
  return (struct sum_exp){wasm_f32x4_mul(to.sum, factor), greatest};
}

INLINE struct sum_exp joined(struct sum_exp a, struct sum_exp b) {
  const struct sum_exp at_a = raised(a, b.maximum), at_b = raised(b, a.maximum);
  return (struct sum_exp){wasm_f32x4_add(at_a.sum, at_b.sum), at_a.maximum};
}

/* Less than four elements, and -inf for those that miss. */
INLINE v128_t load_of(const float* from, size_t count) {
  f32x4 value = SPLAT_4(-INFINITY);
  if (count >= 4) {
    return wasm_v128_load(from);
  }
  memcpy(&value, from, count * sizeof(float));
  return (v128_t)value;
}

static void log_sum_exp_begin(struct reduce_sums* sums, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ((float*)sums->sums)[i] = 0.0f;
    sums->maxima[i] = -INFINITY;
  }
}

INLINE struct sum_exp sums_at(const struct reduce_sums* sums, size_t i) {
  return (struct sum_exp){wasm_v128_load((const float*)sums->sums + i), wasm_v128_load(sums->maxima + i)};
}

INLINE void set_sums(struct reduce_sums* sums, size_t i, struct sum_exp to) {
  wasm_v128_store((float*)sums->sums + i, to.sum);
  wasm_v128_store(sums->maxima + i, to.maximum);
}

static void log_sum_exp_rows(const void* input, size_t length, size_t stride, size_t count, struct reduce_sums* sums) {
  enum { block = 1024 };
  const v128_t lowest = wasm_f32x4_splat(-INFINITY);
  for (size_t i = 0; i < count; i++) {
    const float* row = (const float*)input + i * stride;
    struct sum_exp total = {wasm_f32x4_const_splat(0.0f), lowest};
    for (size_t from = 0; from < length; from += block) {
      const size_t end = least(from + block, length);
      v128_t maximum = lowest;
      for (size_t j = from; j < end; j += 4) {
        maximum = wasm_f32x4_pmax(maximum, load_of(row + j, end - j));
      }
      total = raised(total, maximum);
      const v128_t center = bounded(total.maximum);
      v128_t left = wasm_f32x4_const_splat(0.0f);
      for (size_t j = from; j < end; j += 4) {
        left = wasm_f32x4_add(left, simd_exp(wasm_f32x4_sub(load_of(row + j, end - j), center)));
      }
      total.sum = wasm_f32x4_add(total.sum, left);
    }
    total = joined(total, (struct sum_exp){wasm_i32x4_shuffle(total.sum, total.sum, 2, 3, 0, 1),
                                           wasm_i32x4_shuffle(total.maximum, total.maximum, 2, 3, 0, 1)});
    total = joined(total, (struct sum_exp){wasm_i32x4_shuffle(total.sum, total.sum, 1, 0, 3, 2),
                                           wasm_i32x4_shuffle(total.maximum, total.maximum, 1, 0, 3, 2)});
    float* sum = (float*)sums->sums + i;
    total = joined(total, (struct sum_exp){wasm_f32x4_splat(*sum), wasm_f32x4_splat(sums->maxima[i])});
    *sum = wasm_f32x4_extract_lane(total.sum, 0);
    sums->maxima[i] = wasm_f32x4_extract_lane(total.maximum, 0);
  }
}

INLINE void log_sum_exp_turn(const float* in, size_t length, size_t stride, size_t left, struct reduce_sums* sums,
                             size_t i) {
  v128_t maximum = wasm_f32x4_splat(-INFINITY);
  for (size_t j = 0; j < length; j++) {
    maximum = wasm_f32x4_pmax(maximum, load_of(in + j * stride, left));
  }
  struct sum_exp total = raised(sums_at(sums, i), maximum);
  const v128_t center = bounded(total.maximum);
  for (size_t j = 0; j < length; j++) {
    total.sum = wasm_f32x4_add(total.sum, simd_exp(wasm_f32x4_sub(load_of(in + j * stride, left), center)));
  }
  set_sums(sums, i, total);
}

static void log_sum_exp_columns(const void* input, size_t length, size_t stride, size_t count,
                                struct reduce_sums* sums) {
  for (size_t from = 0; from < length; from += rows_per_turn) {
    const size_t rows = least(rows_per_turn, length - from);
    const float* in = (const float*)input + from * stride;
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
      log_sum_exp_turn(in + i, rows, stride, 4, sums, i);
    }
    if (i < count) {
      log_sum_exp_turn(in + i, rows, stride, count - i, sums, i);
    }
  }
}

static void log_sum_exp_merge(struct reduce_sums* sums, const struct reduce_sums* other, size_t first, size_t count) {
  for (size_t i = 0; i < count; i += 4) {
    set_sums(sums, i, joined(sums_at(sums, i), sums_at(other, first + i)));
  }
}

const struct reduce_kernel reduce_log_sum_exp_f32 = {
    .element_size = sizeof(float),
    .begin = log_sum_exp_begin,
    .rows = log_sum_exp_rows,
    .columns = log_sum_exp_columns,
    .merge = log_sum_exp_merge,
};
