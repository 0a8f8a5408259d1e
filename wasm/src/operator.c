#include "operator.h"

#include <string.h>
#include <xnnpack/operator.h>

#include "error.h"
#include "memory.h"

static const struct operator_type* const types[] = {
    [pyxnn_convolution] = &convolution_type,
    [pyxnn_fully_connected] = &fully_connected_type,
    [pyxnn_batch_matmul] = &batch_matmul_type,
    [pyxnn_binary] = &binary_type,
    [pyxnn_unary] = &unary_type,
    [pyxnn_reduce] = &reduce_type,
    [pyxnn_softmax] = &softmax_type,
    [pyxnn_transpose] = &transpose_type,
    [pyxnn_copy] = &copy_type,
    [pyxnn_depthwise] = &depthwise_type,
    [pyxnn_deconvolution] = &deconvolution_type,
    [pyxnn_function] = &function_type,
    [pyxnn_gather] = &gather_type,
    [pyxnn_typed_binary] = &typed_binary_type,
    [pyxnn_select] = &select_type,
    [pyxnn_cast] = &cast_type,
    [pyxnn_arg_extreme] = &arg_extreme_type,
    [pyxnn_top_k] = &top_k_type,
    [pyxnn_running] = &running_type,
    [pyxnn_pick] = &pick_type,
    [pyxnn_resample] = &resample_type,
    [pyxnn_pool] = &pool_type,
    [pyxnn_convolution_nd] = &convolution_nd_type,
    [pyxnn_convolution_computed] = &convolution_computed_type,
    [pyxnn_grid_sample] = &grid_sample_type,
    [pyxnn_attention] = &attention_type,
    [pyxnn_tensor_scatter] = &tensor_scatter_type,
    [pyxnn_recurrent] = &recurrent_type,
    [pyxnn_normalize] = &normalize_type,
    [pyxnn_local_response] = &local_response_type,
    [pyxnn_convolution_qs8] = &convolution_qs8_type,
    [pyxnn_fully_connected_qs8] = &fully_connected_qs8_type,
    [pyxnn_quantize] = &quantize_type,
    [pyxnn_dequantize] = &dequantize_type,
    [pyxnn_lookup] = &lookup_type,
    [pyxnn_dynamic_quantize] = &dynamic_quantize_type,
    [pyxnn_convolution_integer] = &convolution_integer_type,
    [pyxnn_convolution_integer_computed] = &convolution_integer_computed_type,
    [pyxnn_depthwise_qs8] = &depthwise_qs8_type,
    [pyxnn_roi_align] = &roi_align_type,
    [pyxnn_roi_pool] = &roi_pool_type,
    [pyxnn_binary_qs8] = &binary_qs8_type,
    [pyxnn_scatter] = &scatter_type,
    [pyxnn_matmul_nbits] = &matmul_nbits_type,
    [pyxnn_mean_qs8] = &mean_qs8_type,
    [pyxnn_rotary] = &rotary_type,
    [pyxnn_winograd] = &winograd_type,
    [pyxnn_batch_matmul_qs8] = &batch_matmul_qs8_type,
    [pyxnn_softmax_qs8] = &softmax_qs8_type,
    [pyxnn_normalize_qs8] = &normalize_qs8_type,
    [pyxnn_mean_pool_qs8] = &mean_pool_qs8_type,
    [pyxnn_small_matmul] = &small_matmul_type,
    [pyxnn_widen] = &widen_type,
    [pyxnn_narrow] = &narrow_type,
    [pyxnn_linear_attention] = &linear_attention_type,
    [pyxnn_winograd_qs8] = &winograd_qs8_type,
    [pyxnn_unpool] = &unpool_type,
    [pyxnn_multiply_add] = &multiply_add_type,
};

static const uint32_t num_types = sizeof(types) / sizeof(types[0]);

uint32_t take(struct words* words) {
  if (words->left == 0) {
    words->exhausted = true;
    return 0;
  }
  words->left -= 1;
  return *words->next++;
}

float take_float(struct words* words) {
  const uint32_t bits = take(words);
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

struct window take_window(struct words* words) {
  struct window window;
  window.kernel_h = take(words);
  window.kernel_w = take(words);
  window.stride_h = take(words);
  window.stride_w = take(words);
  return window;
}

struct convolution take_convolution(struct words* words) {
  struct convolution conv;
  conv.window = take_window(words);
  conv.dilation_h = take(words);
  conv.dilation_w = take(words);
  conv.groups = take(words);
  conv.group_in_channels = take(words);
  conv.group_out_channels = take(words);
  conv.padded = take(words);
  return conv;
}

struct images take_images(struct words* words) {
  struct images images;
  images.batch = take(words);
  images.height = take(words);
  images.width = take(words);
  images.pad_top = take(words);
  images.pad_right = take(words);
  images.pad_bottom = take(words);
  images.pad_left = take(words);
  images.in_pixel_stride = take(words);
  images.out_pixel_stride = take(words);
  return images;
}

struct requantization take_requantization(struct words* words) {
  struct requantization requantization;
  requantization.in_zero_point = (int8_t)take(words);
  requantization.out_zero_point = (int8_t)take(words);
  requantization.min = (int8_t)take(words);
  requantization.max = (int8_t)take(words);
  return requantization;
}

struct rows take_rows(struct words* words) {
  struct rows rows;
  rows.count = take(words);
  rows.channels = take(words);
  rows.in_stride = take(words);
  rows.out_stride = take(words);
  return rows;
}

bool fold_rows(struct rows* rows) {
  if (rows->in_stride == rows->channels && rows->out_stride == rows->channels) {
    rows->channels *= rows->count;
    rows->count = 1;
    return true;
  }
  return rows->in_stride >= rows->channels && rows->out_stride >= rows->channels;
}

const uint32_t* take_words(struct words* words, uint32_t count) {
  if (count > words->left) {
    words->exhausted = true;
    return NULL;
  }
  const uint32_t* taken = words->next;
  words->next += count;
  words->left -= count;
  return taken;
}

const size_t* take_extents(struct words* words, uint32_t count) {
  _Static_assert(sizeof(size_t) == sizeof(uint32_t), "words are read as extents in place");
  return (const size_t*)take_words(words, count);
}

enum pyxnn_status pyxnn_operator_create(uint32_t kind, const uint32_t* params, uint32_t num_params, const void* kernel,
                                        const void* bias, pyxnn_operator** out) {
  if (kind >= num_types || types[kind] == NULL) {
    return pyxnn_error(pyxnn_invalid_argument, "no operator kind %u", (unsigned)kind);
  }
  const struct operator_type* type = types[kind];
  if (num_params != type->num_params) {
    return pyxnn_error(pyxnn_invalid_argument, "%s takes %u parameter words, not %u", type->name,
                       (unsigned)type->num_params, (unsigned)num_params);
  }
  pyxnn_operator* op = pyxnn_allocate_zero(sizeof(*op));
  if (op == NULL) {
    return pyxnn_error(pyxnn_out_of_memory, "out of memory while creating %s", type->name);
  }
  op->type = type;
  op->references = 1;
  struct words words = {.next = params, .left = num_params};
  const enum xnn_status status = type->create(&words, kernel, bias, &op->state);
  if (status != xnn_status_success) {
    pyxnn_release(op);
    return pyxnn_error_from_xnn(status, "creating", type->name);
  }
  *out = op;
  return pyxnn_ok;
}

void pyxnn_operator_free(pyxnn_operator* op) {
  if (op != NULL && --op->references == 0) {
    op->type->destroy(op->state);
    pyxnn_release(op);
  }
}

/* A copy of `prototype` that can be reshaped. What creation has allocated stays the prototype's, and is shared. */
static enum xnn_status copy_prototype(const struct xnn_operator* prototype, void** out) {
  struct xnn_operator* copy = pyxnn_allocate(sizeof(*copy));
  if (copy == NULL) {
    return xnn_status_out_of_memory;
  }
  *copy = *prototype;
  if (prototype->subconvolution_buffer != NULL) {
    /* The phases of a transposed convolution's strides: creation makes them, but reshaping writes to them. */
    const size_t phases = prototype->stride_height * prototype->stride_width;
    const size_t size = phases * sizeof(*prototype->subconvolution_buffer);
    copy->subconvolution_buffer = pyxnn_allocate(size);
    if (copy->subconvolution_buffer == NULL) {
      pyxnn_release(copy);
      return xnn_status_out_of_memory;
    }
    memcpy(copy->subconvolution_buffer, prototype->subconvolution_buffer, size);
  }
  *out = copy;
  return xnn_status_success;
}

/* What creation has allocated belongs to the prototype; what reshaping has, to the copy. */
static void delete_copy(const struct xnn_operator* prototype, struct xnn_operator* copy) {
  if (copy->packed_weights.pointer == prototype->packed_weights.pointer) {
    copy->packed_weights.pointer = NULL;
  }
  if (copy->zero_buffer == prototype->zero_buffer) {
    copy->zero_buffer = NULL;
  }
  if (copy->lookup_table == prototype->lookup_table) {
    copy->lookup_table = NULL;
  }
  xnn_delete_operator(copy);
}

enum xnn_status instance_create(const pyxnn_operator* op, void** out) {
  if (op->type->instance_size == 0) {
    return copy_prototype(op->state, out);
  }
  const void** instance = pyxnn_allocate_zero(op->type->instance_size);
  if (instance == NULL) {
    return xnn_status_out_of_memory;
  }
  *instance = op->state;
  *out = instance;
  return xnn_status_success;
}

void instance_release(const pyxnn_operator* op, void* instance) {
  if (op->type->instance_size == 0) {
    delete_copy(op->state, instance);
  } else {
    pyxnn_release(instance);
  }
}

enum xnn_status own_state(const void* state, size_t size, void** out) {
  void* copy = pyxnn_allocate(size);
  if (copy == NULL) {
    return xnn_status_out_of_memory;
  }
  memcpy(copy, state, size);
  *out = copy;
  return xnn_status_success;
}

bool is_element_size(size_t size) {
  return size == 1 || size == 2 || size == 4 || size == 8;
}

enum xnn_status own_element_size(size_t size, void** out) {
  return is_element_size(size) ? own_state(&size, sizeof(size), out) : xnn_status_invalid_parameter;
}

void xnn_state_destroy(void* state) {
  xnn_delete_operator(state);
}

enum xnn_status xnn_instance_set_strides(void* instance, size_t in_stride, size_t out_stride) {
  struct xnn_operator* op = instance;
  /* Creation has set both to as many elements as a row has, and reshaping never writes to them. */
  if (in_stride < op->input_pixel_stride || out_stride < op->output_pixel_stride) {
    return xnn_status_invalid_parameter;
  }
  op->input_pixel_stride = in_stride;
  op->output_pixel_stride = out_stride;
  return xnn_status_success;
}

enum xnn_status xnn_instance_set_images(void* instance, const struct images* images) {
  struct xnn_operator* op = instance;
  const uint32_t pads = images->pad_top | images->pad_right | images->pad_bottom | images->pad_left;
  if (pads != 0 && op->zero_buffer == NULL) { /* where pixels of the padding are read from */
    return xnn_status_invalid_parameter;
  }
  op->padding_top = images->pad_top;
  op->padding_right = images->pad_right;
  op->padding_bottom = images->pad_bottom;
  op->padding_left = images->pad_left;
  return xnn_instance_set_strides(instance, images->in_pixel_stride, images->out_pixel_stride);
}

enum xnn_status xnn_instance_run(void* instance, pthreadpool_t pool) {
  return xnn_run_operator(instance, pool);
}
