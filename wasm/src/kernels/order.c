#include "kernels/order.h"

#include <string.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

typedef float f32x4 __attribute__((vector_size(16), aligned(4)));
typedef double f64x2 __attribute__((vector_size(16), aligned(8)));
typedef int32_t i32x4 __attribute__((vector_size(16), aligned(4)));
typedef int64_t i64x2 __attribute__((vector_size(16), aligned(8)));

#define FROM_0_4 {0, 1, 2, 3}
#define FROM_0_2 {0, 1}
#define SPLAT_4(value) {value, value, value, value}
#define SPLAT_2(value) {value, value}
/* The lanes moved up by one or by half of them, `below` before them; the lanes turned round; the last lane in all. */
#define UP_1_4(v, below) __builtin_shufflevector(v, below, 4, 0, 1, 2)
#define UP_HALF_4(v, below) __builtin_shufflevector(v, below, 4, 5, 0, 1)
#define TURNED_4(v) __builtin_shufflevector(v, v, 3, 2, 1, 0)
#define LAST_4(v) __builtin_shufflevector(v, v, 3, 3, 3, 3)
/* The lanes with their halves, or with all neighbours, changed round. */
#define HALVES_4(v) __builtin_shufflevector(v, v, 2, 3, 0, 1)
#define NEIGHBOURS_4(v) __builtin_shufflevector(v, v, 1, 0, 3, 2)
#define HALVES_2(v) (v)
#define NEIGHBOURS_2(v) TURNED_2(v)
#define UP_1_2(v, below) __builtin_shufflevector(v, below, 2, 0)
#define UP_HALF_2(v, below) (below)
#define TURNED_2(v) __builtin_shufflevector(v, v, 1, 0)
#define LAST_2(v) __builtin_shufflevector(v, v, 1, 1)

/* A mask's lanes as bits. */
#define BITS_4(mask) wasm_i32x4_bitmask((v128_t)(mask))
#define BITS_2(mask) wasm_i64x2_bitmask((v128_t)(mask))

#define GREATER(a, b) ((a) > (b))
#define GREATER_OR_EQUAL(a, b) ((a) >= (b))
#define LESS(a, b) ((a) < (b))
#define LESS_OR_EQUAL(a, b) ((a) <= (b))

/* Where a mask's bits are set a, elsewhere b. */
#define CHOSEN(mask, a, b) ((__typeof__(b))simd_select((v128_t)(a), (v128_t)(b), (v128_t)(mask)))

/* Vectors of a row that go on side by side, as choices wait for each other; rows of columns that meet the best so far together. */
enum { together = 4 };
/* Rows below this length go on side by side, too. */
enum { long_row = 1024 };

/*
 * The best element is the first, until one is `better`, which NaN never is. In a row each lane of some vectors has a best of its own;
 * among equals the place counts that is preferred.
 */
#define EXTREME(name, element, vector, indices, lanes, better, strictly, prefers)                                \
                                                                                                                 \
  /* Of two in each lane the better, the preferred among equals. */                                              \
  INLINE void name##_meet(vector* best, indices* place, vector other, indices at) {                              \
    const indices is_equal = (indices)(other == *best) & (indices)prefers(at, *place);                           \
    const indices is_better = (indices)strictly(other, *best) | is_equal;                                        \
    *best = CHOSEN(is_better, other, *best);                                                                     \
    *place = CHOSEN(is_better, at, *place);                                                                      \
  }                                                                                                              \
  INLINE void name##_next(vector* best, indices* place, vector next, indices at) {                               \
    const indices is_better = (indices)better(next, *best);                                                      \
    *best = CHOSEN(is_better, next, *best);                                                                      \
    *place = CHOSEN(is_better, at, *place);                                                                      \
  }                                                                                                              \
  static int64_t name##_row(const element* in, size_t length) {                                                  \
    if (length < lanes) {                                                                                        \
      size_t best = 0;                                                                                           \
      for (size_t i = 1; i < length; i++) {                                                                      \
        best = better(in[i], in[best]) ? i : best;                                                               \
      }                                                                                                          \
      return (int64_t)best;                                                                                      \
    }                                                                                                            \
    const indices steps = FROM_0_##lanes;                                                                        \
    vector bests[together];                                                                                      \
    indices places[together], now = steps;                                                                       \
    for (size_t t = 0; t < together; t++) {                                                                      \
      bests[t] = (vector){0} + in[0];                                                                            \
      places[t] = (indices){0};                                                                                  \
    }                                                                                                            \
    size_t i = 0;                                                                                                \
    for (; i + together * lanes <= length; i += together * lanes) {                                              \
      _Pragma("unroll") for (size_t t = 0; t < together; t++, now += lanes) {                                    \
        name##_next(&bests[t], &places[t], *(const vector*)(in + i + t * lanes), now);                           \
      }                                                                                                          \
    }                                                                                                            \
    _Pragma("unroll") for (size_t t = 1; t < together; t++) {                                                    \
      name##_meet(&bests[0], &places[0], bests[t], places[t]);                                                   \
    }                                                                                                            \
    for (; i < length; i += lanes) { /* the last vector ends with the row */                                     \
      const size_t at = i + lanes <= length ? i : length - lanes;                                                \
      name##_next(&bests[0], &places[0], *(const vector*)(in + at), steps + (__typeof__(now[0]))at);             \
    }                                                                                                            \
    name##_meet(&bests[0], &places[0], HALVES_##lanes(bests[0]), HALVES_##lanes(places[0]));                     \
    name##_meet(&bests[0], &places[0], NEIGHBOURS_##lanes(bests[0]), NEIGHBOURS_##lanes(places[0]));             \
    return places[0][0];                                                                                         \
  }                                                                                                              \
  /* The same of as many rows side by side as a vector has lanes, each of a vector's elements at least. */       \
  INLINE void name##_abreast(const element* in, size_t length, int64_t* output) {                                \
    const indices steps = FROM_0_##lanes;                                                                        \
    vector bests[lanes], best;                                                                                   \
    indices places[lanes], place, now = steps;                                                                   \
    _Pragma("unroll") for (size_t r = 0; r < lanes; r++) {                                                       \
      bests[r] = (vector){0} + in[r * length];                                                                   \
      places[r] = (indices){0};                                                                                  \
    }                                                                                                            \
    for (size_t i = 0; i < length; i += lanes, now += lanes) { /* the last vectors end with the rows */          \
      const size_t past = i + lanes <= length ? 0 : i + lanes - length;                                          \
      const indices at = now - (__typeof__(now[0]))past;                                                         \
      _Pragma("unroll") for (size_t r = 0; r < lanes; r++) {                                                     \
        name##_next(&bests[r], &places[r], *(const vector*)(in + r * length + i - past), at);                    \
      }                                                                                                          \
    }                                                                                                            \
    _Pragma("unroll") for (size_t lane = 0; lane < lanes; lane++) {                                              \
      vector other;                                                                                              \
      indices at;                                                                                                \
      _Pragma("unroll") for (size_t r = 0; r < lanes; r++) {                                                     \
        other[r] = bests[r][lane];                                                                               \
        at[r] = places[r][lane];                                                                                 \
      }                                                                                                          \
      if (lane == 0) {                                                                                           \
        best = other;                                                                                            \
        place = at;                                                                                              \
      } else {                                                                                                   \
        name##_meet(&best, &place, other, at);                                                                   \
      }                                                                                                          \
    }                                                                                                            \
    for (size_t r = 0; r < lanes; r++) {                                                                         \
      output[r] = place[r];                                                                                      \
    }                                                                                                            \
  }                                                                                                              \
  /* Rows from the j-th on, `rows` of them, against the bests so far. */                                         \
  INLINE void name##_turn(const element* in, size_t stride, size_t rows, size_t j, size_t count, element* bests, \
                          __typeof__((indices){0}[0])* places) {                                                 \
    size_t i = 0;                                                                                                \
    for (; i + lanes <= count; i += lanes) {                                                                     \
      vector best = *(const vector*)(bests + i);                                                                 \
      indices place = *(const indices*)(places + i);                                                             \
      _Pragma("unroll") for (size_t r = 0; r < rows; r++) {                                                      \
        const vector next = *(const vector*)(in + r * stride + i);                                               \
        const indices is_better = (indices)better(next, best);                                                   \
        best = CHOSEN(is_better, next, best);                                                                    \
        place = CHOSEN(is_better, (indices){0} + (__typeof__((indices){0}[0]))(j + r), place);                   \
      }                                                                                                          \
      *(vector*)(bests + i) = best;                                                                              \
      *(indices*)(places + i) = place;                                                                           \
    }                                                                                                            \
    for (; i < count; i++) {                                                                                     \
      for (size_t r = 0; r < rows; r++) {                                                                        \
        if (better(in[r * stride + i], bests[i])) {                                                              \
          bests[i] = in[r * stride + i];                                                                         \
          places[i] = (__typeof__(places[0]))(j + r);                                                            \
        }                                                                                                        \
      }                                                                                                          \
    }                                                                                                            \
  }                                                                                                              \
  static void name(const void* input, size_t length, size_t stride, size_t count, int64_t* output) {             \
    const element* in = input;                                                                                   \
    if (stride == 1) {                                                                                           \
      size_t i = 0;                                                                                              \
      for (; length >= lanes && length < long_row && i + lanes <= count; i += lanes) {                           \
        name##_abreast(in + i * length, length, output + i);                                                     \
      }                                                                                                          \
      for (; i < count; i++) {                                                                                   \
        output[i] = name##_row(in + i * length, length);                                                         \
      }                                                                                                          \
      return;                                                                                                    \
    }                                                                                                            \
    element bests[order_columns];                                                                                \
    __typeof__((indices){0}[0]) places[order_columns] = {0};                                                     \
    memcpy(bests, in, count * sizeof(element));                                                                  \
    size_t j = 1;                                                                                                \
    for (; j + together <= length; j += together) {                                                              \
      name##_turn(in + j * stride, stride, together, j, count, bests, places);                                   \
    }                                                                                                            \
    for (; j < length; j++) {                                                                                    \
      name##_turn(in + j * stride, stride, 1, j, count, bests, places);                                          \
    }                                                                                                            \
    for (size_t i = 0; i < count; i++) {                                                                         \
      output[i] = places[i];                                                                                     \
    }                                                                                                            \
  }

/* The k best so far are a heap, whose root is the worst of them; in the end it is taken apart from the root on. */
#define TOP(name, element, vector, indices, lanes, strictly)                                                          \
                                                                                                                      \
  INLINE bool name##_before(element a, int64_t at_a, element b, int64_t at_b) {                                       \
    return strictly(a, b) || (a == b && at_a < at_b);                                                                 \
  }                                                                                                                   \
  /* Lets an element sink to its place below `root`. */                                                               \
  INLINE void name##_sink(element* values, int64_t* places, size_t size, size_t root, element value, int64_t place) { \
    for (;;) {                                                                                                        \
      size_t child = 2 * root + 1;                                                                                    \
      if (child >= size) {                                                                                            \
        break;                                                                                                        \
      }                                                                                                               \
      if (child + 1 < size && name##_before(values[child], places[child], values[child + 1], places[child + 1])) {    \
        child++;                                                                                                      \
      }                                                                                                               \
      if (!name##_before(value, place, values[child], places[child])) {                                               \
        break;                                                                                                        \
      }                                                                                                               \
      values[root] = values[child];                                                                                   \
      places[root] = places[child];                                                                                   \
      root = child;                                                                                                   \
    }                                                                                                                 \
    values[root] = value;                                                                                             \
    places[root] = place;                                                                                             \
  }                                                                                                                   \
  static void name(const void* input, size_t length, size_t k, void* out_values, int64_t* places) {                   \
    const element* in = input;                                                                                        \
    element* values = out_values;                                                                                     \
    for (size_t i = 0; i < k; i++) {                                                                                  \
      values[i] = in[i];                                                                                              \
      places[i] = (int64_t)i;                                                                                         \
    }                                                                                                                 \
    for (size_t root = k / 2; root-- > 0;) {                                                                          \
      name##_sink(values, places, k, root, values[root], places[root]);                                               \
    }                                                                                                                 \
    size_t i = k;                                                                                                     \
    for (; i + together * lanes <= length; i += together * lanes) {                                                   \
      /* What isn't before the worst is passed over, some vectors at a time. */                                       \
      const vector worst = (vector){0} + values[0];                                                                   \
      indices are_before[together], any = {0};                                                                        \
      _Pragma("unroll") for (size_t t = 0; t < together; t++) {                                                       \
        are_before[t] = (indices)strictly(*(const vector*)(in + i + t * lanes), worst);                               \
        any |= are_before[t];                                                                                         \
      }                                                                                                               \
      if (!wasm_v128_any_true((v128_t)any)) {                                                                         \
        continue;                                                                                                     \
      }                                                                                                               \
      uint32_t left = 0;                                                                                              \
      _Pragma("unroll") for (size_t t = 0; t < together; t++) {                                                       \
        left |= (uint32_t)BITS_##lanes(are_before[t]) << t * lanes;                                                   \
      }                                                                                                               \
      for (; left != 0; left &= left - 1) {                                                                           \
        const size_t at = i + (size_t)__builtin_ctz(left);                                                            \
        if (strictly(in[at], values[0])) {                                                                            \
          name##_sink(values, places, k, 0, in[at], (int64_t)at);                                                     \
        }                                                                                                             \
      }                                                                                                               \
    }                                                                                                                 \
    for (; i < length; i++) {                                                                                         \
      if (strictly(in[i], values[0])) {                                                                               \
        name##_sink(values, places, k, 0, in[i], (int64_t)i);                                                         \
      }                                                                                                               \
    }                                                                                                                 \
    for (size_t size = k; size-- > 1;) {                                                                              \
      const element value = values[size];                                                                             \
      const int64_t place = places[size];                                                                             \
      values[size] = values[0];                                                                                       \
      places[size] = places[0];                                                                                       \
      name##_sink(values, places, size, 0, value, place);                                                             \
    }                                                                                                                 \
  }

/*
 * Results of `operator`, under which `neutral` changes nothing. In a row two vectors' own come first, by two steps each, so that
 * vectors wait for each other for one operation only. Of columns, sums go down several rows at a time.
 */
#define RUNNING(name, element, vector, lanes, operator, neutral)                                                              \
  /* A vector's own results. */                                                                                               \
  INLINE vector name##_own(vector x) {                                                                                        \
    const vector nothing = SPLAT_##lanes(neutral);                                                                            \
    x = x operator UP_1_##lanes(x, nothing);                                                                                  \
    return x operator UP_HALF_##lanes(x, nothing);                                                                            \
  }                                                                                                                           \
  INLINE void name##_row(const element* in, size_t length, bool exclusive, bool reverse, element* out) {                      \
    const vector nothing = SPLAT_##lanes(neutral);                                                                            \
    vector carry = nothing;                                                                                                   \
    size_t i = 0;                                                                                                             \
    for (; i + 2 * lanes <= length; i += 2 * lanes) {                                                                         \
      const size_t at = reverse ? length - i - lanes : i, then = reverse ? at - lanes : at + lanes;                           \
      const vector a = *(const vector*)(in + at), b = *(const vector*)(in + then);                                            \
      const vector first = name##_own(reverse ? TURNED_##lanes(a) : a), all_first = LAST_##lanes(first);                      \
      const vector second = all_first operator name##_own(reverse ? TURNED_##lanes(b) : b);                                   \
      const vector from_a = carry operator(exclusive ? UP_1_##lanes(first, nothing) : first);                                 \
      const vector from_b = carry operator(exclusive ? UP_1_##lanes(second, all_first) : second);                             \
      carry = carry operator LAST_##lanes(second);                                                                            \
      *(vector*)(out + at) = reverse ? TURNED_##lanes(from_a) : from_a;                                                       \
      *(vector*)(out + then) = reverse ? TURNED_##lanes(from_b) : from_b;                                                     \
    }                                                                                                                         \
    element so_far = carry[0];                                                                                                \
    for (; i < length; i++) {                                                                                                 \
      const size_t at = reverse ? length - i - 1 : i;                                                                         \
      const element next = in[at];                                                                                            \
      out[at] = exclusive ? so_far : so_far operator next;                                                                    \
      so_far = so_far operator next;                                                                                          \
    }                                                                                                                         \
  }                                                                                                                           \
  /* The results of `rows` rows, and of `vectors` vectors of columns, from `to` on; `in` is what meets the results before. */ \
  INLINE void name##_block(const element* in, ptrdiff_t step, ptrdiff_t rows, size_t vectors, element* to) {                  \
    vector so_far[2];                                                                                                         \
    _Pragma("unroll") for (size_t v = 0; v < vectors; v++) {                                                                  \
      so_far[v] = *(const vector*)(to - step + v * lanes);                                                                    \
    }                                                                                                                         \
    _Pragma("unroll") for (ptrdiff_t r = 0; r < rows; r++) {                                                                  \
      _Pragma("unroll") for (size_t v = 0; v < vectors; v++) {                                                                \
        so_far[v] = so_far[v] operator * (const vector*)(in + r * step + v * lanes);                                          \
        *(vector*)(to + r * step + v * lanes) = so_far[v];                                                                    \
      }                                                                                                                       \
    }                                                                                                                         \
  }                                                                                                                           \
  INLINE void name##_turn(const element* in, ptrdiff_t step, ptrdiff_t rows, size_t count, element* to) {                     \
    size_t i = 0;                                                                                                             \
    for (; i + 2 * lanes <= count; i += 2 * lanes) {                                                                          \
      name##_block(in + i, step, rows, 2, to + i);                                                                            \
    }                                                                                                                         \
    for (; i + lanes <= count; i += lanes) {                                                                                  \
      name##_block(in + i, step, rows, 1, to + i);                                                                            \
    }                                                                                                                         \
    for (; i < count; i++) {                                                                                                  \
      for (ptrdiff_t r = 0; r < rows; r++) {                                                                                  \
        to[r * step + (ptrdiff_t)i] = to[(r - 1) * step + (ptrdiff_t)i] operator in[r * step + (ptrdiff_t)i];                 \
      }                                                                                                                       \
    }                                                                                                                         \
  }                                                                                                                           \
  static void name(const void* input, size_t length, size_t stride, size_t count, bool exclusive, bool reverse,               \
                   void* output) {                                                                                            \
    const element* in = input;                                                                                                \
    element* out = output;                                                                                                    \
    if (stride == 1 && exclusive) {                                                                                           \
      name##_row(in, length, true, reverse, out);                                                                             \
      return;                                                                                                                 \
    }                                                                                                                         \
    if (stride == 1 && reverse) {                                                                                             \
      name##_row(in, length, false, true, out);                                                                               \
      return;                                                                                                                 \
    }                                                                                                                         \
    if (stride == 1) {                                                                                                        \
      name##_row(in, length, false, false, out);                                                                              \
      return;                                                                                                                 \
    }                                                                                                                         \
    const ptrdiff_t step = reverse ? -(ptrdiff_t)stride : (ptrdiff_t)stride;                                                  \
    if (reverse) {                                                                                                            \
      in += (length - 1) * stride;                                                                                            \
      out += (length - 1) * stride;                                                                                           \
    }                                                                                                                         \
    for (size_t i = 0; i < count; i++) {                                                                                      \
      out[i] = exclusive ? (neutral) : in[i];                                                                                 \
    }                                                                                                                         \
    in += exclusive ? 0 : step;                                                                                               \
    out += step;                                                                                                              \
    size_t left = length - 1;                                                                                                 \
    for (; left >= together; left -= together, in += together * step, out += together * step) {                               \
      name##_turn(in, step, together, count, out);                                                                            \
    }                                                                                                                         \
    for (; left > 0; left--, in += step, out += step) {                                                                       \
      name##_turn(in, step, 1, count, out);                                                                                   \
    }                                                                                                                         \
  }

#define KERNEL(name, element, vector, indices, lanes)                                                      \
                                                                                                           \
  EXTREME(name##_first_greatest, element, vector, indices, lanes, GREATER, GREATER, LESS)                  \
  EXTREME(name##_last_greatest, element, vector, indices, lanes, GREATER_OR_EQUAL, GREATER, GREATER)       \
  EXTREME(name##_first_least, element, vector, indices, lanes, LESS, LESS, LESS)                           \
  EXTREME(name##_last_least, element, vector, indices, lanes, LESS_OR_EQUAL, LESS, GREATER)                \
  TOP(name##_greatest, element, vector, indices, lanes, GREATER)                                           \
  TOP(name##_least, element, vector, indices, lanes, LESS)                                                 \
  RUNNING(name##_sums, element, vector, lanes, +, 0)                                                       \
  RUNNING(name##_products, element, vector, lanes, *, 1)                                                   \
  static const struct order_kernel name = {                                                                \
      .element_size = sizeof(element),                                                                     \
      .extreme = {{name##_first_greatest, name##_last_greatest}, {name##_first_least, name##_last_least}}, \
      .top = {name##_greatest, name##_least},                                                              \
      .running = {name##_sums, name##_products},                                                           \
  };

KERNEL(order_f32, float, f32x4, i32x4, 4)
KERNEL(order_f64, double, f64x2, i64x2, 2)
KERNEL(order_i32, int32_t, i32x4, i32x4, 4)
KERNEL(order_i64, int64_t, i64x2, i64x2, 2)

const struct order_kernel* order_choose(enum pyxnn_element element) {
  switch (element) {
    case pyxnn_float32:
      return &order_f32;
    case pyxnn_float64:
      return &order_f64;
    case pyxnn_int32:
      return &order_i32;
    case pyxnn_int64:
      return &order_i64;
    default:
      return NULL;
  }
}
