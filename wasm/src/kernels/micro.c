#include "kernels/micro.h"

#include <math.h>
#include <xnnpack/config.h>

#include "kernels/panel.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

/* XNNPACK's arguments, sizes and strides of which are in floats. */
struct product {
  size_t columns, depth, out_stride;
  const float* row;
  const float* weights; /* panels that begin with their biases */
  float* output;
  v128_t least, most;
};

/* The next `count` panels, of which but the last are whole. */
INLINE void multiply_panels(struct product* product, size_t count) {
  const size_t stride = panel_width * (1 + product->depth);
  v128_t sums[panel_rows][2];
  panel_row_products(product->row, product->weights + panel_width, stride, product->depth, count, 1, sums);
#pragma unroll
  for (size_t p = 0; p < count; p++) {
    const float* bias = product->weights + p * stride;
    float* output = product->output + p * product->out_stride;
    const size_t columns = product->columns - p * panel_width;
    const v128_t left = wasm_f32x4_add(sums[p][0], wasm_v128_load(bias));
    simd_store(output, simd_clamp(left, product->least, product->most), columns);
    if (columns > 4) {
      const v128_t right = wasm_f32x4_add(sums[p][1], wasm_v128_load(bias + 4));
      simd_store(output + 4, simd_clamp(right, product->least, product->most), columns - 4);
    }
  }
  product->columns -= smaller(product->columns, count * panel_width);
  product->weights += count * stride;
  product->output += count * product->out_stride;
}

/* One row by all panels; sizes and strides are XNNPACK's, in bytes. */
INLINE void multiply_row(size_t columns, size_t row_size, const float* row, const float* weights, float* output,
                         size_t out_stride, float min, float max) {
  struct product product = {.columns = columns,
                            .depth = row_size / sizeof(float),
                            .out_stride = out_stride / sizeof(float),
                            .row = row,
                            .weights = weights,
                            .output = output,
                            .least = wasm_f32x4_splat(min),
                            .most = wasm_f32x4_splat(max)};
  while (product.columns > 3 * panel_width) {
    multiply_panels(&product, 4);
  }
  while (product.columns > panel_width) {
    multiply_panels(&product, 2);
  }
  while (product.columns > 0) {
    multiply_panels(&product, 1);
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

void micro_install(void) {
  struct xnn_gemm_config* product = (struct xnn_gemm_config*)xnn_init_f32_gemm_config();
  product->minmax.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_bounded;
  product->linear.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_any;
  product->relu.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_relu;
}
