/* Quantization of tensors and back, on our own kernels (kernels/quantize.c). */
#include "kernels/quantize.h"

#include "kernels/cast.h"
#include "nest.h"
#include "operator.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 8192 };

/* The tensors of both kinds, and their places in the nest. */
enum { input_tensor, scale_tensor, zero_tensor, output_tensor, num_tensors };

struct quantize_instance {
  const struct quantized_type* type;
  struct nest nest;
  const uint8_t* input;
  const float* scale;
  const int32_t* zero;
  uint8_t* output;
};

static enum xnn_status create_quantize(struct words* params, const void* kernel, const void* bias, void** out) {
  struct quantized_type type = {.element = take(params)};
  type.least = (int32_t)take(params);
  type.greatest = (int32_t)take(params);
  switch (type.element) {
    case pyxnn_int8:
    case pyxnn_uint8:
    case pyxnn_int16:
    case pyxnn_uint16:
      return own_state(&type, sizeof(type), out);
    default:
      return xnn_status_invalid_parameter;
  }
}

static enum xnn_status create_dequantize(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct quantized_type type = {.element = take(params)};
  switch (type.element) {
    case pyxnn_int8:
    case pyxnn_uint8:
    case pyxnn_int16:
    case pyxnn_uint16:
    case pyxnn_int32:
      return own_state(&type, sizeof(type), out);
    default:
      return xnn_status_invalid_parameter;
  }
}

/* Rows of input and output are dense; scale and zero point go along with them or stay. */
static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct quantize_instance* instance = opaque;
  struct nest* nest = &instance->nest;
  const enum xnn_status status = take_nest(dims, num_tensors, nest);
  if (status != xnn_status_success) {
    return status;
  }
  const ptrdiff_t step = nest_column_stride(nest, scale_tensor);
  const bool is_dense = nest->extents[nest->num_dims - 1] == 1 ||
                        (nest_column_stride(nest, input_tensor) == 1 && nest_column_stride(nest, output_tensor) == 1);
  if (!is_dense || nest_column_stride(nest, zero_tensor) != step || (step != 0 && step != 1)) {
    return xnn_status_invalid_parameter;
  }
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct quantize_instance* instance = opaque;
  instance->input = tensors[input_tensor];
  instance->scale = tensors[scale_tensor];
  instance->zero = tensors[zero_tensor];
  instance->output = tensors[output_tensor];
  return xnn_status_success;
}

/* The parameters of a row of a block. */
static struct quantization quantization_of(const struct quantize_instance* instance, const ptrdiff_t* offsets,
                                           ptrdiff_t row) {
  const struct nest* nest = &instance->nest;
  return (struct quantization){
      .scale = instance->scale + offsets[scale_tensor] + row * nest_row_stride(nest, scale_tensor),
      .zero = instance->zero + offsets[zero_tensor] + row * nest_row_stride(nest, zero_tensor),
      .step = (size_t)nest_column_stride(nest, scale_tensor),
  };
}

/* Where a row of a block begins. */
static uint8_t* row_of(const uint8_t* tensor, const struct nest* nest, uint32_t number, const ptrdiff_t* offsets,
                       ptrdiff_t row, enum pyxnn_element element) {
  const ptrdiff_t place = offsets[number] + row * nest_row_stride(nest, number);
  return (uint8_t*)tensor + place * (ptrdiff_t)element_size(element);
}

static void compute_quantize(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct quantize_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  for (ptrdiff_t row = 0; row < (ptrdiff_t)rows; row++) {
    const struct quantization by = quantization_of(instance, offsets, row);
    const uint8_t* input = row_of(instance->input, nest, input_tensor, offsets, row, pyxnn_float32);
    uint8_t* output = row_of(instance->output, nest, output_tensor, offsets, row, instance->type->element);
    quantize_row((const float*)input, &by, output, columns, instance->type);
  }
}

static void compute_dequantize(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct quantize_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  for (ptrdiff_t row = 0; row < (ptrdiff_t)rows; row++) {
    const struct quantization by = quantization_of(instance, offsets, row);
    const uint8_t* input = row_of(instance->input, nest, input_tensor, offsets, row, instance->type->element);
    uint8_t* output = row_of(instance->output, nest, output_tensor, offsets, row, pyxnn_float32);
    dequantize_row(input, instance->type->element, &by, (float*)output, columns);
  }
}

static enum xnn_status run_quantize(void* opaque, pthreadpool_t pool) {
  const struct quantize_instance* instance = opaque;
  nest_run(&instance->nest, compute_quantize, instance, elements_per_task, pool);
  return xnn_status_success;
}

static enum xnn_status run_dequantize(void* opaque, pthreadpool_t pool) {
  const struct quantize_instance* instance = opaque;
  nest_run(&instance->nest, compute_dequantize, instance, elements_per_task, pool);
  return xnn_status_success;
}

const struct operator_type quantize_type = {
    .name = "quantize",
    .num_params = 3,
    .num_refs = num_tensors,
    .create = create_quantize,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct quantize_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run_quantize,
};

const struct operator_type dequantize_type = {
    .name = "dequantize",
    .num_params = 1,
    .num_refs = num_tensors,
    .create = create_dequantize,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct quantize_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run_dequantize,
};
