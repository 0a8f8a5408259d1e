#include "kernels/softmax.h"

#include <math.h>
#include <string.h>

#include "kernels/elementary.h"
#include "kernels/order.h"
#include "sizes.h"

/* exp(x - maximum); NaN stays NaN. */
SIMD_INLINE void powers_each(v128_t* x, const v128_t* maxima, size_t count) {
  SIMD_EACH(i) x[i] = wasm_f32x4_sub(x[i], maxima[i]);
  simd_exp_of_bounded_each(x, count);
}

/* A row's vectors; -inf stands for what the last one misses. */
SIMD_INLINE v128_t load(const float* from, size_t left) {
  const v128_t value = simd_load(from, left);
  if (left >= 4) {
    return value;
  }
  const v128_t is_there = wasm_i32x4_lt(wasm_i32x4_make(0, 1, 2, 3), wasm_i32x4_splat((int32_t)left));
  return wasm_v128_bitselect(value, wasm_f32x4_splat(-INFINITY), is_there);
}

static float maximum_of(const float* input, size_t length) {
  v128_t maxima[simd_most];
  const size_t count = simd_most;
  SIMD_EACH(i) maxima[i] = wasm_f32x4_splat(-INFINITY);
  size_t at = 0;
  for (; at + 4 * count <= length; at += 4 * count) {
    SIMD_EACH(i) maxima[i] = wasm_f32x4_pmax(maxima[i], wasm_v128_load(input + at + 4 * i));
  }
  for (; at < length; at += 4) {
    maxima[0] = wasm_f32x4_pmax(maxima[0], load(input + at, length - at));
  }
  const v128_t four = wasm_f32x4_pmax(wasm_f32x4_pmax(maxima[0], maxima[1]), wasm_f32x4_pmax(maxima[2], maxima[3]));
  const v128_t two = wasm_f32x4_pmax(four, wasm_i32x4_shuffle(four, four, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(wasm_f32x4_pmax(two, wasm_i32x4_shuffle(two, two, 1, 0, 3, 2)), 0);
}

/* The sum of a row's powers, which are stored too, if there is an output. */
SIMD_INLINE float sum_of_powers(const float* input, size_t length, float maximum, float* output) {
  v128_t sums[simd_most], maxima[simd_most];
  const size_t count = simd_most;
  SIMD_EACH(i) sums[i] = wasm_f32x4_const_splat(0.0f);
  SIMD_EACH(i) maxima[i] = wasm_f32x4_splat(maximum);
  size_t at = 0;
  for (; at + 4 * count <= length; at += 4 * count) {
    v128_t x[simd_most];
    SIMD_EACH(i) x[i] = wasm_v128_load(input + at + 4 * i);
    powers_each(x, maxima, simd_most);
    SIMD_EACH(i) sums[i] = wasm_f32x4_add(sums[i], x[i]);
    if (output != NULL) {
      SIMD_EACH(i) wasm_v128_store(output + at + 4 * i, x[i]);
    }
  }
  for (; at < length; at += 4) {
    v128_t x = load(input + at, length - at);
    powers_each(&x, maxima, 1);
    sums[0] = wasm_f32x4_add(sums[0], x);
    if (output != NULL) {
      simd_store(output + at, x, length - at);
    }
  }
  const v128_t sum = wasm_f32x4_add(wasm_f32x4_add(sums[0], sums[1]), wasm_f32x4_add(sums[2], sums[3]));
  return (wasm_f32x4_extract_lane(sum, 0) + wasm_f32x4_extract_lane(sum, 1)) +
         (wasm_f32x4_extract_lane(sum, 2) + wasm_f32x4_extract_lane(sum, 3));
}

static void softmax_itself_row(const float* input, size_t length, float* output) {
  const float sum = sum_of_powers(input, length, maximum_of(input, length), output);
  const v128_t factor = wasm_f32x4_splat(1.0f / sum);
  size_t i = 0;
  for (; i + 4 <= length; i += 4) {
    wasm_v128_store(output + i, wasm_f32x4_mul(wasm_v128_load(output + i), factor));
  }
  simd_store(output + i, wasm_f32x4_mul(simd_load(output + i, length - i), factor), length - i);
}

static void log_softmax_row(const float* input, size_t length, float* output) {
  const float maximum = maximum_of(input, length);
  const v128_t logarithm = wasm_f32x4_splat(logf(sum_of_powers(input, length, maximum, NULL)));
  const v128_t maxima = wasm_f32x4_splat(maximum);
  size_t i = 0;
  for (; i + 4 <= length; i += 4) {
    const v128_t distance = wasm_f32x4_sub(wasm_v128_load(input + i), maxima);
    wasm_v128_store(output + i, wasm_f32x4_sub(distance, logarithm));
  }
  const v128_t distance = wasm_f32x4_sub(simd_load(input + i, length - i), maxima);
  simd_store(output + i, wasm_f32x4_sub(distance, logarithm), length - i);
}

/* 1 for the greatest of some vectors, of which the last may have but `left`; counts in each lane how many there are. */
SIMD_INLINE void mark_each(const float* input, size_t left, v128_t maximum, float* output, v128_t* found,
                           size_t count) {
  SIMD_EACH(i) {
    const v128_t is_greatest = wasm_f32x4_eq(load(input + 4 * i, left), maximum);
    simd_store(output + 4 * i, wasm_v128_and(is_greatest, SIMD_CONSTANT(one)), left);
    found[i] = wasm_i32x4_sub(found[i], is_greatest);
  }
}

/* Which of several greatest counts, and what NaN does to it, is ArgMax's to say. */
static void hardmax_row(const float* input, size_t length, float* output) {
  const v128_t maximum = wasm_f32x4_splat(maximum_of(input, length));
  v128_t found[simd_most] = {0};
  size_t i = 0;
  for (; i + 4 * simd_most <= length; i += 4 * simd_most) {
    mark_each(input + i, 4 * simd_most, maximum, output + i, found, simd_most);
  }
  for (; i < length; i += 4) {
    mark_each(input + i, length - i, maximum, output + i, found, 1);
  }
  v128_t all = wasm_i32x4_add(wasm_i32x4_add(found[0], found[1]), wasm_i32x4_add(found[2], found[3]));
  all = wasm_i32x4_add(all, wasm_i32x4_shuffle(all, all, 2, 3, 0, 1));
  if (wasm_i32x4_extract_lane(all, 0) + wasm_i32x4_extract_lane(all, 1) == 1 && !isnan(input[0])) {
    return;
  }
  int64_t place;
  order_choose(pyxnn_float32)->extreme[0][0](input, length, 1, 1, &place);
  memset(output, 0, length * sizeof(float));
  output[place] = 1.0f;
}

void softmax_row(enum pyxnn_softmax_type type, const float* input, size_t length, float* output) {
  if (type == pyxnn_log_softmax) {
    log_softmax_row(input, length, output);
  } else if (type == pyxnn_hardmax) {
    hardmax_row(input, length, output);
  } else {
    softmax_itself_row(input, length, output);
  }
}

/* The columns of one vector or of several, from the first to the last row. */
SIMD_INLINE void columns_each(enum pyxnn_softmax_type type, const float* input, size_t length, size_t stride,
                              size_t left, float* output, size_t count) {
  v128_t maxima[simd_most], sums[simd_most];
  SIMD_EACH(i) maxima[i] = wasm_f32x4_splat(-INFINITY);
  for (size_t j = 0; j < length; j++) {
    SIMD_EACH(i) maxima[i] = wasm_f32x4_pmax(maxima[i], simd_load(input + j * stride + 4 * i, left));
  }
  SIMD_EACH(i) sums[i] = wasm_f32x4_const_splat(0.0f);
  for (size_t j = 0; j < length; j++) {
    v128_t x[simd_most];
    SIMD_EACH(i) x[i] = simd_load(input + j * stride + 4 * i, left);
    powers_each(x, maxima, count);
    SIMD_EACH(i) sums[i] = wasm_f32x4_add(sums[i], x[i]);
    if (type == pyxnn_softmax_itself) {
      SIMD_EACH(i) simd_store(output + j * stride + 4 * i, x[i], left);
    }
  }
  if (type == pyxnn_softmax_itself) {
    SIMD_EACH(i) sums[i] = wasm_f32x4_div(wasm_f32x4_splat(1.0f), sums[i]);
    for (size_t j = 0; j < length; j++) {
      float* at = output + j * stride;
      SIMD_EACH(i) simd_store(at + 4 * i, wasm_f32x4_mul(simd_load(at + 4 * i, left), sums[i]), left);
    }
    return;
  }
  SIMD_EACH(i) sums[i] = simd_log_of_any(sums[i]);
  for (size_t j = 0; j < length; j++) {
    v128_t x[simd_most];
    SIMD_EACH(i) x[i] = wasm_f32x4_sub(simd_load(input + j * stride + 4 * i, left), maxima[i]);
    SIMD_EACH(i) simd_store(output + j * stride + 4 * i, wasm_f32x4_sub(x[i], sums[i]), left);
  }
}

static void hardmax_columns(const float* input, size_t length, size_t stride, size_t count, float* output) {
  const struct order_kernel* order = order_choose(pyxnn_float32);
  int64_t places[order_columns];
  for (size_t i = 0; i < count; i += order_columns) {
    const size_t columns = smaller(count - i, order_columns);
    order->extreme[0][0](input + i, length, stride, columns, places);
    for (size_t j = 0; j < length; j++) {
      memset(output + j * stride + i, 0, columns * sizeof(float));
    }
    for (size_t column = 0; column < columns; column++) {
      output[(size_t)places[column] * stride + i + column] = 1.0f;
    }
  }
}

void softmax_columns(enum pyxnn_softmax_type type, const float* input, size_t length, size_t stride, size_t count,
                     float* output) {
  enum { together = 4 * simd_most };
  if (type == pyxnn_hardmax) {
    hardmax_columns(input, length, stride, count, output);
    return;
  }
  size_t i = 0;
  for (; i + together <= count; i += together) {
    columns_each(type, input + i, length, stride, together, output + i, simd_most);
  }
  for (; i < count; i += 4) {
    columns_each(type, input + i, length, stride, count - i, output + i, 1);
  }
}
