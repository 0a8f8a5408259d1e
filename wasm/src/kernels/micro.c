#include "kernels/micro.h"

#include <math.h>
#include <xnnpack/config.h>

#include "kernels/panel.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows of a task of XNNPACK's: with its own, of two rows, tasks are too short for several threads. */
enum { rows_per_task = 128 };

/* One row by panels that begin with their biases; sizes and strides are XNNPACK's, in bytes. */
INLINE void multiply_row(size_t columns, size_t row_size, const float* row, const float* weights, float* output,
                         size_t out_stride, float min, float max) {
  const v128_t least = wasm_f32x4_splat(min), most = wasm_f32x4_splat(max);
  const size_t depth = row_size / sizeof(float);
  for (;;) {
    v128_t sums[2];
    panel_row_product(row, weights + panel_width, 0, depth, 1, sums);
    simd_store(output, simd_clamp(wasm_f32x4_add(sums[0], wasm_v128_load(weights)), least, most), columns);
    if (columns > 4) {
      const v128_t right = wasm_f32x4_add(sums[1], wasm_v128_load(weights + 4));
      simd_store(output + 4, simd_clamp(right, least, most), columns - 4);
    }
    if (columns <= panel_width) {
      return;
    }
    columns -= panel_width;
    weights += panel_width * (1 + depth);
    output += out_stride / sizeof(float);
  }
}

static void multiply_row_bounded(size_t rows, size_t columns, size_t row_size, const void* row, size_t row_stride,
                                 const void* weights, void* output, size_t out_stride, size_t panel_stride,
                                 const void* params) {
  const union xnn_f32_minmax_params* bounds = params;
  multiply_row(columns, row_size, row, weights, output, panel_stride, bounds->scalar.min, bounds->scalar.max);
}

static void multiply_row_any(size_t rows, size_t columns, size_t row_size, const void* row, size_t row_stride,
                             const void* weights, void* output, size_t out_stride, size_t panel_stride,
                             const void* params) {
  multiply_row(columns, row_size, row, weights, output, panel_stride, -INFINITY, INFINITY);
}

static void multiply_row_relu(size_t rows, size_t columns, size_t row_size, const void* row, size_t row_stride,
                              const void* weights, void* output, size_t out_stride, size_t panel_stride,
                              const void* params) {
  multiply_row(columns, row_size, row, weights, output, panel_stride, 0.0f, INFINITY);
}

/* Up to four vectors of channels of one row or two; weights are [vectors][2][4], factors and addends. */
INLINE void scale_vectors(const float* input, size_t in_stride, const float* weights, float* output, size_t out_stride,
                          size_t rows, size_t vectors, size_t lanes, v128_t min, v128_t max) {
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
    const v128_t factor = wasm_v128_load(weights + v * 8), addend = wasm_v128_load(weights + v * 8 + 4);
#pragma unroll
    for (size_t row = 0; row < rows; row++) {
      const v128_t value = simd_madd(simd_load(input + row * in_stride + v * 4, lanes), factor, addend);
      simd_store(output + row * out_stride + v * 4, simd_clamp(value, min, max), lanes);
    }
  }
}

INLINE void scale_rows(const float* input, size_t in_stride, const float* weights, float* output, size_t out_stride,
                       size_t rows, size_t channels, v128_t min, v128_t max) {
  for (; channels >= 16; channels -= 16) {
    scale_vectors(input, in_stride, weights, output, out_stride, rows, 4, 4, min, max);
    input += 16;
    weights += 32;
    output += 16;
  }
  for (; channels >= 4; channels -= 4) {
    scale_vectors(input, in_stride, weights, output, out_stride, rows, 1, 4, min, max);
    input += 4;
    weights += 8;
    output += 4;
  }
  if (channels > 0) {
    scale_vectors(input, in_stride, weights, output, out_stride, rows, 1, channels, min, max);
  }
}

static void scale_channels(size_t rows, size_t size, const void* input, size_t in_size, const void* weights,
                           void* output, size_t out_size, const void* params) {
  const union xnn_f32_minmax_params* bounds = params;
  const v128_t min = wasm_f32x4_splat(bounds->scalar.min), max = wasm_f32x4_splat(bounds->scalar.max);
  const size_t channels = size / sizeof(float), in_stride = in_size / sizeof(float);
  const size_t out_stride = out_size / sizeof(float);
  const float* from = input;
  float* to = output;
  for (; rows >= 2; rows -= 2) {
    scale_rows(from, in_stride, weights, to, out_stride, 2, channels, min, max);
    from += 2 * in_stride;
    to += 2 * out_stride;
  }
  if (rows > 0) {
    scale_rows(from, in_stride, weights, to, out_stride, 1, channels, min, max);
  }
}

void micro_install(void) {
  struct xnn_gemm_config* product = (struct xnn_gemm_config*)xnn_init_f32_gemm_config();
  product->minmax.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_bounded;
  product->linear.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_any;
  product->relu.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_relu;
  struct xnn_vmulcaddc_config* scaling = (struct xnn_vmulcaddc_config*)xnn_init_f32_vmulcaddc_config();
  scaling->ukernel = scale_channels;
  scaling->row_tile = rows_per_task;
}
