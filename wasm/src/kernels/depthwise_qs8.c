#include "kernels/depthwise_qs8.h"

#include "kernels/requantize.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

size_t depthwise_qs8_pairs(size_t kernel_h, size_t kernel_w) {
  return kernel_h / 2 * kernel_w + kernel_h % 2 * (divide_up(kernel_w, 2));
}

void depthwise_qs8_pack(const int8_t* kernel, size_t channels, size_t kernel_h, size_t kernel_w,
                        const int32_t* zero_points, int16_t* packed) {
  const size_t group_size = depthwise_qs8_pairs(kernel_h, kernel_w) * 2 * depthwise_qs8_channels;
  for (size_t c = 0; c < channels; c++) {
    int16_t* to = packed + c / depthwise_qs8_channels * group_size + c % depthwise_qs8_channels * 2;
    for (size_t y = 0; y < kernel_h; y++) {
      for (size_t x = 0; x < kernel_w; x++) {
        const bool has_partner = y % 2 == 1 || y + 1 < kernel_h;
        const size_t pair = has_partner ? y / 2 * kernel_w + x : y / 2 * kernel_w + x / 2;
        const size_t place = has_partner ? y % 2 : x % 2;
        to[pair * 2 * depthwise_qs8_channels + place] = (int16_t)(*kernel++ - zero_points[c]);
      }
    }
  }
}

/* In what follows, a pair is eight channels of two taps, those of a channel side by side. */

INLINE struct eight pair_of(v128_t a, v128_t b) {
  return (struct eight){wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11),
                        wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)};
}

INLINE struct eight load_pair(const int16_t* weights) {
  return (struct eight){wasm_v128_load(weights), wasm_v128_load(weights + 8)};
}

INLINE struct eight add(struct eight sums, struct eight taps, struct eight weights) {
  return (struct eight){wasm_i32x4_add(sums.low, wasm_i32x4_dot_i16x8(taps.low, weights.low)),
                        wasm_i32x4_add(sums.high, wasm_i32x4_dot_i16x8(taps.high, weights.high))};
}

INLINE struct eight load_taps(const int8_t* a, const int8_t* b, size_t channel) {
  return pair_of(wasm_i16x8_load8x8(a + channel), wasm_i16x8_load8x8(b + channel));
}

enum { pair_size = 2 * depthwise_qs8_channels };

/* Adds the products of neighbouring pixels; their number and the width of the window are constants. */
INLINE void add_tile(const struct depthwise_qs8_row* row, const int8_t* const* inputs, const int16_t* weights,
                     size_t channel, size_t pixels, size_t kernel_w, size_t stride, struct eight* sums) {
  const size_t num_columns = (pixels - 1) * stride + kernel_w;
  for (size_t y = 0; y + 2 <= row->kernel_h; y += 2) {
#pragma unroll
    for (size_t column = 0; column < num_columns; column++) {
      const struct eight taps = load_taps(inputs[column], inputs[row->columns + column], channel);
#pragma unroll
      for (size_t p = 0; p < pixels; p++) {
        const size_t x = column - p * stride;
        if (x < kernel_w) {
          sums[p] = add(sums[p], taps, load_pair(weights + x * pair_size));
        }
      }
    }
    weights += kernel_w * pair_size;
    inputs += 2 * row->columns;
  }
  if (row->kernel_h % 2 == 0) {
    return;
  }
#pragma unroll
  for (size_t column = 0; column < num_columns; column++) {
    const size_t next = column + 1 < num_columns ? column + 1 : column;
    const struct eight taps = load_taps(inputs[column], inputs[next], channel);
#pragma unroll
    for (size_t p = 0; p < pixels; p++) {
      const size_t x = column - p * stride;
      if (x < kernel_w && x % 2 == 0) {
        sums[p] = add(sums[p], taps, load_pair(weights + x / 2 * pair_size));
      }
    }
  }
}

/* Adds the products of one pixel, with a window of any shape. */
INLINE void add_window(const struct depthwise_qs8_row* row, const int8_t* const* inputs, const int16_t* weights,
                       size_t channel, struct eight* sums) {
  const size_t width = row->kernel_w * row->dilation;
  for (size_t y = 0; y + 2 <= row->kernel_h; y += 2) {
    for (size_t x = 0; x < width; x += row->dilation) {
      *sums = add(*sums, load_taps(inputs[x], inputs[row->columns + x], channel), load_pair(weights));
      weights += pair_size;
    }
    inputs += 2 * row->columns;
  }
  if (row->kernel_h % 2 == 0) {
    return;
  }
  for (size_t x = 0; x < width; x += 2 * row->dilation) {
    const size_t next = x + row->dilation < width ? x + row->dilation : x;
    *sums = add(*sums, load_taps(inputs[x], inputs[next], channel), load_pair(weights));
    weights += pair_size;
  }
}

/* `pixels` from `first` on; that, and `kernel_w` and `stride` where they are several, are constants. */
INLINE void compute_tile(const struct depthwise_qs8_row* row, const struct requantizer* to, size_t first, size_t pixels,
                         size_t kernel_w, size_t stride) {
  const size_t group_size = depthwise_qs8_pairs(row->kernel_h, kernel_w) * pair_size;
  const int8_t* const* inputs = row->inputs + first * stride;
  const int16_t* weights = row->weights + row->channel / depthwise_qs8_channels * group_size;
  for (size_t channel = row->channel; channel < row->channels; channel += depthwise_qs8_channels) {
    const struct eight bias = {wasm_v128_load(row->bias + channel), wasm_v128_load(row->bias + channel + 4)};
    struct eight sums[depthwise_qs8_tile] = {bias, bias, bias, bias};
    if (pixels == 1) {
      add_window(row, inputs, weights, channel, sums);
    } else {
      add_tile(row, inputs, weights, channel, pixels, kernel_w, stride, sums);
    }
    weights += group_size;
    const struct eight multipliers = {wasm_v128_load(row->multipliers + channel),
                                      wasm_v128_load(row->multipliers + channel + 4)};
    int8_t* output = row->output + first * row->output_stride + channel;
    const size_t left = row->channels - channel;
    if (left >= depthwise_qs8_channels) {
      requantize_rows(to, sums, pixels, multipliers, output, row->output_stride);
    } else {
      int8_t all[depthwise_qs8_tile * depthwise_qs8_channels];
      requantize_rows(to, sums, pixels, multipliers, all, depthwise_qs8_channels);
      copy_block(all, output, row->output_stride, pixels, left);
    }
  }
}

/* By tiles, and by halves where at most a half is left; the last may begin with pixels that are there already. */
INLINE void compute(const struct depthwise_qs8_row* row, size_t kernel_w, size_t stride) {
  enum { tile = depthwise_qs8_tile, half = tile / 2 };
  const struct requantizer to = requantizer_of(row->zero_point, row->min, row->max, row->is_far);
  size_t first = 0;
  for (; first + half < row->pixels && tile <= row->pixels; first += tile) {
    compute_tile(row, &to, first + tile <= row->pixels ? first : row->pixels - tile, tile, kernel_w, stride);
  }
  for (; first < row->pixels; first += half) {
    compute_tile(row, &to, first + half <= row->pixels ? first : row->pixels - half, half, kernel_w, stride);
  }
}

static void compute_any(const struct depthwise_qs8_row* row) {
  const struct requantizer to = requantizer_of(row->zero_point, row->min, row->max, row->is_far);
  for (size_t first = 0; first < row->pixels; first++) {
    compute_tile(row, &to, first, 1, row->kernel_w, row->stride);
  }
}

void depthwise_qs8(const struct depthwise_qs8_row* row) {
  const size_t width = row->dilation == 1 && row->pixels > 1 ? row->kernel_w : 0;
  if (width == 3 && row->stride == 1) {
    compute(row, 3, 1);
  } else if (width == 3 && row->stride == 2) {
    compute(row, 3, 2);
  } else if (width == 5 && row->stride == 1) {
    compute(row, 5, 1);
  } else if (width == 5 && row->stride == 2) {
    compute(row, 5, 2);
  } else {
    compute_any(row);
  }
}
