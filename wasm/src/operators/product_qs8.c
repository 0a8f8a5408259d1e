/*
 * Convolution and fully connected layer of int8, on our own kernel (kernels/product_qs8.c). A fully connected layer is a
 * convolution by a window of one pixel.
 *
 * A task is some output pixels by some output channels of one group. It widens what lies under the windows of its pixels into
 * a scratch of its thread, a row a pixel, then goes through the weights part by part, each with all of its rows.
 */
#include <string.h>

#include "kernels/product_qs8.h"
#include "memory.h"
#include "operator.h"

/* Rows that a thread has widened take at most about so many bytes, so that they stay in the second-level cache; or, where the
 * weights are few, in the first-level one. */
enum { bytes_of_rows = 1 << 17, bytes_of_few_rows = 1 << 14 };

/* Weights that all rows go through at once take about so many, so that they stay in the first-level cache. */
enum { bytes_of_columns = 1 << 14 };

/* With fewer tasks for each thread, where there are several, rows and then columns are shared out finer. */
enum { tasks_per_thread = 4 };

struct product_state {
  struct window window;
  uint32_t dilation_h, dilation_w;
  size_t groups, in_channels, out_channels; /* channels of a group */
  struct requantization requantization;
  size_t depth, columns; /* of a group, filled up */
  int8_t* packed;
  int32_t* bias;
  float* multipliers;
};

struct product_instance {
  const struct product_state* state;
  struct images images;
  size_t out_height, out_width;
  bool is_pointwise; /* output pixels take one input pixel each, in sequence */
  size_t tiles_per_task, columns_per_task, column_tasks;
  const int8_t* input;
  int8_t* output;
  char* workspace;
};

static size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

static size_t round_up(size_t a, size_t b) {
  return divide_up(a, b) * b;
}

/* Packs the weights of one group: element [column, depth] is at column * column_step + depth * depth_step. */
static void pack(const int8_t* kernel, size_t column_step, size_t depth_step, size_t columns, size_t depth,
                 int8_t* packed) {
  const size_t block_size = round_up(depth, product_depths) * product_columns;
  for (size_t column = 0; column < columns; column++) {
    const int8_t* from = kernel + column * column_step;
    int8_t* to = packed + column / product_columns * block_size + column % product_columns * 2;
    for (size_t i = 0; i < depth; i++) {
      to[i / 2 * 2 * product_columns + i % 2] = from[i * depth_step];
    }
  }
}

/* Completes a state whose attributes are set. */
static enum xnn_status create_state(struct product_state* state, const int8_t* kernel, size_t column_step,
                                    size_t depth_step, const void* bias, void** out) {
  const size_t channels = state->groups * state->out_channels;
  const size_t depth = (size_t)state->window.kernel_h * state->window.kernel_w * state->in_channels;
  if (channels == 0 || depth == 0 || state->window.stride_h == 0 || state->window.stride_w == 0 || kernel == NULL ||
      bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  state->depth = round_up(depth, product_depths);
  state->columns = round_up(state->out_channels, product_columns);
  const size_t columns = state->groups * state->columns, size = columns * state->depth;
  state->packed = pyxnn_allocate_zero(size + columns * (sizeof(int32_t) + sizeof(float)));
  if (state->packed == NULL) {
    return xnn_status_out_of_memory;
  }
  state->bias = (int32_t*)(state->packed + size);
  state->multipliers = (float*)(state->bias + columns);
  for (size_t group = 0; group < state->groups; group++) {
    const size_t first = group * state->out_channels, at = group * state->columns;
    pack(kernel + first * depth, column_step, depth_step, state->out_channels, depth,
         state->packed + at * state->depth);
    memcpy(state->bias + at, (const int32_t*)bias + first, state->out_channels * sizeof(int32_t));
    memcpy(state->multipliers + at, (const float*)bias + channels + first, state->out_channels * sizeof(float));
  }
  const enum xnn_status status = own_state(state, sizeof(*state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state->packed);
  }
  return status;
}

static enum xnn_status create_convolution(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct convolution conv = take_convolution(params);
  struct product_state state = {
      .window = conv.window,
      .dilation_h = conv.dilation_h,
      .dilation_w = conv.dilation_w,
      .groups = conv.groups,
      .in_channels = conv.group_in_channels,
      .out_channels = conv.group_out_channels,
      .requantization = take_requantization(params),
  };
  const size_t depth = (size_t)conv.window.kernel_h * conv.window.kernel_w * conv.group_in_channels;
  return create_state(&state, kernel, depth, 1, bias, out);
}

static enum xnn_status create_fully_connected(struct words* params, const void* kernel, const void* bias, void** out) {
  struct product_state state = {
      .window = {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1},
      .dilation_h = 1,
      .dilation_w = 1,
      .groups = 1,
      .in_channels = take(params),
  };
  state.out_channels = take(params);
  state.requantization = take_requantization(params);
  const bool transposed = take(params) != 0;
  return create_state(&state, kernel, transposed ? 1 : state.in_channels, transposed ? state.out_channels : 1, bias,
                      out);
}

static void destroy(void* state) {
  pyxnn_release(((struct product_state*)state)->packed);
  pyxnn_release(state);
}

/* Bytes of a thread's scratch: rows, then what is added to the sums of each. */
static size_t scratch_size(const struct product_instance* instance) {
  const size_t rows = instance->tiles_per_task * product_rows;
  return round_up(rows * (instance->state->depth * sizeof(int16_t) + sizeof(int32_t)), 64);
}

static size_t output_pixels(const struct product_instance* instance) {
  return instance->images.batch * instance->out_height * instance->out_width;
}

static size_t row_tasks(const struct product_instance* instance) {
  return divide_up(output_pixels(instance), instance->tiles_per_task * product_rows);
}

/* Shares the work out, for images and output extents that are set. */
static enum xnn_status plan(struct product_instance* instance, size_t* workspace, pthreadpool_t pool) {
  const struct product_state* state = instance->state;
  if (instance->images.in_pixel_stride < state->groups * state->in_channels ||
      instance->images.out_pixel_stride < state->groups * state->out_channels) {
    return xnn_status_invalid_parameter;
  }
  const size_t threads = pthreadpool_get_threads_count(pool), wanted = threads == 1 ? 1 : threads * tasks_per_thread;
  const size_t tiles = divide_up(output_pixels(instance), product_rows);
  const bool few = state->depth * state->columns <= bytes_of_columns;
  const size_t most = (few ? bytes_of_few_rows : bytes_of_rows) / (product_rows * state->depth * sizeof(int16_t)) + 1;
  const size_t fair = divide_up(tiles * state->groups, wanted);
  instance->tiles_per_task = most < fair ? most : fair;
  const size_t parts = divide_up(wanted, row_tasks(instance) * state->groups);
  instance->columns_per_task = round_up(divide_up(state->columns, parts), product_columns);
  instance->column_tasks = divide_up(state->columns, instance->columns_per_task);
  *workspace = scratch_size(instance) * threads;
  return xnn_status_success;
}

static enum xnn_status reshape_convolution(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct product_instance* instance = opaque;
  const struct product_state* state = instance->state;
  const struct images images = instance->images = take_images(dims);
  const size_t height = images.height + images.pad_top + images.pad_bottom;
  const size_t width = images.width + images.pad_left + images.pad_right;
  const size_t reach_h = state->dilation_h * (state->window.kernel_h - 1) + 1;
  const size_t reach_w = state->dilation_w * (state->window.kernel_w - 1) + 1;
  if (height < reach_h || width < reach_w) {
    return xnn_status_invalid_parameter;
  }
  instance->out_height = (height - reach_h) / state->window.stride_h + 1;
  instance->out_width = (width - reach_w) / state->window.stride_w + 1;
  instance->is_pointwise = state->window.kernel_h * state->window.kernel_w == 1 && height == images.height &&
                           width == images.width && state->window.stride_h * state->window.stride_w == 1;
  return plan(instance, workspace, pool);
}

static enum xnn_status reshape_fully_connected(void* opaque, struct words* dims, size_t* workspace,
                                               pthreadpool_t pool) {
  struct product_instance* instance = opaque;
  instance->out_height = 1;
  instance->out_width = take(dims);
  instance->is_pointwise = true;
  instance->images = (struct images){.batch = 1, .height = 1, .width = instance->out_width};
  instance->images.in_pixel_stride = take(dims);
  instance->images.out_pixel_stride = take(dims);
  return plan(instance, workspace, pool);
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct product_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

/* Widens one row of the pixels under a window; `from` is the row of the image, or NULL for one outside. */
static int16_t* widen_row(const struct product_instance* instance, const int8_t* from, ptrdiff_t column, int16_t* to) {
  const struct product_state* state = instance->state;
  const size_t taps = state->window.kernel_w, channels = state->in_channels, step = instance->images.in_pixel_stride;
  const ptrdiff_t width = (ptrdiff_t)instance->images.width, dilation = (ptrdiff_t)state->dilation_w;
  const int8_t zero = state->requantization.in_zero_point;
  const ptrdiff_t last = column + dilation * ((ptrdiff_t)taps - 1);
  if (from != NULL && column >= 0 && last < width && dilation == 1 && step == channels) {
    product_widen(from + (size_t)column * step, taps * channels, zero, to);
    return to + taps * channels;
  }
  for (size_t tap = 0; tap < taps; tap++) {
    if (from != NULL && column >= 0 && column < width) {
      product_widen(from + (size_t)column * step, channels, zero, to);
    } else {
      memset(to, 0, channels * sizeof(*to));
    }
    column += dilation;
    to += channels;
  }
  return to;
}

/* Widens what lies under the windows of output pixels: `state->depth` numbers each. */
static void widen_windows(const struct product_instance* instance, size_t group, size_t first, size_t count,
                          int16_t* rows) {
  const struct product_state* state = instance->state;
  const struct images* images = &instance->images;
  const size_t line = images->width * images->in_pixel_stride;
  size_t x = first % instance->out_width, row = first / instance->out_width;
  for (size_t i = 0; i < count; i++) {
    const size_t image = row / instance->out_height, y = row % instance->out_height;
    const ptrdiff_t top = (ptrdiff_t)(y * state->window.stride_h) - (ptrdiff_t)images->pad_top;
    const ptrdiff_t left = (ptrdiff_t)(x * state->window.stride_w) - (ptrdiff_t)images->pad_left;
    const int8_t* input = instance->input + image * images->height * line + group * state->in_channels;
    int16_t* to = rows + i * state->depth;
    product_clear(to + state->depth - product_depths);
    for (size_t tap = 0; tap < state->window.kernel_h; tap++) {
      const ptrdiff_t at = top + (ptrdiff_t)(tap * state->dilation_h);
      const bool inside = at >= 0 && at < (ptrdiff_t)images->height;
      to = widen_row(instance, inside ? input + (size_t)at * line : NULL, left, to);
    }
    if (++x == instance->out_width) {
      x = 0;
      row += 1;
    }
  }
}

/* The same for any windows. */
static void widen(const struct product_instance* instance, size_t group, size_t first, size_t count, int16_t* rows) {
  const struct product_state* state = instance->state;
  if (!instance->is_pointwise) {
    widen_windows(instance, group, first, count, rows);
    return;
  }
  const size_t stride = instance->images.in_pixel_stride;
  const int8_t* input = instance->input + first * stride + group * state->in_channels;
  if (stride == state->depth) {
    product_widen(input, count * stride, state->requantization.in_zero_point, rows);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    product_clear(rows + (i + 1) * state->depth - product_depths);
    product_widen(input + i * stride, state->in_channels, state->requantization.in_zero_point, rows + i * state->depth);
  }
}

static void compute(void* context, size_t thread, size_t group, size_t task) {
  const struct product_instance* instance = context;
  const struct product_state* state = instance->state;
  const struct requantization* to = &state->requantization;
  const size_t most = instance->tiles_per_task * product_rows;
  const size_t first = task / instance->column_tasks * most, rest = output_pixels(instance) - first;
  const size_t count = rest < most ? rest : most;
  int16_t* rows = (int16_t*)(instance->workspace + thread * scratch_size(instance));
  int32_t* offsets = (int32_t*)(rows + most * state->depth);
  widen(instance, group, first, count, rows);
  if (to->kernel_zero_point != 0) {
    product_row_sums(rows, count, state->depth, offsets);
    for (size_t i = 0; i < count; i++) {
      offsets[i] *= -to->kernel_zero_point;
    }
  }
  const size_t begin = task % instance->column_tasks * instance->columns_per_task;
  const size_t end = begin + instance->columns_per_task;
  int8_t* output = instance->output + first * instance->images.out_pixel_stride + group * state->out_channels;
  const size_t limit = end < state->out_channels ? end : state->out_channels;
  const size_t step = round_up(bytes_of_columns / state->depth + 1, product_columns);
  for (size_t column = begin; column < limit; column += step) {
    const size_t at = group * state->columns + column, left = limit - column;
    for (size_t i = 0; i < count; i += product_rows) {
      product_qs8(&(struct product_tile){
          .rows = rows + i * state->depth,
          .count = count - i < product_rows ? count - i : product_rows,
          .depth = state->depth,
          .row_offsets = to->kernel_zero_point != 0 ? offsets + i : NULL,
          .columns = state->packed + at * state->depth,
          .bias = state->bias + at,
          .multipliers = state->multipliers + at,
          .num_columns = left < step ? left : step,
          .output = output + i * instance->images.out_pixel_stride + column,
          .output_stride = instance->images.out_pixel_stride,
          .zero_point = to->out_zero_point,
          .min = to->min,
          .max = to->max,
      });
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct product_instance* instance = opaque;
  pthreadpool_parallelize_2d_with_thread(pool, compute, opaque, instance->state->groups,
                                         row_tasks(instance) * instance->column_tasks,
                                         PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type convolution_qs8_type = {
    .name = "convolution of int8",
    .num_params = 15,
    .num_refs = 2,
    .create = create_convolution,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_convolution,
    .setup = setup,
    .run = run,
};

const struct operator_type fully_connected_qs8_type = {
    .name = "fully connected of int8",
    .num_params = 8,
    .num_refs = 2,
    .create = create_fully_connected,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_fully_connected,
    .setup = setup,
    .run = run,
};
