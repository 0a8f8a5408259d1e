#include "kernels/micro.h"

#include <math.h>
#include <xnnpack/config.h>

#include "kernels/panel.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows of a task of XNNPACK's, and those of them that stay in the first-level cache while their channels take turns. */
enum { rows_per_task = 128, rows_together = 32 };

/* One row by panels that begin with their biases; sizes and strides are XNNPACK's, in bytes. */
INLINE void multiply_row(size_t columns, size_t row_size, const float* row, const float* weights, float* output,
                         size_t panel_stride, float min, float max) {
  const v128_t least = wasm_f32x4_splat(min), most = wasm_f32x4_splat(max);
  const size_t depth = row_size / sizeof(float);
  for (;;) {
    v128_t sums[panel_rows][2];
    panel_product(row, 0, weights + panel_width, depth, 1, 4, sums);
    const v128_t low = simd_clamp(wasm_f32x4_add(sums[0][0], wasm_v128_load(weights)), least, most);
    const v128_t high = simd_clamp(wasm_f32x4_add(sums[0][1], wasm_v128_load(weights + 4)), least, most);
    simd_store(output, low, columns);
    if (columns > 4) {
      simd_store(output + 4, high, columns - 4);
    }
    if (columns <= panel_width) {
      return;
    }
    columns -= panel_width;
    weights += panel_width * (1 + depth);
    output = (float*)((char*)output + panel_stride);
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

/* Up to four vectors of channels down some rows; weights are [vectors][2][4], factors and addends. */
INLINE void scale_rows(size_t rows, const float* input, size_t in_stride, const float* weights, float* output,
                       size_t out_stride, size_t vectors, size_t lanes, v128_t min, v128_t max) {
  v128_t factors[4], addends[4];
#pragma unroll
  for (size_t v = 0; v < vectors; v++) {
    factors[v] = wasm_v128_load(weights + v * 8);
    addends[v] = wasm_v128_load(weights + v * 8 + 4);
  }
  for (size_t row = 0; row < rows; row++) {
#pragma unroll
    for (size_t v = 0; v < vectors; v++) {
      const size_t count = v + 1 == vectors ? lanes : 4;
      const v128_t value = simd_madd(simd_load(input + v * 4, count), factors[v], addends[v]);
      simd_store(output + v * 4, simd_clamp(value, min, max), count);
    }
    input = (const float*)((const char*)input + in_stride);
    output = (float*)((char*)output + out_stride);
  }
}

static void scale_channels(size_t rows, size_t size, const void* input, size_t in_stride, const void* packed,
                           void* output, size_t out_stride, const void* params) {
  const union xnn_f32_minmax_params* bounds = params;
  const v128_t min = wasm_f32x4_splat(bounds->scalar.min), max = wasm_f32x4_splat(bounds->scalar.max);
  const size_t channels = size / sizeof(float);
  const float* weights = packed;
  for (size_t row = 0; row < rows; row += rows_together) {
    const size_t count = rows - row < rows_together ? rows - row : rows_together;
    const float* from = (const float*)((const char*)input + row * in_stride);
    float* to = (float*)((char*)output + row * out_stride);
    size_t i = 0;
    for (; i + 16 <= channels; i += 16) {
      scale_rows(count, from + i, in_stride, weights + 2 * i, to + i, out_stride, 4, 4, min, max);
    }
    for (; i + 4 <= channels; i += 4) {
      scale_rows(count, from + i, in_stride, weights + 2 * i, to + i, out_stride, 1, 4, min, max);
    }
    if (i < channels) {
      scale_rows(count, from + i, in_stride, weights + 2 * i, to + i, out_stride, 1, channels - i, min, max);
    }
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
