#include "kernels/softmax_qs8.h"

#include <math.h>

#include "kernels/bytes.h"
#include "kernels/simd.h"

static int greatest_of(const int8_t* input, size_t length) {
  int greatest = INT8_MIN;
  size_t at = 0;
  if (length >= bytes_per_turn) {
    v128_t most = wasm_v128_load(input);
    for (at = bytes_per_turn; at + bytes_per_turn <= length; at += bytes_per_turn) {
      most = wasm_i8x16_max(most, wasm_v128_load(input + at));
    }
    int8_t lanes[bytes_per_turn];
    wasm_v128_store(lanes, most);
    for (size_t i = 0; i < bytes_per_turn; i++) {
      greatest = lanes[i] > greatest ? lanes[i] : greatest;
    }
  }
  for (; at < length; at++) {
    greatest = input[at] > greatest ? input[at] : greatest;
  }
  return greatest;
}

/* The powers of four numbers. */
static inline __attribute__((always_inline)) v128_t powers_of(const float* powers, const int8_t* input, int greatest) {
  v128_t four = wasm_v128_load32_zero(powers + (greatest - input[0]));
  four = wasm_v128_load32_lane(powers + (greatest - input[1]), four, 1);
  four = wasm_v128_load32_lane(powers + (greatest - input[2]), four, 2);
  return wasm_v128_load32_lane(powers + (greatest - input[3]), four, 3);
}

static float sum_of_powers(const float* powers, const int8_t* input, size_t length, int greatest) {
  v128_t sums[2] = {wasm_f32x4_const_splat(0.0f), wasm_f32x4_const_splat(0.0f)};
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    sums[0] = wasm_f32x4_add(sums[0], powers_of(powers, input + at, greatest));
    sums[1] = wasm_f32x4_add(sums[1], powers_of(powers, input + at + 4, greatest));
  }
  const v128_t both = wasm_f32x4_add(sums[0], sums[1]);
  float sum = (wasm_f32x4_extract_lane(both, 0) + wasm_f32x4_extract_lane(both, 1)) +
              (wasm_f32x4_extract_lane(both, 2) + wasm_f32x4_extract_lane(both, 3));
  for (; at < length; at++) {
    sum += powers[greatest - input[at]];
  }
  return sum;
}

void softmax_row_qs8(const struct softmax_qs8* by, const int8_t* input, size_t length, int8_t* output) {
  const int greatest = greatest_of(input, length);
  const v128_t factor = wasm_f32x4_splat(by->steps / sum_of_powers(by->powers, input, length, greatest));
  for (size_t at = 0; at < length; at += bytes_per_turn) {
    const size_t left = length - at;
    int8_t part[bytes_per_turn];
    const int8_t* from = input + at;
    if (left < bytes_per_turn) {
      wasm_v128_store(part, wasm_i8x16_splat((int8_t)greatest));
      memcpy(part, from, left);
      from = part;
    }
    struct sixteen scaled;
    for (size_t i = 0; i < 4; i++) {
      scaled.four[i] = wasm_f32x4_mul(powers_of(by->powers, from + 4 * i, greatest), factor);
    }
    bytes_store(&by->to, &scaled, output + at, left);
  }
}

void log_softmax_row_qs8(const struct softmax_qs8* by, const int8_t* input, size_t length, int8_t* output) {
  const int greatest = greatest_of(input, length);
  const float logarithm = logf(sum_of_powers(by->powers, input, length, greatest));
  const v128_t above = wasm_i32x4_splat(greatest), bias = wasm_f32x4_splat(-logarithm * by->steps);
  const v128_t factor = wasm_f32x4_splat(by->in_scale * by->steps);
  for (size_t at = 0; at < length; at += bytes_per_turn) {
    struct sixteen x = bytes_widen(bytes_load(input + at, length - at));
    for (size_t i = 0; i < 4; i++) {
      x.four[i] = simd_madd(wasm_f32x4_convert_i32x4(wasm_i32x4_sub(x.four[i], above)), factor, bias);
    }
    bytes_store(&by->to, &x, output + at, length - at);
  }
}
