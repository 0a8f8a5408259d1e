#include "kernels/dynamic_quantize.h"

#include <wasm_simd128.h>

struct float_range range_of(const float* input, size_t count) {
  v128_t low[2], high[2];
  low[0] = low[1] = high[0] = high[1] = wasm_f32x4_const_splat(0.0f);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t j = 0; j < 2; j++) {
      const v128_t x = wasm_v128_load(input + i + 4 * j);
      low[j] = wasm_f32x4_pmin(low[j], x);
      high[j] = wasm_f32x4_pmax(high[j], x);
    }
  }
  for (; i < count; i++) {
    const v128_t x = wasm_v128_load32_splat(input + i);
    low[0] = wasm_f32x4_pmin(low[0], x);
    high[0] = wasm_f32x4_pmax(high[0], x);
  }
  float lows[4], highs[4];
  wasm_v128_store(lows, wasm_f32x4_pmin(low[0], low[1]));
  wasm_v128_store(highs, wasm_f32x4_pmax(high[0], high[1]));
  struct float_range range = {lows[0], highs[0]};
  for (size_t j = 1; j < 4; j++) {
    range.low = lows[j] < range.low ? lows[j] : range.low;
    range.high = highs[j] > range.high ? highs[j] : range.high;
  }
  return range;
}

/* A float of up to 22 bits plus this has, rounded to nearest, the float's integer in its lowest bits. */
static const float rounding = 0x1.8p23f;
static const int32_t rounding_bits = 0x4B400000;

/* Four numbers as int32. */
static inline v128_t quantize_four(const float* input, v128_t scale, v128_t low, v128_t high, v128_t offset) {
  const v128_t x = wasm_f32x4_div(wasm_v128_load(input), scale);
  const v128_t within = wasm_f32x4_pmin(wasm_f32x4_pmax(low, x), high);
  return wasm_i32x4_sub(wasm_f32x4_add(within, wasm_f32x4_splat(rounding)), offset);
}

void quantize_floats(const float* input, size_t count, float scale, uint8_t zero, uint8_t* output) {
  const v128_t scales = wasm_f32x4_splat(scale), offset = wasm_i32x4_splat(rounding_bits - zero);
  const v128_t low = wasm_f32x4_splat(-(float)zero), high = wasm_f32x4_splat(255.0f - zero);
  float rest[16] = {0};
  uint8_t bytes[16];
  for (size_t i = 0; i < count; i += 16) {
    const size_t left = count - i;
    const float* from = input + i;
    if (left < 16) {
      for (size_t j = 0; j < left; j++) {
        rest[j] = from[j];
      }
      from = rest;
    }
    v128_t four[4];
    for (size_t j = 0; j < 4; j++) {
      four[j] = quantize_four(from + 4 * j, scales, low, high, offset);
    }
    const v128_t sixteen =
        wasm_u8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(four[0], four[1]), wasm_i16x8_narrow_i32x4(four[2], four[3]));
    if (left >= 16) {
      wasm_v128_store(output + i, sixteen);
      continue;
    }
    wasm_v128_store(bytes, sixteen);
    for (size_t j = 0; j < left; j++) {
      output[i + j] = bytes[j];
    }
  }
}
