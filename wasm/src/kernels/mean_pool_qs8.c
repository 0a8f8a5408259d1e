#include "kernels/mean_pool_qs8.h"

#include "kernels/bytes.h"
#include "sizes.h"

/* The sums of so many numbers have 16 bits. */
enum { most_of_halves = 256 };

/* Sixteen sums of 16 bits, of so many numbers each. */
struct halves {
  v128_t low, high;
  size_t count;
};

/* Moves sums of 16 bits to those of 32. */
static inline __attribute__((always_inline)) void take_halves(struct halves* halves, struct sixteen* sums) {
  sums->four[0] = wasm_i32x4_add(sums->four[0], wasm_i32x4_extend_low_i16x8(halves->low));
  sums->four[1] = wasm_i32x4_add(sums->four[1], wasm_i32x4_extend_high_i16x8(halves->low));
  sums->four[2] = wasm_i32x4_add(sums->four[2], wasm_i32x4_extend_low_i16x8(halves->high));
  sums->four[3] = wasm_i32x4_add(sums->four[3], wasm_i32x4_extend_high_i16x8(halves->high));
  *halves = (struct halves){0};
}

/* Sixteen channels; `left` is 16 or how many there are. */
static inline __attribute__((always_inline)) void mean_of(const struct mean_pool_taps* taps, size_t channel,
                                                          v128_t zero, v128_t factor, const struct requantizer* to,
                                                          int8_t* output, size_t left) {
  struct sixteen sums = {0};
  struct halves halves = {0};
  const int8_t* plane = taps->first + channel;
  for (size_t z = 0; z < taps->counts[0]; z++, plane += taps->strides[0]) {
    const int8_t* row = plane;
    for (size_t y = 0; y < taps->counts[1]; y++, row += taps->strides[1]) {
      const int8_t* pixel = row;
      for (size_t x = 0; x < taps->counts[2];) {
        const size_t end = smaller(taps->counts[2], x + most_of_halves);
        if (halves.count + (end - x) > most_of_halves) {
          take_halves(&halves, &sums);
        }
        halves.count += end - x;
        for (; x < end; x++, pixel += taps->strides[2]) {
          const v128_t value = bytes_load(pixel, left);
          halves.low = wasm_i16x8_add(halves.low, wasm_i16x8_extend_low_i8x16(value));
          halves.high = wasm_i16x8_add(halves.high, wasm_i16x8_extend_high_i8x16(value));
        }
      }
    }
  }
  take_halves(&halves, &sums);
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
