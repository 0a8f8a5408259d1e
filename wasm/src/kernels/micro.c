#include "kernels/micro.h"

#include <math.h>
#include <xnnpack/config.h>

#include "kernels/panel.h"

#define INLINE static inline __attribute__((always_inline))

/* One row by panels that begin with their biases; sizes and strides are XNNPACK's, in bytes. */
INLINE void multiply_row(size_t columns, size_t row_size, const float* row, const float* weights, float* output,
                         size_t out_stride, float min, float max) {
  const v128_t least = wasm_f32x4_splat(min), most = wasm_f32x4_splat(max);
  const size_t depth = row_size / sizeof(float);
  for (;;) {
    v128_t sums[2];
    panel_row_product(row, weights + panel_width, depth, sums);
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

void micro_install(void) {
  struct xnn_gemm_config* product = (struct xnn_gemm_config*)xnn_init_f32_gemm_config();
  product->minmax.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_bounded;
  product->linear.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_any;
  product->relu.gemm[0].function[XNN_UARCH_DEFAULT] = multiply_row_relu;
}
