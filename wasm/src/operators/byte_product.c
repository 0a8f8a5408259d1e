/*
 * Products of bytes on our own kernel (kernels/byte_product.c): convolutions over up to three axes, fully connected layers and
 * products of matrices, which are convolutions by windows of one pixel, one for each group.
 *
 * A task is some output pixels by some output channels of one group. It widens what lies under the windows of its pixels into
 * a scratch of its thread, a row a pixel, then goes through the columns part by part, each with all of its rows. Columns are
 * packed when the operator is created, or when it runs if they are computed.
 */
#include "kernels/byte_product.h"

#include <string.h>

#include "kernels/requantize.h"
#include "memory.h"
#include "product_packing.h"
#include "product_windows.h"
#include "sizes.h"

/* Rows that a thread has widened take at most about so many bytes, so that they stay in the second-level cache; or, where the
 * weights are few, in the first-level one. */
enum { bytes_of_rows = 1 << 17, bytes_of_few_rows = 1 << 14 };

/* Columns that all rows go through at once take about so many, so that they stay in the first-level cache. */
enum { bytes_of_columns = 1 << 13 };

/* Columns that so many tiles go through are widened before. */
enum { many_tiles = 4 };

/* Tasks for each of several threads, at least; rows that a task may have however deep they are. */
enum { tasks_per_thread = 4, least_rows = 2 * product_rows };

struct product_state {
  struct convolution convolution; /* of the kinds that have one */
  struct extents extents;         /* but for products of matrices */
  size_t runs;                    /* of bytes in a row, by which columns are packed; 0 for one */
  bool in_is_signed, kernel_is_signed, has_zeros;
  int8_t in_zero_point, kernel_zero_point;
  float multiplier; /* one for all */
  bool has_addend;
  struct product_result result;
  struct columns columns; /* constant ones; in one block of memory */
};

struct product_instance {
  const struct product_state* state;
  struct extents extents;
  struct product_windows windows;
  size_t pixels; /* of the output */
  size_t inner_groups;
  struct group_steps in_group, kernel_group, out_group;
  size_t column_step, depth_step, out_pixel_step;
  size_t in_zero_step, kernel_zero_step, scale_step;
  size_t rows_per_task, columns_per_task, column_tasks;
  const uint8_t *input, *in_zeros, *kernel, *kernel_zeros;
  const float* scales; /* NULL where multipliers are constant */
  const float* addend; /* NULL where there is none */
  char* output;
  char* workspace;
};

/* Weights that come with an operator, by channel. */
struct weights {
  struct product_source kernel;
  size_t group_step;
  const int32_t *zeros, *offsets; /* the latter may be NULL */
  const float *multipliers, *bias;
};

/* Completes a state whose attributes are set. */
static enum xnn_status create_state(struct product_state* state, const struct weights* weights, void** out) {
  const struct extents* extents = &state->extents;
  const size_t channels = extents->groups * extents->out_channels;
  if (channels == 0 || depth_of(extents) == 0) {
    return xnn_status_invalid_parameter;
  }
  char* memory = pyxnn_allocate_zero(columns_size(extents));
  if (memory == NULL) {
    return xnn_status_out_of_memory;
  }
  struct columns* columns = &state->columns;
  *columns = lay_columns(extents, memory);
  pack_columns(&(struct packing){extents,
                                 *columns,
                                 weights->kernel,
                                 {weights->group_step * extents->groups, weights->group_step},
                                 extents->groups},
               NULL);
  for (size_t i = 0; i < channels; i++) {
    const size_t at = column_of(extents, i);
    columns->zeros[at] = weights->zeros[i] - (weights->kernel.is_signed ? 0 : 128);
    state->has_zeros |= columns->zeros[at] != 0;
    columns->offsets[at] = weights->offsets != NULL ? weights->offsets[i] : 0;
    columns->multipliers[at] = weights->multipliers != NULL ? weights->multipliers[i] : 0.0f;
    columns->bias[at] = weights->bias != NULL ? weights->bias[i] : 0.0f;
  }
  const enum xnn_status status = own_state(state, sizeof(*state), out);
  if (status != xnn_status_success) {
    pyxnn_release(memory);
  }
  return status;
}

static void set_requantization(struct product_state* state, struct requantization to) {
  state->in_is_signed = state->kernel_is_signed = true;
  state->in_zero_point = to.in_zero_point;
  state->result = (struct product_result){
      .type = product_int8, .zero_point = to.out_zero_point, .min = to.min, .max = to.max, .is_far = true};
}

/* Those of int8, with biases, multipliers and zero points of channels. */
static enum xnn_status create_qs8(struct product_state* state, const int8_t* kernel, size_t column_step,
                                  size_t depth_step, const void* bias, void** out) {
  const struct extents* extents = &state->extents;
  if (kernel == NULL || bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t channels = extents->groups * extents->out_channels;
  const float* multipliers = (const float*)bias + channels;
  state->result.is_far = requantize_is_far(depth_of(extents), bias, multipliers, channels);
  return create_state(state,
                      &(struct weights){
                          .kernel = {(const uint8_t*)kernel, column_step, depth_step, true},
                          .group_step = extents->out_channels * depth_of(extents),
                          .zeros = (const int32_t*)bias + 2 * channels,
                          .offsets = bias,
                          .multipliers = multipliers,
                      },
                      out);
}

/* Brings the depths of columns into the sequence of those of rows in runs. */
static void order_by_runs(const int8_t* columns, size_t count, size_t runs, size_t size, int8_t* ordered) {
  const size_t whole = size / product_run_depths * product_run_depths, rest = size - whole;
  for (size_t column = 0; column < count; column++) {
    for (size_t run = 0; run < runs; run++) {
      memcpy(ordered + run * whole, columns + run * size, whole);
      memcpy(ordered + runs * whole + run * rest, columns + run * size + whole, rest);
    }
    columns += runs * size;
    ordered += runs * size;
  }
}

static enum xnn_status create_convolution(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct convolution conv = take_convolution(params);
  struct product_state state = {
      .convolution = conv,
      .extents = {(size_t)conv.window.kernel_h * conv.window.kernel_w, conv.groups, conv.group_in_channels,
                  conv.group_out_channels},
  };
  set_requantization(&state, take_requantization(params));
  if (conv.window.stride_h == 0 || conv.window.stride_w == 0) {
    return xnn_status_invalid_parameter;
  }
  state.runs = conv.window.kernel_h;
  const size_t depth = depth_of(&state.extents), columns = state.extents.groups * state.extents.out_channels;
  if (kernel == NULL || state.runs <= 1 || depth / state.runs % product_run_depths == 0) {
    return create_qs8(&state, kernel, depth, 1, bias, out);
  }
  int8_t* ordered = pyxnn_allocate(columns * depth);
  if (ordered == NULL) {
    return xnn_status_out_of_memory;
  }
  order_by_runs(kernel, columns, state.runs, depth / state.runs, ordered);
  const enum xnn_status status = create_qs8(&state, ordered, depth, 1, bias, out);
  pyxnn_release(ordered);
  return status;
}

static enum xnn_status create_fully_connected(struct words* params, const void* kernel, const void* bias, void** out) {
  struct product_state state = {.extents = {.taps = 1, .groups = 1, .in_channels = take(params)}};
  state.extents.out_channels = take(params);
  set_requantization(&state, take_requantization(params));
  const bool transposed = take(params) != 0;
  return create_qs8(&state, kernel, transposed ? 1 : state.extents.in_channels,
                    transposed ? state.extents.out_channels : 1, bias, out);
}

static enum xnn_status create_batch_matmul(struct words* params, const void* kernel, const void* bias, void** out) {
  struct product_state state = {.has_zeros = true};
  set_requantization(&state, take_requantization(params));
  state.kernel_zero_point = (int8_t)take(params);
  state.multiplier = take_float(params);
  return own_state(&state, sizeof(state), out);
}

static struct product_state take_integer_state(struct words* params) {
  struct product_state state = {.extents = {.taps = take(params)}};
  state.extents.groups = take(params);
  state.extents.in_channels = take(params);
  state.extents.out_channels = take(params);
  state.in_is_signed = take(params) != 0;
  state.kernel_is_signed = take(params) != 0;
  state.result.type = take(params) != 0 ? product_float : product_int32;
  state.has_addend = take(params) != 0;
  state.result.low = take_float(params);
  state.result.high = take_float(params);
  return state;
}

static enum xnn_status create_integer(struct words* params, const void* kernel, const void* bias, void** out) {
  struct product_state state = take_integer_state(params);
  const struct extents* extents = &state.extents;
  if (kernel == NULL || bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t depth = depth_of(extents);
  return create_state(
      &state,
      &(struct weights){
          .kernel = {kernel, depth, 1, state.kernel_is_signed},
          .group_step = extents->out_channels * depth,
          .zeros = bias,
          .bias =
              state.result.type == product_float ? (const float*)bias + extents->groups * extents->out_channels : NULL,
      },
      out);
}

static enum xnn_status create_integer_computed(struct words* params, const void* kernel, const void* bias, void** out) {
  struct product_state state = take_integer_state(params);
  if (state.extents.groups * state.extents.out_channels * depth_of(&state.extents) == 0 ||
      state.result.type != product_int32) {
    return xnn_status_invalid_parameter;
  }
  state.has_zeros = true;
  return own_state(&state, sizeof(state), out);
}

static void destroy(void* state) {
  pyxnn_release(((struct product_state*)state)->columns.bytes);
  pyxnn_release(state);
}

static bool is_computed(const struct product_instance* instance) {
  return instance->state->columns.bytes == NULL;
}

/* What the workspace begins with: columns, or the multipliers of constant ones, if either is computed. */
static size_t shared_size(const struct product_instance* instance) {
  const struct extents* extents = &instance->extents;
  if (is_computed(instance)) {
    return columns_size(extents);
  }
  return rounded_up(extents->groups * packed_columns(extents) * sizeof(float), 64);
}

/* Columns that all rows of a task go through at once: all where these are one tile. */
static size_t columns_at_once(const struct product_instance* instance) {
  if (instance->pixels <= product_rows) {
    return instance->columns_per_task;
  }
  const size_t most = rounded_up(bytes_of_columns / packed_depth(&instance->extents) + 1, product_columns);
  return smaller(most, instance->columns_per_task);
}

/* Whether rows are so many that columns are widened before these go through them, not by each tile. */
static bool are_many(size_t rows) {
  return rows >= many_tiles * product_rows;
}

/* Elements of wide columns in a scratch. */
static size_t wide_size(const struct product_instance* instance) {
  return are_many(instance->rows_per_task) ? columns_at_once(instance) * packed_depth(&instance->extents) : 0;
}

/* A thread's scratch: the numbers of rows and of wide columns, what goes with each row, and the bytes of those of a tile: of one
 * alone, what has just been written piece by piece would be read in other pieces, for which processors wait. */
struct scratch {
  int16_t *numbers, *columns;
  int32_t* sums; /* NULL where nobody wants them */
  uint8_t* bytes;
};

static size_t scratch_size(const struct product_instance* instance) {
  const size_t depth = packed_depth(&instance->extents);
  const size_t numbers = instance->rows_per_task * depth + wide_size(instance);
  const size_t rest = instance->rows_per_task * sizeof(int32_t) + product_rows * depth;
  return rounded_up(numbers * sizeof(int16_t) + rest, 64);
}

static struct scratch scratch_of(const struct product_instance* instance, size_t thread) {
  char* memory = instance->workspace + shared_size(instance) + thread * scratch_size(instance);
  const size_t depth = packed_depth(&instance->extents);
  struct scratch scratch = {.columns = (int16_t*)memory};
  scratch.numbers = scratch.columns + wide_size(instance);
  int32_t* sums = (int32_t*)(scratch.numbers + instance->rows_per_task * depth);
  scratch.sums = instance->state->has_zeros ? sums : NULL;
  scratch.bytes = (uint8_t*)(sums + instance->rows_per_task);
  return scratch;
}

static size_t row_tasks(const struct product_instance* instance) {
  return divide_up(instance->pixels, instance->rows_per_task);
}

/* Rows of each tile but the last, of `count` rows. */
static size_t tile_of(size_t count) {
  return divide_up(count, divide_up(count, product_rows));
}

static const struct slide still = {1, 1, 1, 1, 1, 0};

/* What a task takes, in twelfths of a cycle for each depth: products, and what rows and wide columns take to be widened. */
static size_t task_cost(size_t rows, size_t columns) {
  const size_t products = rows * columns;
  return 5 * rows + (are_many(rows) ? products + 2 * columns : products + products / 8);
}

/* Sets the rows and columns of a task, of at most `most` rows: of all ways of at least `wanted` tasks the one that threads are done
 * with soonest. */
static void share(struct product_instance* instance, size_t most, size_t wanted, size_t threads) {
  const struct extents* extents = &instance->extents;
  const size_t least = divide_up(instance->pixels, most);
  size_t least_span = SIZE_MAX;
  for (size_t parts = least; parts < least + wanted; parts++) {
    const size_t rows = rounded_up(divide_up(instance->pixels, parts), product_rows);
    const size_t row_tasks = divide_up(instance->pixels, rows) * extents->groups;
    const size_t columns = rounded_up(divide_up(extents->out_channels, divide_up(wanted, row_tasks)), product_columns);
    const size_t tasks = row_tasks * divide_up(extents->out_channels, columns);
    const size_t span = divide_up(tasks, threads) * task_cost(rows, columns);
    if (span < least_span) {
      least_span = span;
      instance->rows_per_task = rows;
      instance->columns_per_task = columns;
    }
  }
}

/* Shares the work out, for extents, slides and pixels that are set. */
static enum xnn_status plan(struct product_instance* instance, size_t* workspace, pthreadpool_t pool) {
  const struct extents* extents = &instance->extents;
  struct product_windows* windows = &instance->windows;
  windows->channels = extents->in_channels;
  windows->is_signed = instance->state->in_is_signed;
  plan_windows(windows, instance->state->runs);
  if (windows->depth != depth_of(extents)) {
    return xnn_status_invalid_parameter;
  }
  const size_t threads = pthreadpool_get_threads_count(pool), wanted = threads == 1 ? 1 : threads * tasks_per_thread;
  const size_t depth = packed_depth(extents);
  const bool few = depth * packed_columns(extents) <= bytes_of_columns;
  const size_t most = (few ? bytes_of_few_rows : bytes_of_rows) / (depth * sizeof(int16_t)) + least_rows;
  share(instance, most, wanted, threads);
  instance->column_tasks = divide_up(extents->out_channels, instance->columns_per_task);
  *workspace = shared_size(instance) + threads * scratch_size(instance);
  return xnn_status_success;
}

static void set_groups(struct product_instance* instance, size_t in_step, size_t out_step) {
  const struct extents* extents = &instance->extents;
  instance->inner_groups = extents->groups;
  instance->in_group.inner = in_step;
  instance->out_group.inner = out_step;
  instance->kernel_group.inner = extents->out_channels * depth_of(extents);
  instance->column_step = depth_of(extents);
  instance->depth_step = 1;
}

static enum xnn_status reshape_convolution(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct product_instance* instance = opaque;
  const struct product_state* state = instance->state;
  const struct convolution* conv = &state->convolution;
  const struct images images = take_images(dims);
  const size_t height = images.height + images.pad_top + images.pad_bottom;
  const size_t width = images.width + images.pad_left + images.pad_right;
  const size_t reach_h = conv->dilation_h * (conv->window.kernel_h - 1) + 1;
  const size_t reach_w = conv->dilation_w * (conv->window.kernel_w - 1) + 1;
  if (height < reach_h || width < reach_w) {
    return xnn_status_invalid_parameter;
  }
  instance->windows.slides[0] = still;
  instance->windows.slides[1] = (struct slide){images.height,         (height - reach_h) / conv->window.stride_h + 1,
                                               conv->window.kernel_h, conv->window.stride_h,
                                               conv->dilation_h,      -(ptrdiff_t)images.pad_top};
  instance->windows.slides[2] = (struct slide){images.width,          (width - reach_w) / conv->window.stride_w + 1,
                                               conv->window.kernel_w, conv->window.stride_w,
                                               conv->dilation_w,      -(ptrdiff_t)images.pad_left};
  instance->extents = state->extents;
  instance->pixels = images.batch * instance->windows.slides[1].out_extent * instance->windows.slides[2].out_extent;
  instance->windows.pixel_step = images.in_pixel_stride;
  instance->out_pixel_step = images.out_pixel_stride;
  set_groups(instance, state->extents.in_channels, state->extents.out_channels);
  return plan(instance, workspace, pool);
}

/* Rows of matrices. */
static void set_rows(struct product_instance* instance, size_t rows) {
  instance->windows.slides[0] = instance->windows.slides[1] = still;
  instance->windows.slides[2] = (struct slide){rows, rows, 1, 1, 1, 0};
  instance->pixels = rows;
}

static enum xnn_status reshape_fully_connected(void* opaque, struct words* dims, size_t* workspace,
                                               pthreadpool_t pool) {
  struct product_instance* instance = opaque;
  instance->extents = instance->state->extents;
  set_rows(instance, take(dims));
  instance->windows.pixel_step = take(dims);
  instance->out_pixel_step = take(dims);
  set_groups(instance, 0, 0);
  return plan(instance, workspace, pool);
}

static struct group_steps take_group_steps(struct words* dims) {
  struct group_steps steps = {.outer = take(dims)};
  steps.inner = take(dims);
  return steps;
}

static enum xnn_status reshape_batch_matmul(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct product_instance* instance = opaque;
  struct extents* extents = &instance->extents;
  extents->groups = take(dims);
  instance->inner_groups = take(dims);
  extents->groups *= instance->inner_groups;
  extents->taps = 1;
  set_rows(instance, take(dims));
  extents->in_channels = take(dims);
  extents->out_channels = take(dims);
  instance->in_group = take_group_steps(dims);
  instance->windows.pixel_step = take(dims);
  instance->kernel_group = take_group_steps(dims);
  instance->depth_step = take(dims);
  instance->column_step = take(dims);
  instance->out_group = take_group_steps(dims);
  instance->out_pixel_step = take(dims);
  if (extents->groups * extents->out_channels * extents->in_channels == 0) {
    return xnn_status_invalid_parameter;
  }
  return plan(instance, workspace, pool);
}

static enum xnn_status reshape_integer(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct product_instance* instance = opaque;
  instance->extents = instance->state->extents;
  instance->pixels = take(dims);
  const size_t in_group_step = take(dims);
  instance->windows.pixel_step = take(dims);
  const size_t out_group_step = take(dims);
  instance->out_pixel_step = take(dims);
  set_groups(instance, in_group_step, out_group_step);
  instance->in_zero_step = take(dims);
  instance->kernel_zero_step = take(dims);
  instance->scale_step = take(dims);
  for (size_t axis = 0; axis < window_axes; axis++) {
    instance->windows.slides[axis] = take_slide(dims);
    instance->pixels *= instance->windows.slides[axis].out_extent;
  }
  return plan(instance, workspace, pool);
}

static enum xnn_status setup_qs8(void* opaque, void* workspace, void* const* tensors) {
  struct product_instance* instance = opaque;
  instance->input = tensors[0];
  instance->in_zeros = (const uint8_t*)&instance->state->in_zero_point;
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

static enum xnn_status setup_batch_matmul(void* opaque, void* workspace, void* const* tensors) {
  struct product_instance* instance = opaque;
  instance->input = tensors[0];
  instance->in_zeros = (const uint8_t*)&instance->state->in_zero_point;
  instance->kernel = tensors[1];
  instance->kernel_zeros = (const uint8_t*)&instance->state->kernel_zero_point;
  instance->scales = &instance->state->multiplier;
  instance->output = tensors[2];
  instance->workspace = workspace;
  return xnn_status_success;
}

static enum xnn_status setup_integer(void* opaque, void* workspace, void* const* tensors) {
  struct product_instance* instance = opaque;
  instance->input = tensors[0];
  instance->in_zeros = tensors[1];
  instance->scales = instance->state->result.type == product_float ? tensors[2] : NULL;
  instance->addend = instance->state->has_addend ? tensors[3] : NULL;
  instance->output = tensors[4];
  instance->workspace = workspace;
  return xnn_status_success;
}

static enum xnn_status setup_integer_computed(void* opaque, void* workspace, void* const* tensors) {
  struct product_instance* instance = opaque;
  instance->input = tensors[0];
  instance->in_zeros = tensors[1];
  instance->kernel = tensors[2];
  instance->kernel_zeros = tensors[3];
  instance->output = tensors[4];
  instance->workspace = workspace;
  return xnn_status_success;
}

/* The columns of a run whose shared part of the workspace is filled. */
static struct columns columns_of(const struct product_instance* instance) {
  struct columns columns = instance->state->columns;
  if (is_computed(instance)) {
    columns = lay_columns(&instance->extents, instance->workspace);
    columns.offsets = NULL;
  } else if (instance->scales != NULL) {
    columns.multipliers = (float*)instance->workspace;
  }
  if (!instance->state->has_zeros) {
    columns.zeros = NULL;
  }
  return columns;
}

/* Widens what lies under the windows of some pixels from `first` on. */
static void widen(const struct product_instance* instance, size_t group, size_t first, const struct product_numbers* to,
                  uint8_t* bytes) {
  const struct product_windows* windows = &instance->windows;
  const size_t depth = windows->depth;
  const uint8_t* input = instance->input + group_offset(instance->in_group, instance->inner_groups, group);
  const uint8_t* zeros = instance->in_zeros + (group * instance->pixels + first) * instance->in_zero_step;
  struct window_place place = place_window(windows->slides, first);
  struct window_rows rows = {.runs = {1, depth, depth}};
  for (size_t i = 0; i < to->num_rows; i += rows.count) {
    const size_t most = instance->in_zero_step == 0 ? to->num_rows - i : 1;
    const uint8_t zero = zeros[i * instance->in_zero_step];
    if (windows->is_pointwise) {
      rows.source = (struct product_source){input + (first + i) * windows->pixel_step, windows->pixel_step, 1,
                                            windows->is_signed};
      rows.count = most;
    } else {
      rows = take_windows(windows, input, &place, most, zero, bytes);
    }
    product_widen(&rows.source, &rows.runs, rows.count, windows->is_signed ? (int8_t)zero : zero, to, i);
  }
}

static void compute(void* context, size_t thread, size_t group, size_t task) {
  const struct product_instance* instance = context;
  const struct extents* extents = &instance->extents;
  const struct product_result* result = &instance->state->result;
  const struct columns columns = columns_of(instance);
  const struct scratch scratch = scratch_of(instance, thread);
  const size_t most = instance->rows_per_task, first = task / instance->column_tasks * most;
  const size_t rest = instance->pixels - first, count = smaller(rest, most);
  const size_t depth = packed_depth(extents);
  const struct product_numbers numbers = {
      .numbers = scratch.numbers,
      .sums = scratch.sums,
      .num_rows = count,
      .tile_rows = tile_of(count),
      .depth = depth,
  };
  widen(instance, group, first, &numbers, scratch.bytes);
  const size_t begin = task % instance->column_tasks * instance->columns_per_task;
  const size_t end = begin + instance->columns_per_task;
  const size_t limit = smaller(end, extents->out_channels), step = columns_at_once(instance);
  const bool is_wide = are_many(count);
  const size_t element = result->type == product_int8 ? sizeof(int8_t) : sizeof(int32_t);
  const size_t place =
      group_offset(instance->out_group, instance->inner_groups, group) + first * instance->out_pixel_step;
  for (size_t column = begin; column < limit; column += step) {
    const size_t at = group * packed_columns(extents) + column, left = limit - column, here = smaller(left, step);
    const int8_t* bytes = columns.bytes + at * depth;
    if (is_wide) {
      product_widen_columns(bytes, rounded_up(here, product_columns) * depth, scratch.columns);
    }
    const struct product_block block = {
        .rows = numbers,
        .columns = is_wide ? (const void*)scratch.columns : bytes,
        .is_wide = is_wide,
        .offsets = columns.offsets == NULL ? NULL : columns.offsets + at,
        .zeros = columns.zeros == NULL ? NULL : columns.zeros + at,
        .multipliers = columns.multipliers + at,
        .bias = columns.bias + at,
        .num_columns = here,
        .addend = instance->addend == NULL ? NULL : instance->addend + place + column,
        .output = instance->output + (place + column) * element,
        .output_stride = instance->out_pixel_step,
    };
    product_compute(&block, result);
  }
}

/* Packs computed columns. */
static void pack_computed(const struct product_instance* instance, const struct columns* columns, pthreadpool_t pool) {
  const struct product_state* state = instance->state;
  const struct extents* extents = &instance->extents;
  pack_columns(
      &(struct packing){extents,
                        *columns,
                        {instance->kernel, instance->column_step, instance->depth_step, state->kernel_is_signed},
                        instance->kernel_group,
                        instance->inner_groups},
      pool);
  for (size_t i = 0; i < extents->groups * extents->out_channels; i++) {
    const uint8_t zero = instance->kernel_zeros[i * instance->kernel_zero_step];
    columns->zeros[column_of(extents, i)] = state->kernel_is_signed ? (int8_t)zero : zero - 128;
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct product_instance* instance = opaque;
  const struct extents* extents = &instance->extents;
  const struct columns columns = columns_of(instance);
  if (is_computed(instance)) {
    pack_computed(instance, &columns, pool);
  }
  if (instance->scales != NULL) {
    for (size_t i = 0; i < extents->groups * extents->out_channels; i++) {
      columns.multipliers[column_of(extents, i)] = instance->scales[i * instance->scale_step];
    }
  }
  pthreadpool_parallelize_2d_with_thread(pool, compute, opaque, extents->groups,
                                         row_tasks(instance) * instance->column_tasks,
                                         PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type convolution_qs8_type = {
    .name = "convolution of int8",
    .num_params = 14,
    .num_refs = 2,
    .create = create_convolution,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_convolution,
    .setup = setup_qs8,
    .run = run,
};

const struct operator_type fully_connected_qs8_type = {
    .name = "fully connected of int8",
    .num_params = 7,
    .num_refs = 2,
    .create = create_fully_connected,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_fully_connected,
    .setup = setup_qs8,
    .run = run,
};

const struct operator_type batch_matmul_qs8_type = {
    .name = "matrix product of int8",
    .num_params = 6,
    .num_refs = 3,
    .create = create_batch_matmul,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_batch_matmul,
    .setup = setup_batch_matmul,
    .run = run,
};

const struct operator_type convolution_integer_type = {
    .name = "convolution of integers",
    .num_params = 10,
    .num_refs = 5,
    .create = create_integer,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_integer,
    .setup = setup_integer,
    .run = run,
};

const struct operator_type convolution_integer_computed_type = {
    .name = "convolution of integers with computed weights",
    .num_params = 10,
    .num_refs = 5,
    .create = create_integer_computed,
    .destroy = destroy,
    .instance_size = sizeof(struct product_instance),
    .reshape = reshape_integer,
    .setup = setup_integer_computed,
    .run = run,
};
