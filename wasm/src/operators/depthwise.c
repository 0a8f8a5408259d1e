/*
 * Depthwise convolution on our own kernel (kernels/depthwise.c).
 *
 * Packed weights: for each group of four channels (the last one filled up with zeros), kernel_h rows of kernel_w vectors
 * of four; after all groups, the bias of each channel.
 */
#include "kernels/depthwise.h"

#include <string.h>

#include "memory.h"
#include "operator.h"
#include "sizes.h"

/* A multiple of four, small enough that the rows of a tile stay in the first-level cache. */
enum { channels_per_task = 64 };
enum { max_columns = (depthwise_tile - 1) * 2 + 5 };

struct depthwise_state {
  const struct depthwise_kernel* kernel;
  struct window window;
  uint32_t channels;
  float min, max;
  float* weights;
  const float* bias;
};

struct depthwise_instance {
  const struct depthwise_state* state;
  struct images images;
  size_t out_height, out_width;
  const float* input;
  float* output;
};

static size_t groups_of_four(const struct depthwise_state* state) {
  return divide_up(state->channels, 4);
}

static void pack(struct depthwise_state* state, const float* kernel, const float* bias) {
  const size_t taps = (size_t)state->window.kernel_h * state->window.kernel_w;
  float* packed_bias = state->weights + groups_of_four(state) * taps * 4;
  for (size_t c = 0; c < state->channels; c++) {
    float* group = state->weights + c / 4 * taps * 4 + c % 4;
    for (size_t t = 0; t < taps; t++) {
      group[t * 4] = kernel[c * taps + t];
    }
    packed_bias[c] = bias != NULL ? bias[c] : 0.0f;
  }
  state->bias = packed_bias;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct depthwise_state state = {.window = take_window(params)};
  state.channels = take(params);
  state.min = take_float(params);
  state.max = take_float(params);
  state.kernel = depthwise_choose(state.window.kernel_w, state.window.stride_w);
  if (state.kernel == NULL) {
    return xnn_status_unsupported_parameter;
  }
  if (state.window.kernel_h == 0 || state.window.stride_h == 0 || state.channels == 0 || kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t vectors = groups_of_four(&state) * ((size_t)state.window.kernel_h * state.window.kernel_w + 1);
  state.weights = pyxnn_allocate_zero(vectors * 4 * sizeof(float));
  if (state.weights == NULL) {
    return xnn_status_out_of_memory;
  }
  pack(&state, kernel, bias);
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.weights);
  }
  return status;
}

static void destroy(void* state) {
  pyxnn_release(((struct depthwise_state*)state)->weights);
  pyxnn_release(state);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct depthwise_instance* instance = opaque;
  const struct depthwise_state* state = instance->state;
  const struct images images = instance->images = take_images(dims);
  if (images.in_pixel_stride < state->channels || images.out_pixel_stride < state->channels) {
    return xnn_status_invalid_parameter;
  }
  const size_t padded_height = images.height + images.pad_top + images.pad_bottom;
  const size_t padded_width = images.width + images.pad_left + images.pad_right;
  if (padded_height < state->window.kernel_h || padded_width < state->window.kernel_w) {
    return xnn_status_invalid_parameter;
  }
  instance->out_height = (padded_height - state->window.kernel_h) / state->window.stride_h + 1;
  instance->out_width = (padded_width - state->window.kernel_w) / state->window.stride_w + 1;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct depthwise_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

/* Computes channels [channel, channel + count) of one row of the output. */
static void compute_row(void* context, size_t row, size_t channel, size_t count) {
  const struct depthwise_instance* instance = context;
  const struct depthwise_state* state = instance->state;
  const struct images* images = &instance->images;
  const size_t stride = state->window.stride_w;
  const size_t image = row / instance->out_height;
  const ptrdiff_t top = (ptrdiff_t)(row % instance->out_height * state->window.stride_h) - (ptrdiff_t)images->pad_top;
  const size_t rows_above = top < 0 ? (size_t)-top : 0;
  const ptrdiff_t rows_inside = (ptrdiff_t)images->height - top;
  const size_t rows_end = rows_inside < (ptrdiff_t)state->window.kernel_h ? (size_t)(rows_inside > 0 ? rows_inside : 0)
                                                                          : state->window.kernel_h;
  const size_t row_vectors = (size_t)state->window.kernel_w * 4;

  struct depthwise_tile_arguments tile = {
      .row_stride = images->width * images->in_pixel_stride,
      .pixel_stride = images->in_pixel_stride,
      .weights = state->weights + channel / 4 * state->window.kernel_h * row_vectors + rows_above * row_vectors,
      .weights_stride = state->window.kernel_h * row_vectors,
      .rows = rows_end > rows_above ? rows_end - rows_above : 0,
      .bias = state->bias + channel,
      .output_stride = images->out_pixel_stride,
      .channels = count,
      .min = state->min,
      .max = state->max,
  };
  const float* input = instance->input + image * images->height * tile.row_stride +
                       (top + (ptrdiff_t)rows_above) * (ptrdiff_t)tile.row_stride + channel;
  float* output = instance->output + row * instance->out_width * tile.output_stride + channel;
  const size_t num_columns = (depthwise_tile - 1) * stride + state->window.kernel_w;

  for (size_t x = 0; x < instance->out_width; x += depthwise_tile) {
    const ptrdiff_t left = (ptrdiff_t)(x * stride) - (ptrdiff_t)images->pad_left;
    const size_t pixels = instance->out_width - x;
    tile.output = output + x * tile.output_stride;
    if (left >= 0 && left + (ptrdiff_t)num_columns <= (ptrdiff_t)images->width && pixels >= depthwise_tile) {
      tile.input = input + (size_t)left * tile.pixel_stride;
      state->kernel->inner(&tile);
      continue;
    }
    ptrdiff_t columns[max_columns];
    for (size_t c = 0; c < num_columns; c++) {
      const ptrdiff_t column = left + (ptrdiff_t)c;
      const bool inside = column >= 0 && column < (ptrdiff_t)images->width;
      columns[c] = inside ? column * (ptrdiff_t)tile.pixel_stride : depthwise_outside;
    }
    tile.input = input;
    state->kernel->border(&tile, columns, smaller(pixels, depthwise_tile));
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct depthwise_instance* instance = opaque;
  pthreadpool_parallelize_2d_tile_1d(pool, compute_row, opaque, instance->images.batch * instance->out_height,
                                     instance->state->channels, channels_per_task, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type depthwise_type = {
    .name = "depthwise convolution",
    .num_params = 7,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct depthwise_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
