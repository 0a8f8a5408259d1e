/*
 * Four output pixels share the loads of their windows: a row of weights is loaded once for all, and a column of the
 * input once for every window it is part of. Channels are innermost, so that all streams are contiguous.
 */
#include "kernels/depthwise.h"

#include <stdbool.h>
#include <wasm_simd128.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* The rows of one group of four channels. `columns` is NULL for an inner tile. */
INLINE void accumulate(const struct depthwise_tile_arguments* tile, size_t channel, const float* weights,
                       const ptrdiff_t* columns, int kernel_w, int stride, v128_t sums[depthwise_tile]) {
  const int num_columns = (depthwise_tile - 1) * stride + kernel_w;
  const float* row = tile->input + channel;
  for (size_t y = 0; y < tile->rows; y++) {
    v128_t row_weights[5];
    for (int x = 0; x < kernel_w; x++) {
      row_weights[x] = wasm_v128_load(weights + x * 4);
    }
    weights += kernel_w * 4;
    const float* pixel = row;
#pragma unroll
    for (int column = 0; column < num_columns; column++) {
      v128_t in;
      if (columns == NULL) {
        in = wasm_v128_load(pixel);
        pixel += tile->pixel_stride;
      } else if (columns[column] == depthwise_outside) {
        continue;
      } else {
        in = wasm_v128_load(row + columns[column]);
      }
#pragma unroll
      for (int p = 0; p < depthwise_tile; p++) {
        const int x = column - p * stride;
        if (x >= 0 && x < kernel_w) {
          sums[p] = simd_madd(in, row_weights[x], sums[p]);
        }
      }
    }
    row += tile->row_stride;
  }
}

INLINE void compute(const struct depthwise_tile_arguments* tile, const ptrdiff_t* columns, size_t pixels, int kernel_w,
                    int stride) {
  const v128_t min = wasm_f32x4_splat(tile->min);
  const v128_t max = wasm_f32x4_splat(tile->max);
  const float* weights = tile->weights;
  for (size_t channel = 0; channel < tile->channels; channel += 4) {
    const v128_t bias = wasm_v128_load(tile->bias + channel);
    v128_t sums[depthwise_tile] = {bias, bias, bias, bias};
    accumulate(tile, channel, weights, columns, kernel_w, stride, sums);
    weights += tile->weights_stride;
    float* output = tile->output + channel;
    const size_t left = tile->channels - channel;
#pragma unroll
    for (size_t p = 0; p < depthwise_tile; p++) {
      if (columns == NULL || p < pixels) {
        simd_store(output, simd_clamp(sums[p], min, max), left);
        output += tile->output_stride;
      }
    }
  }
}

#define KERNEL(kernel_w, stride)                                                                                  \
  static void inner_##kernel_w##_##stride(const struct depthwise_tile_arguments* tile) {                          \
    compute(tile, NULL, depthwise_tile, kernel_w, stride);                                                        \
  }                                                                                                               \
  static void border_##kernel_w##_##stride(const struct depthwise_tile_arguments* tile, const ptrdiff_t* columns, \
                                           size_t pixels) {                                                       \
    compute(tile, columns, pixels, kernel_w, stride);                                                             \
  }                                                                                                               \
  static const struct depthwise_kernel kernel_##kernel_w##_##stride = {inner_##kernel_w##_##stride,               \
                                                                       border_##kernel_w##_##stride};

KERNEL(3, 1)
KERNEL(3, 2)
KERNEL(5, 1)
KERNEL(5, 2)

const struct depthwise_kernel* depthwise_choose(uint32_t kernel_w, uint32_t stride_w) {
  if (kernel_w == 3) {
    return stride_w == 1 ? &kernel_3_1 : stride_w == 2 ? &kernel_3_2 : NULL;
  }
  if (kernel_w == 5) {
    return stride_w == 1 ? &kernel_5_1 : stride_w == 2 ? &kernel_5_2 : NULL;
  }
  return NULL;
}
