/*
 * Convolution by windows of 3x3 on Winograd's minimal filtering (kernels/winograd.c).
 *
 * A task takes some strips of tiles, whatever image they are of, through some output channels: it transforms the pixels into
 * scratch memory of the thread's, which should stay in the second-level cache, then goes through the weights by eight
 * channels, which should stay in the first-level one for a run of strips.
 *
 * Packed weights: for each group and each eight output channels, [points, input channels rounded up to four, 8]; after
 * all of them the bias, each group's rounded up to eight, and as many zeros as a group has input channels.
 */
#include "kernels/winograd.h"

#include "memory.h"
#include "operator.h"

/* Strips whose sums are kept before they are transformed: so often the weights of a point are gone through at once. */
enum { strips_at_once = 4 };

/* With more threads than one, there are so many tasks for each, if none has fewer strips or output channels than these. */
enum { tasks_per_thread = 4, least_strips = strips_at_once, least_columns = 32 };

struct winograd_state {
  size_t groups, in_channels, out_channels; /* channels of a group */
  float min, max;
  float* packed;
};

struct winograd_instance {
  const struct winograd_state* state;
  struct images images;
  size_t out_height, out_width;
  size_t tile_rows, tile_columns; /* of an image */
  size_t strips_per_task, columns_per_task;
  const float* input;
  float* output;
  float* workspace;
};

static size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Output channels of a group as they are packed. */
static size_t packed_columns(const struct winograd_state* state) {
  return divide_up(state->out_channels, winograd_columns) * winograd_columns;
}

/* Floats of a point of eight output channels. */
static size_t point_size(const struct winograd_state* state) {
  return divide_up(state->in_channels, 4) * 4 * winograd_columns;
}

/* The weights of a group from an output channel on, a multiple of eight. */
static float* weights_at(const struct winograd_state* state, size_t group, size_t column) {
  return state->packed +
         (group * packed_columns(state) + column) / winograd_columns * winograd_points * point_size(state);
}

static float* bias_at(const struct winograd_state* state, size_t group) {
  return weights_at(state, state->groups, 0) + group * packed_columns(state);
}

static const float* zeros_of(const struct winograd_state* state) {
  return bias_at(state, state->groups);
}

static void pack(const struct winograd_state* state, const float* kernel, const float* bias) {
  for (size_t group = 0; group < state->groups; group++) {
    for (size_t column = 0; column < state->out_channels; column++) {
      const size_t channel = group * state->out_channels + column;
      const float* taps = kernel + channel * 9 * state->in_channels;
      float* to = weights_at(state, group, column / winograd_columns * winograd_columns) + column % winograd_columns;
      for (size_t c = 0; c < state->in_channels; c++) {
        winograd_transform_weights(taps + c, state->in_channels, to + c * winograd_columns, point_size(state));
      }
      bias_at(state, group)[column] = bias != NULL ? bias[channel] : 0.0f;
    }
  }
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct convolution conv = take_convolution(params);
  struct winograd_state state = {.groups = conv.groups};
  state.in_channels = conv.group_in_channels;
  state.out_channels = conv.group_out_channels;
  state.min = take_float(params);
  state.max = take_float(params);
  const struct window window = conv.window;
  if (window.kernel_h != 3 || window.kernel_w != 3 || window.stride_h != 1 || window.stride_w != 1 ||
      conv.dilation_h != 1 || conv.dilation_w != 1 || winograd_strip_size(state.in_channels) > winograd_strip_room) {
    return xnn_status_unsupported_parameter;
  }
  if (state.groups == 0 || state.in_channels == 0 || state.out_channels == 0 || kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t columns = packed_columns(&state) / winograd_columns;
  const size_t weights = state.groups * columns * (winograd_points * point_size(&state) + winograd_columns);
  state.packed = pyxnn_allocate_zero((weights + state.in_channels) * sizeof(float));
  if (state.packed == NULL) {
    return xnn_status_out_of_memory;
  }
  pack(&state, kernel, bias);
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.packed);
  }
  return status;
}

static void destroy(void* state) {
  pyxnn_release(((struct winograd_state*)state)->packed);
  pyxnn_release(state);
}

static size_t tiles_of(const struct winograd_instance* instance) {
  return instance->images.batch * instance->tile_rows * instance->tile_columns;
}

/* Shares strips and output channels out among the threads. */
static void choose_tasks(struct winograd_instance* instance, size_t threads) {
  const struct winograd_state* state = instance->state;
  const size_t strips = divide_up(tiles_of(instance), winograd_tiles);
  const size_t wanted = threads == 1 ? 1 : divide_up(tasks_per_thread * threads, state->groups);
  const size_t room = winograd_strip_room / winograd_strip_size(state->in_channels);
  const size_t share = larger(divide_up(strips, wanted), least_strips);
  const size_t tasks = divide_up(strips, smaller(share, room));
  instance->strips_per_task = divide_up(strips, tasks);
  const size_t parts = divide_up(wanted, tasks);
  const size_t columns = divide_up(divide_up(state->out_channels, parts), winograd_columns) * winograd_columns;
  instance->columns_per_task = larger(columns, least_columns);
}

/* Floats of a thread's scratch: transformed pixels, sums. */
enum { pixels_size = winograd_points * winograd_point_step };
enum { scratch_size = pixels_size + strips_at_once * winograd_sums_size };

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct winograd_instance* instance = opaque;
  const struct winograd_state* state = instance->state;
  const struct images images = instance->images = take_images(dims);
  if (images.in_pixel_stride < state->groups * state->in_channels ||
      images.out_pixel_stride < state->groups * state->out_channels) {
    return xnn_status_invalid_parameter;
  }
  const size_t padded_height = images.height + images.pad_top + images.pad_bottom;
  const size_t padded_width = images.width + images.pad_left + images.pad_right;
  if (padded_height < 3 || padded_width < 3) {
    return xnn_status_invalid_parameter;
  }
  instance->out_height = padded_height - 2;
  instance->out_width = padded_width - 2;
  instance->tile_rows = divide_up(instance->out_height, 2);
  instance->tile_columns = divide_up(instance->out_width, 2);
  const size_t threads = pthreadpool_get_threads_count(pool);
  if (tiles_of(instance) != 0) {
    choose_tasks(instance, threads);
  }
  *workspace = threads * scratch_size * sizeof(float);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct winograd_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

/* Where a tile lies. */
struct place {
  size_t image, row, column; /* row and column of its first output */
};

static struct place place_of(const struct winograd_instance* instance, size_t tile) {
  const size_t row = tile / instance->tile_columns;
  return (struct place){row / instance->tile_rows, row % instance->tile_rows * 2, tile % instance->tile_columns * 2};
}

/* The place of the tile behind. */
static void advance(const struct winograd_instance* instance, struct place* place) {
  place->column += 2;
  if (place->column < instance->out_width) {
    return;
  }
  place->column = 0;
  place->row += 2;
  if (place->row >= instance->out_height) {
    place->row = 0;
    place->image += 1;
  }
}

static void transform_tile(const struct winograd_instance* instance, size_t group, struct place place, float* to) {
  const struct winograd_state* state = instance->state;
  const struct images* images = &instance->images;
  const float* input = instance->input + group * state->in_channels;
  const float* pixels[winograd_points];
  for (size_t y = 0; y < 4; y++) {
    /* Before the image, it wraps around and so is outside, too. */
    const size_t row = place.row + y - images->pad_top;
    for (size_t x = 0; x < 4; x++) {
      const size_t column = place.column + x - images->pad_left;
      const size_t pixel = (place.image * images->height + row) * images->width + column;
      const bool inside = row < images->height && column < images->width;
      pixels[4 * y + x] = inside ? input + pixel * images->in_pixel_stride : zeros_of(state);
    }
  }
  winograd_transform_pixels(pixels, state->in_channels, to);
}

/* Eight output channels of some tiles, from the first of a strip on. */
static void compute_columns(const struct winograd_instance* instance, size_t group, size_t column, size_t first,
                            size_t tiles, const float* pixels, float* sums) {
  const struct winograd_state* state = instance->state;
  const size_t strip_size = winograd_strip_size(state->in_channels);
  const size_t whole = tiles / winograd_tiles, left = tiles % winograd_tiles;
  const float* weights = weights_at(state, group, column);
  if (whole != 0) {
    winograd_multiply_tiles[winograd_tiles - 1](state->in_channels, whole, pixels, weights, sums);
  }
  if (left != 0) {
    winograd_multiply_tiles[left - 1](state->in_channels, 1, pixels + whole * strip_size, weights,
                                      sums + whole * winograd_sums_size);
  }
  const size_t step = instance->images.out_pixel_stride;
  struct winograd_outputs outputs = {
      .row_step = instance->out_width * step,
      .pixel_step = step,
      .columns = state->out_channels - column,
      .bias = bias_at(state, group) + column,
      .min = state->min,
      .max = state->max,
  };
  float* output = instance->output + group * state->out_channels + column;
  struct place place = place_of(instance, first);
  for (size_t tile = 0; tile < tiles; tile++) {
    const size_t pixel = (place.image * instance->out_height + place.row) * instance->out_width + place.column;
    outputs.output = output + pixel * step;
    outputs.rows = place.row + 1 < instance->out_height ? 2 : 1;
    outputs.pixels = place.column + 1 < instance->out_width ? 2 : 1;
    winograd_transform_sums(
        sums + tile / winograd_tiles * winograd_sums_size + tile % winograd_tiles * winograd_columns, &outputs);
    advance(instance, &place);
  }
}

static void compute(void* context, size_t thread, size_t group, size_t task) {
  const struct winograd_instance* instance = context;
  const struct winograd_state* state = instance->state;
  const size_t parts = divide_up(state->out_channels, instance->columns_per_task);
  const size_t per_task = instance->strips_per_task * winograd_tiles, first = task / parts * per_task;
  const size_t tiles = smaller(tiles_of(instance) - first, per_task);
  const size_t first_column = task % parts * instance->columns_per_task;
  const size_t end = smaller(first_column + instance->columns_per_task, state->out_channels);
  const size_t strip_size = winograd_strip_size(state->in_channels);
  float* pixels = instance->workspace + thread * scratch_size;
  struct place place = place_of(instance, first);
  for (size_t tile = 0; tile < tiles; tile++) {
    float* strip = pixels + tile / winograd_tiles * strip_size;
    transform_tile(instance, group, place, strip + tile % winograd_tiles * 4);
    advance(instance, &place);
  }
  for (size_t column = first_column; column < end; column += winograd_columns) {
    for (size_t done = 0; done < tiles; done += strips_at_once * winograd_tiles) {
      compute_columns(instance, group, column, first + done, smaller(tiles - done, strips_at_once * winograd_tiles),
                      pixels + done / winograd_tiles * strip_size, pixels + pixels_size);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct winograd_instance* instance = opaque;
  const struct winograd_state* state = instance->state;
  if (tiles_of(instance) == 0) {
    return xnn_status_success;
  }
  const size_t blocks = divide_up(tiles_of(instance), instance->strips_per_task * winograd_tiles);
  pthreadpool_parallelize_2d_with_thread(pool, compute, opaque, state->groups,
                                         blocks * divide_up(state->out_channels, instance->columns_per_task),
                                         PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type winograd_type = {
    .name = "convolution by minimal filtering",
    .num_params = 12,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct winograd_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
