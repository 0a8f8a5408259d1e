#include "kernels/mean_pool_qs8.h"

#include "kernels/bytes.h"

/* Sixteen channels; `left` is 16 or how many there are. */
static inline __attribute__((always_inline)) void mean_of(const struct mean_pool_taps* taps, size_t channel,
                                                          v128_t zero, v128_t factor, const struct requantizer* to,
                                                          int8_t* output, size_t left) {
  v128_t low = wasm_i16x8_const_splat(0), high = low;
  const int8_t* plane = taps->first + channel;
  for (size_t z = 0; z < taps->counts[0]; z++, plane += taps->strides[0]) {
    const int8_t* row = plane;
    for (size_t y = 0; y < taps->counts[1]; y++, row += taps->strides[1]) {
      const int8_t* pixel = row;
      for (size_t x = 0; x < taps->counts[2]; x++, pixel += taps->strides[2]) {
        const v128_t value = bytes_load(pixel, left);
        low = wasm_i16x8_add(low, wasm_i16x8_extend_low_i8x16(value));
        high = wasm_i16x8_add(high, wasm_i16x8_extend_high_i8x16(value));
      }
    }
  }
  struct sixteen sums = {{
      wasm_i32x4_extend_low_i16x8(low),
      wasm_i32x4_extend_high_i16x8(low),
      wasm_i32x4_extend_low_i16x8(high),
      wasm_i32x4_extend_high_i16x8(high),
  }};
  for (size_t i = 0; i < 4; i++) {
    sums.four[i] = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(wasm_i32x4_sub(sums.four[i], zero)), factor);
  }
  bytes_store(to, &sums, output + channel, left);
}

void mean_pool_qs8(const struct mean_pool_taps* taps, int32_t zero, float factor, const struct requantizer* to,
                   int8_t* output, size_t channels) {
  const v128_t zeros = wasm_i32x4_splat(zero), factors = wasm_f32x4_splat(factor);
  size_t channel = 0;
  for (; channel + bytes_per_turn <= channels; channel += bytes_per_turn) {
    mean_of(taps, channel, zeros, factors, to, output, bytes_per_turn);
  }
  if (channel < channels && channels > bytes_per_turn) { /* the last ones, some of them again */
    mean_of(taps, channels - bytes_per_turn, zeros, factors, to, output, bytes_per_turn);
  } else if (channel < channels) {
    mean_of(taps, channel, zeros, factors, to, output, channels - channel);
  }
}
