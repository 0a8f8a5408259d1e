#include "kernels/pooling.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* Vectors that are made side by side, so that none waits for another. */
enum { block = 4 };

INLINE v128_t power_of_lanes(v128_t value, float power) {
  return wasm_f32x4_make(powf(wasm_f32x4_extract_lane(value, 0), power), powf(wasm_f32x4_extract_lane(value, 1), power),
                         powf(wasm_f32x4_extract_lane(value, 2), power),
                         powf(wasm_f32x4_extract_lane(value, 3), power));
}

/* What changes no window. */
INLINE v128_t nothing(enum pooling pooling) {
  switch (pooling) {
    case pooling_maximum:
      return wasm_f32x4_const_splat(-FLT_MAX);
    case pooling_maximum_s8:
      return wasm_i8x16_const_splat(INT8_MIN);
    default:
      return wasm_i8x16_const_splat(0);
  }
}

/* What two parts of a window make together. */
INLINE v128_t join(enum pooling pooling, v128_t total, v128_t part) {
  switch (pooling) {
    case pooling_maximum:
      return wasm_f32x4_pmax(total, part);
    case pooling_maximum_u8:
      return wasm_u8x16_max(total, part);
    case pooling_maximum_s8:
      return wasm_i8x16_max(total, part);
    default:
      return wasm_f32x4_add(total, part);
  }
}

/* Whether the first elements of a part stay as they are: compilers keep 0 + x, for which -0 is another number. */
INLINE bool is_taken_over(enum pooling pooling) {
  return pooling == pooling_mean;
}

/* Adds elements of the image to a part. */
INLINE v128_t add(enum pooling pooling, v128_t total, v128_t value, float power) {
  switch (pooling) {
    case pooling_magnitudes:
      return wasm_f32x4_add(total, wasm_f32x4_abs(value));
    case pooling_squares:
      return simd_madd(value, value, total);
    case pooling_powers:
      return wasm_f32x4_add(total, power_of_lanes(wasm_f32x4_abs(value), power));
    default:
      return join(pooling, total, value);
  }
}

struct finish {
  v128_t factor, min, max;
  bool is_bounded;
  float root;
};

static struct finish finish_of(const struct pooling_constants* constants) {
  return (struct finish){.min = wasm_f32x4_splat(constants->min),
                         .max = wasm_f32x4_splat(constants->max),
                         .is_bounded = constants->min != -INFINITY || constants->max != INFINITY,
                         .root = 1.0f / constants->power};
}

INLINE v128_t finish(enum pooling pooling, v128_t total, const struct finish* with) {
  switch (pooling) {
    case pooling_maximum_u8:
      return wasm_u8x16_min(wasm_u8x16_max(total, with->min), with->max);
    case pooling_maximum_s8:
      return wasm_i8x16_min(wasm_i8x16_max(total, with->min), with->max);
    case pooling_mean:
      total = wasm_f32x4_mul(total, with->factor);
      if (!with->is_bounded) { /* as few are */
        return total;
      }
      break;
    case pooling_squares:
      total = wasm_f32x4_sqrt(total);
      break;
    case pooling_powers:
      total = power_of_lanes(total, with->root);
      break;
    default:
      break;
  }
  return simd_clamp(total, with->min, with->max);
}

void pooling_fill(enum pooling pooling, uint8_t* to, size_t bytes) {
  const v128_t value = nothing(pooling);
  size_t i = 0;
  for (; i + 16 <= bytes; i += 16) {
    wasm_v128_store(to + i, value);
  }
  memcpy(to + i, &value, bytes - i);
}

/* Vectors of the rows from byte `at` on, which hold `bytes` bytes, all of them unless there is one. */
INLINE void add_vectors(enum pooling pooling, const struct pooling_rows* rows, size_t planes, size_t height,
                        float power, size_t at, size_t vectors, size_t bytes, uint8_t* to) {
  v128_t totals[block];
  for (size_t v = 0; v < vectors; v++) {
    totals[v] = nothing(pooling);
  }
  const uint8_t* plane = rows->first + at;
  for (size_t z = 0; z < planes; z++, plane += rows->strides[0]) {
    const uint8_t* row = plane;
    for (size_t y = 0; y < height; y++, row += rows->strides[1]) {
      for (size_t v = 0; v < vectors; v++) {
        v128_t value = wasm_i8x16_const_splat(0);
        if (bytes >= 16) {
          value = wasm_v128_load(row + v * 16);
        } else {
          memcpy(&value, row, bytes);
        }
        totals[v] = is_taken_over(pooling) && z + y == 0 ? value : add(pooling, totals[v], value, power);
      }
    }
  }
  for (size_t v = 0; v < vectors; v++) {
    wasm_v128_store(to + at + v * 16, totals[v]);
  }
}

INLINE void add_rows(enum pooling pooling, const struct pooling_rows* rows, size_t planes, size_t height, float power,
                     uint8_t* to, size_t bytes) {
  size_t i = 0;
  for (; i + block * 16 <= bytes; i += block * 16) {
    add_vectors(pooling, rows, planes, height, power, i, block, 16, to);
  }
  for (; i + 16 <= bytes; i += 16) {
    add_vectors(pooling, rows, planes, height, power, i, 1, 16, to);
  }
  if (i < bytes && bytes >= 16) {
    add_vectors(pooling, rows, planes, height, power, bytes - 16, 1, 16, to);
  } else if (i < bytes) {
    add_vectors(pooling, rows, planes, height, power, 0, 1, bytes, to);
  }
}

/* Stores the first `bytes` bytes of a vector, fewer than 16. */
INLINE void store_part(uint8_t* to, v128_t value, size_t bytes) {
  if (bytes & 8) {
    wasm_v128_store64_lane(to, value, 0);
    value = wasm_i64x2_shuffle(value, value, 1, 1);
    to += 8;
  }
  if (bytes & 4) {
    wasm_v128_store32_lane(to, value, 0);
    value = wasm_u64x2_shr(value, 32);
    to += 4;
  }
  if (bytes & 2) {
    wasm_v128_store16_lane(to, value, 0);
    value = wasm_u64x2_shr(value, 16);
    to += 2;
  }
  if (bytes & 1) {
    wasm_v128_store8_lane(to, value, 0);
  }
}

/* Vectors of one window from byte `at` of its pixels on; the last may be part of one. */
INLINE void add_window(enum pooling pooling, const uint8_t* first, size_t taps, size_t tap_stride,
                       const struct finish* with, size_t at, size_t vectors, size_t bytes, uint8_t* to) {
  v128_t totals[block];
  const uint8_t* pixel = first + at;
  for (size_t v = 0; v < vectors; v++) {
    totals[v] = wasm_v128_load(pixel + v * 16);
  }
  for (size_t t = 1; t < taps; t++) {
    pixel += tap_stride;
    for (size_t v = 0; v < vectors; v++) {
      totals[v] = join(pooling, totals[v], wasm_v128_load(pixel + v * 16));
    }
  }
  for (size_t v = 0; v < vectors; v++) {
    const v128_t value = finish(pooling, totals[v], with);
    if (bytes >= 16) {
      wasm_v128_store(to + at + v * 16, value);
    } else {
      store_part(to + at, value, bytes);
    }
  }
}

INLINE void add_columns(enum pooling pooling, const struct pooling_windows* windows, size_t taps, size_t bytes,
                        struct finish with, uint8_t* to, size_t step) {
  const uint8_t* first = windows->first;
  const size_t tap_stride = windows->tap_stride;
  for (size_t x = 0; x < windows->count; x++, first += windows->stride, to += step) {
    if (pooling == pooling_mean) {
      with.factor = wasm_v128_load32_splat(windows->factors + x);
    }
    size_t i = 0;
    for (; i + block * 16 <= bytes; i += block * 16) {
      add_window(pooling, first, taps, tap_stride, &with, i, block, 16, to);
    }
    for (; i + 16 <= bytes; i += 16) {
      add_window(pooling, first, taps, tap_stride, &with, i, 1, 16, to);
    }
    if (i < bytes) {
      add_window(pooling, first, taps, tap_stride, &with, i, 1, bytes - i, to);
    }
  }
}

#define FOR_EACH_POOLING(X)     \
  switch (constants->pooling) { \
    X(pooling_maximum)          \
    X(pooling_maximum_u8)       \
    X(pooling_maximum_s8)       \
    X(pooling_mean)             \
    X(pooling_magnitudes)       \
    X(pooling_squares)          \
    X(pooling_powers)           \
  }

void pooling_add_rows(const struct pooling_constants* constants, const struct pooling_rows* rows, uint8_t* to,
                      size_t bytes) {
  const size_t planes = rows->counts[0], height = rows->counts[1];
#define ADD_ROWS(pooling)                                                   \
  case pooling:                                                             \
    if (planes == 1 && height == 2) {                                       \
      add_rows(pooling, rows, 1, 2, constants->power, to, bytes);           \
    } else if (planes == 1 && height == 3) {                                \
      add_rows(pooling, rows, 1, 3, constants->power, to, bytes);           \
    } else {                                                                \
      add_rows(pooling, rows, planes, height, constants->power, to, bytes); \
    }                                                                       \
    break;
  FOR_EACH_POOLING(ADD_ROWS)
}

void pooling_add_columns(const struct pooling_constants* constants, const struct pooling_windows* windows, size_t bytes,
                         uint8_t* to, size_t step) {
  struct finish with = finish_of(constants);
  if (constants->pooling == pooling_maximum_u8 || constants->pooling == pooling_maximum_s8) {
    with.min = wasm_i8x16_splat((int8_t)(int32_t)constants->min);
    with.max = wasm_i8x16_splat((int8_t)(int32_t)constants->max);
  }
#define ADD_COLUMNS(pooling)                                               \
  case pooling:                                                            \
    if (windows->taps == 2) {                                              \
      add_columns(pooling, windows, 2, bytes, with, to, step);             \
    } else if (windows->taps == 3) {                                       \
      add_columns(pooling, windows, 3, bytes, with, to, step);             \
    } else {                                                               \
      add_columns(pooling, windows, windows->taps, bytes, with, to, step); \
    }                                                                      \
    break;
  FOR_EACH_POOLING(ADD_COLUMNS)
}

/* Vectors of one window, of `taps` columns, from byte `at` of its pixels on. */
INLINE void make_apart(enum pooling pooling, const struct pooling_apart* windows, const uint8_t* first, size_t planes,
                       size_t height, size_t taps, const struct finish* with, size_t at, size_t vectors, uint8_t* to) {
  v128_t totals[block];
  for (size_t v = 0; v < vectors; v++) {
    totals[v] = nothing(pooling);
  }
  const uint8_t* plane = first + at;
  for (size_t z = 0; z < planes; z++, plane += windows->rows.strides[0]) {
    const uint8_t* row = plane;
    for (size_t y = 0; y < height; y++, row += windows->rows.strides[1]) {
      const uint8_t* pixel = row;
      for (size_t t = 0; t < taps; t++, pixel += windows->pixel_stride) {
        for (size_t v = 0; v < vectors; v++) {
          const v128_t value = wasm_v128_load(pixel + v * 16);
          totals[v] = is_taken_over(pooling) && z + y + t == 0 ? value : join(pooling, totals[v], value);
        }
      }
    }
  }
  for (size_t v = 0; v < vectors; v++) {
    wasm_v128_store(to + at + v * 16, finish(pooling, totals[v], with));
  }
}

INLINE void make_window_apart(enum pooling pooling, const struct pooling_apart* windows, const uint8_t* first,
                              size_t planes, size_t height, size_t taps, const struct finish* with, size_t bytes,
                              uint8_t* to) {
  size_t i = 0;
  for (; i + block * 16 <= bytes; i += block * 16) {
    make_apart(pooling, windows, first, planes, height, taps, with, i, block, to);
  }
  for (; i < bytes; i += 16) { /* the last vector ends with the pixel */
    make_apart(pooling, windows, first, planes, height, taps, with, i + 16 <= bytes ? i : bytes - 16, 1, to);
  }
}

INLINE void make_windows_apart(enum pooling pooling, const struct pooling_apart* windows, struct finish with,
                               size_t bytes, uint8_t* to, size_t step) {
  const size_t planes = windows->rows.counts[0], height = windows->rows.counts[1];
  ptrdiff_t start = windows->start;
  for (size_t x = 0; x < windows->count; x++, start += (ptrdiff_t)windows->stride, to += step) {
    const ptrdiff_t rest = windows->width - start, taps = (ptrdiff_t)windows->taps;
    const ptrdiff_t begin = start < 0 ? -start : 0, end = rest < taps ? rest : taps;
    const size_t inside = end > begin ? (size_t)(end - begin) : 0;
    const uint8_t* first = windows->rows.first + (start + begin) * windows->pixel_stride;
    if (pooling == pooling_mean) {
      with.factor = wasm_v128_load32_splat(windows->factors + x);
    }
    if (planes == 1 && height == 2 && inside == 2) {
      make_window_apart(pooling, windows, first, 1, 2, 2, &with, bytes, to);
    } else {
      make_window_apart(pooling, windows, first, planes, height, inside, &with, bytes, to);
    }
  }
}

void pooling_windows_apart(const struct pooling_constants* constants, const struct pooling_apart* windows, size_t bytes,
                           uint8_t* to, size_t step) {
  const struct finish with = finish_of(constants);
  if (constants->pooling == pooling_maximum) {
    make_windows_apart(pooling_maximum, windows, with, bytes, to, step);
  } else {
    make_windows_apart(pooling_mean, windows, with, bytes, to, step);
  }
}

void pooling_argmax(const struct pooling_taps* taps, int64_t place, const int32_t strides[3], int64_t step,
                    int64_t* output, size_t channels) {
  for (size_t channel = 0; channel < channels; channel += 4) {
    const size_t left = channels - channel;
    v128_t best = wasm_f32x4_splat(-FLT_MAX);
    v128_t places = wasm_i32x4_const_splat(0);
    for (size_t d = 0; d < taps->counts[0]; d++) {
      for (size_t h = 0; h < taps->counts[1]; h++) {
        const float* pixel = taps->first + channel + (ptrdiff_t)d * taps->strides[0] + (ptrdiff_t)h * taps->strides[1];
        int32_t at = (int32_t)d * strides[0] + (int32_t)h * strides[1];
        for (size_t w = 0; w < taps->counts[2]; w++, pixel += taps->strides[2], at += strides[2]) {
          const v128_t value = simd_load(pixel, left);
          const v128_t greater = wasm_f32x4_gt(value, best);
          best = wasm_v128_bitselect(value, best, greater);
          places = wasm_v128_bitselect(wasm_i32x4_splat(at), places, greater);
        }
      }
    }
    int32_t found[4];
    wasm_v128_store(found, places);
    for (size_t lane = 0; lane < 4 && lane < left; lane++) {
      output[channel + lane] = place + found[lane] + (int64_t)(channel + lane) * step;
    }
  }
}
