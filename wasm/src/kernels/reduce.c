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

/* Rows below reduce_long_row are read side by side, as many as a vector has lanes; below this length, element by element. */
enum { short_row = 16 };
/* A row's sums, vectors that wait less for each other than fewer would; what each takes before they are added up. */
enum { sums_of_row = 8, turns_per_block = 64 };
/* Rows that are added up before they meet the sums of columns, and vectors of these that are side by side. */
enum { rows_per_turn = 32, vectors_per_turn = 8 };

INLINE size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

typedef float f32x4 __attribute__((vector_size(16), aligned(4)));
typedef int32_t i32x4 __attribute__((vector_size(16), aligned(4)));
typedef int64_t i64x2 __attribute__((vector_size(16), aligned(8)));

/* What an operation makes of elements, and how it combines them. */
enum operation { add, add_magnitudes, add_squares, multiply, take_greater, take_lesser };

/* The kernel `name` of an operation on the elements that the template is included for. */
#define KERNEL(name, operation)                                                                             \
  static void NAMED(name##_begin)(struct reduce_sums * sums, size_t count) {                                \
    NAMED(begin)(operation, sums, count);                                                                   \
  }                                                                                                         \
  static void NAMED(name##_rows)(const void* input, size_t length, size_t stride, size_t count,             \
                                 struct reduce_sums* sums) {                                                \
    NAMED(rows)(operation, input, length, stride, count, sums);                                             \
  }                                                                                                         \
  static void NAMED(name##_columns)(const void* input, size_t length, size_t stride, size_t count,          \
                                    struct reduce_sums* sums) {                                             \
    NAMED(columns)(operation, input, length, stride, count, sums);                                          \
  }                                                                                                         \
  static void NAMED(name##_merge)(struct reduce_sums * sums, const struct reduce_sums* other, size_t first, \
                                  size_t count) {                                                           \
    NAMED(merge)(operation, sums, other, first, count);                                                     \
  }                                                                                                         \
  const struct reduce_kernel NAMED(name) = {                                                                \
      .element_size = sizeof(ELEMENT),                                                                      \
      .begin = NAMED(name##_begin),                                                                         \
      .rows = NAMED(name##_rows),                                                                           \
      .columns = NAMED(name##_columns),                                                                     \
      .merge = NAMED(name##_merge),                                                                         \
  };

#define ELEMENT float
#define VECTOR f32x4
#define LANES 4
#define NAMED(name) name##_f32
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define MAGNITUDE(a) ((f32x4)wasm_v128_andnot((v128_t)(a), SIMD_CONSTANT(sign))) /* V8 makes wasm_f32x4_abs of three */
/* A NaN of a stays, one of b is put in; V8 takes eight instructions for WebAssembly's own maximum of float32. */
#define OR_NAN(b, value) ((f32x4)wasm_v128_or(value, wasm_f32x4_ne((v128_t)(b), (v128_t)(b))))
#define GREATER(a, b) OR_NAN(b, wasm_f32x4_pmax((v128_t)(a), (v128_t)(b)))
#define LESSER(a, b) OR_NAN(b, wasm_f32x4_pmin((v128_t)(a), (v128_t)(b)))
#include "kernels/reduce_template.h"

#define ELEMENT int32_t
#define VECTOR i32x4
#define LANES 4
#define NAMED(name) name##_i32
#define LOWEST INT32_MIN
#define HIGHEST INT32_MAX
#define MAGNITUDE(a) __builtin_elementwise_abs(a)
#define GREATER(a, b) __builtin_elementwise_max(a, b)
#define LESSER(a, b) __builtin_elementwise_min(a, b)
#include "kernels/reduce_template.h"

#define ELEMENT int64_t
#define VECTOR i64x2
#define LANES 2
#define NAMED(name) name##_i64
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#define MAGNITUDE(a) __builtin_elementwise_abs(a)
#define GREATER(a, b) __builtin_elementwise_max(a, b)
#define LESSER(a, b) __builtin_elementwise_min(a, b)
#include "kernels/reduce_template.h"

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

/* Up to four elements, and -inf for those that miss. */
INLINE v128_t load_of(const float* from, size_t count) {
  v128_t value = wasm_f32x4_const_splat(-INFINITY);
  if (count >= 4) {
    return wasm_v128_load(from);
  }
  memcpy(&value, from, count * sizeof(float));
  return value;
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

/* The greatest of a row, in all lanes. */
INLINE v128_t greatest_of(const float* row, size_t length) {
  v128_t maxima[simd_most];
  const size_t count = simd_most;
  SIMD_EACH(i) maxima[i] = wasm_f32x4_splat(-INFINITY);
  size_t at = 0;
  for (; at + 4 * simd_most <= length; at += 4 * simd_most) {
    SIMD_EACH(i) maxima[i] = wasm_f32x4_pmax(maxima[i], wasm_v128_load(row + at + 4 * i));
  }
  for (; at < length; at += 4) {
    maxima[0] = wasm_f32x4_pmax(maxima[0], load_of(row + at, length - at));
  }
  v128_t all = wasm_f32x4_pmax(wasm_f32x4_pmax(maxima[0], maxima[1]), wasm_f32x4_pmax(maxima[2], maxima[3]));
  all = wasm_f32x4_pmax(all, wasm_i32x4_shuffle(all, all, 2, 3, 0, 1));
  return wasm_f32x4_pmax(all, wasm_i32x4_shuffle(all, all, 1, 0, 3, 2));
}

/* The sum of a row's powers relative to `center`, in four parts. */
INLINE v128_t powers_of(const float* row, size_t length, v128_t center) {
  v128_t sums[simd_most], x[simd_most];
  const size_t count = simd_most;
  SIMD_EACH(i) sums[i] = wasm_f32x4_const_splat(0.0f);
  size_t at = 0;
  for (; at + 4 * simd_most <= length; at += 4 * simd_most) {
    SIMD_EACH(i) x[i] = wasm_f32x4_sub(wasm_v128_load(row + at + 4 * i), center);
    simd_exp_each(x, simd_most);
    SIMD_EACH(i) sums[i] = wasm_f32x4_add(sums[i], x[i]);
  }
  for (; at < length; at += 4) {
    sums[0] = wasm_f32x4_add(sums[0], simd_exp(wasm_f32x4_sub(load_of(row + at, length - at), center)));
  }
  return wasm_f32x4_add(wasm_f32x4_add(sums[0], sums[1]), wasm_f32x4_add(sums[2], sums[3]));
}

static void log_sum_exp_rows(const void* input, size_t length, size_t stride, size_t count, struct reduce_sums* sums) {
  enum { block = 1024 };
  for (size_t i = 0; i < count; i++) {
    const float* row = (const float*)input + i * stride;
    float* sum = (float*)sums->sums + i;
    for (size_t from = 0; from < length; from += block) {
      const size_t now = least(block, length - from);
      const v128_t maximum = greatest_of(row + from, now);
      struct sum_exp total = {wasm_f32x4_splat(*sum), wasm_f32x4_splat(sums->maxima[i])};
      /* Of nothing so far, nothing has to be brought to the new maximum. */
      total =
          *sum == 0.0f ? (struct sum_exp){total.sum, wasm_f32x4_pmax(total.maximum, maximum)} : raised(total, maximum);
      v128_t powers = powers_of(row + from, now, bounded(total.maximum));
      powers = wasm_f32x4_add(powers, wasm_i32x4_shuffle(powers, powers, 2, 3, 0, 1));
      powers = wasm_f32x4_add(powers, wasm_i32x4_shuffle(powers, powers, 1, 0, 3, 2));
      *sum = wasm_f32x4_extract_lane(wasm_f32x4_add(total.sum, powers), 0);
      sums->maxima[i] = wasm_f32x4_extract_lane(total.maximum, 0);
    }
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
