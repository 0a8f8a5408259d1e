/*
 * Pools over up to three axes, on our own kernels (kernels/pooling.c).
 *
 * A tile is a row of windows, or a part of one, of some channels. The rows that its windows lie on become one row in the
 * thread's scratch memory, with pixels that change nothing where the windows hang over the image, so that the windows along
 * that row are all alike. Windows that share no pixel are made straight of the image.
 */
#include "kernels/pooling.h"

#include "sizes.h"
#include "window.h"

/* Bytes of a pixel that one tile takes, and of its row in scratch memory, about: it stays in the first-level cache. */
enum { pixel_bytes_per_tile = 1024, row_bytes_per_tile = 16384 };

/* Each thread's scratch memory begins with one, so that no vector lies on two. */
enum { cache_line = 64 };

/* Tiles that take in about so many bytes are one task. */
enum { bytes_per_task = 32768 };

struct pooling_state {
  bool is_argmax, is_column_major;
  size_t element_size;
  struct pooling_constants constants;
};

struct pooling_instance {
  const struct pooling_state* state;
  size_t batch, channels, in_stride, out_stride; /* strides from pixel to pixel */
  struct slide slides[window_axes];
  /* How far beyond the image taps still count. */
  size_t counted_before[window_axes], counted_after[window_axes];
  size_t rows;                                /* of windows */
  size_t whole_begin, whole_end;              /* the windows of a row whose taps all count */
  bool are_apart;                             /* windows, of which there is a kernel for such */
  size_t tile_windows, tile_channels;         /* at most */
  size_t tiles_of_windows, tiles_of_channels; /* of a row */
  size_t tiles_per_task;
  size_t scratch_row; /* bytes of the row in scratch memory, the factors of a mean are behind it */
  size_t scratch_size;
  const uint8_t* input;
  uint8_t* scratch;
  void* output;
};

static enum pooling pooling_of(uint32_t type, uint32_t element, float power) {
  if (type == pyxnn_pool_maximum) {
    return element == pyxnn_uint8 ? pooling_maximum_u8 : element == pyxnn_int8 ? pooling_maximum_s8 : pooling_maximum;
  }
  if (type == pyxnn_pool_mean) {
    return pooling_mean;
  }
  return power == 1.0f ? pooling_magnitudes : power == 2.0f ? pooling_squares : pooling_powers;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params), element = take(params);
  const bool is_byte = element == pyxnn_uint8 || element == pyxnn_int8;
  if (type > pyxnn_pool_argmax_column_major || !(element == pyxnn_float32 || (is_byte && type == pyxnn_pool_maximum))) {
    return xnn_status_invalid_parameter;
  }
  struct pooling_state state = {
      .is_argmax = type >= pyxnn_pool_argmax,
      .is_column_major = type == pyxnn_pool_argmax_column_major,
      .element_size = is_byte ? 1 : sizeof(float),
  };
  struct pooling_constants* constants = &state.constants;
  constants->power = take_float(params);
  constants->min = take_float(params);
  constants->max = take_float(params);
  constants->pooling = pooling_of(type, element, constants->power);
  return own_state(&state, sizeof(state), out);
}

/* Pixels from the first tap of some windows in a row to the last. */
static size_t pixels_under(const struct slide* slide, size_t windows) {
  return (size_t)(slide->stride * (ptrdiff_t)(windows - 1) + slide->dilation * ((ptrdiff_t)slide->kernel - 1) + 1);
}

/* Shares out a row of windows. */
static void make_tiles(struct pooling_instance* instance) {
  const size_t element_size = instance->state->element_size;
  const struct slide* slide = &instance->slides[window_axes - 1];
  const size_t most_channels = pixel_bytes_per_tile / element_size, channels_per_vector = 16 / element_size;
  const size_t even_channels = divide_up(instance->channels, divide_up(instance->channels, most_channels));
  instance->tile_channels = rounded_up(even_channels, channels_per_vector);
  if (instance->tile_channels > instance->channels) {
    instance->tile_channels = instance->channels;
  }
  const size_t pixels = row_bytes_per_tile / (instance->tile_channels * element_size), stride = (size_t)slide->stride;
  const size_t reach = pixels_under(slide, 1);
  /* Neighbouring tiles share pixels: so many windows that those are not the most. */
  const size_t windows = (pixels > 2 * reach ? pixels - reach : reach) / stride + 1;
  instance->tiles_of_channels = divide_up(instance->channels, instance->tile_channels);
  instance->tiles_of_windows = divide_up(slide->out_extent, windows);
  instance->tile_windows = divide_up(slide->out_extent, instance->tiles_of_windows);
  const size_t row = pixels_under(slide, instance->tile_windows) * instance->tile_channels * element_size;
  instance->scratch_row = rounded_up(row + pooling_slack, sizeof(float));
  instance->scratch_size = rounded_up(instance->scratch_row + instance->tile_windows * sizeof(float), cache_line);
  const size_t taps = instance->slides[0].kernel * instance->slides[1].kernel;
  instance->tiles_per_task = bytes_per_task / (row * taps) + 1;
}

/* The first window whose first tap is at `border` or beyond. */
static size_t first_window(const struct slide* slide, ptrdiff_t border) {
  return border <= slide->offset ? 0 : divide_up((size_t)(border - slide->offset), (size_t)slide->stride);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct pooling_instance* instance = opaque;
  instance->batch = take(dims);
  instance->channels = take(dims);
  instance->in_stride = take(dims);
  instance->out_stride = take(dims);
  for (size_t axis = 0; axis < window_axes; axis++) {
    const struct slide slide = instance->slides[axis] = take_slide(dims);
    instance->counted_before[axis] = take(dims);
    instance->counted_after[axis] = take(dims);
    if (slide.dilation < 1 || slide.stride < 1 || slide.kernel < 1 || slide.out_extent < 1) {
      return xnn_status_invalid_parameter;
    }
  }
  if (instance->channels < 1) {
    return xnn_status_invalid_parameter;
  }
  instance->rows = instance->batch * instance->slides[0].out_extent * instance->slides[1].out_extent;
  const struct slide* last = &instance->slides[window_axes - 1];
  const ptrdiff_t end = (ptrdiff_t)(last->extent + instance->counted_after[window_axes - 1]);
  instance->whole_begin = first_window(last, -(ptrdiff_t)instance->counted_before[window_axes - 1]);
  instance->whole_end = first_window(last, end - last->dilation * ((ptrdiff_t)last->kernel - 1));
  const enum pooling pooling = instance->state->constants.pooling;
  instance->are_apart = last->dilation == 1 && (ptrdiff_t)last->kernel <= last->stride &&
                        (pooling == pooling_maximum || pooling == pooling_mean);
  if (!instance->state->is_argmax) {
    make_tiles(instance);
    *workspace = pthreadpool_get_threads_count(pool) * instance->scratch_size;
  }
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct pooling_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->scratch = workspace;
  return xnn_status_success;
}

/* Where a row of windows is: its image, its places along the first two axes. */
struct place {
  size_t image, at[2];
};

static struct place place_of(const struct pooling_instance* instance, size_t row) {
  const struct slide* slides = instance->slides;
  return (struct place){
      .image = row / (slides[0].out_extent * slides[1].out_extent),
      .at = {row / slides[1].out_extent % slides[0].out_extent, row % slides[1].out_extent},
  };
}

/* A window along one axis: taps inside the image, the place of their first, and how many count. */
struct view {
  size_t taps, counted;
  ptrdiff_t position;
};

static struct view view_of(const struct pooling_instance* instance, size_t axis, size_t out) {
  const struct slide* slide = &instance->slides[axis];
  const ptrdiff_t extent = (ptrdiff_t)slide->extent;
  const struct tap_range inside = taps_between(slide, out, 0, extent);
  const size_t before = instance->counted_before[axis], after = instance->counted_after[axis];
  const struct tap_range counted =
      before == 0 && after == 0 ? inside : taps_between(slide, out, -(ptrdiff_t)before, extent + (ptrdiff_t)after);
  return (struct view){
      .taps = inside.end - inside.begin,
      .counted = counted.end - counted.begin,
      .position = slide->offset + slide->stride * (ptrdiff_t)out + slide->dilation * (ptrdiff_t)inside.begin,
  };
}

/* Part of a row of windows. */
struct tile {
  struct place place;
  size_t window, windows;   /* the first, and how many */
  size_t channel, channels; /* likewise */
};

static struct tile tile_of(const struct pooling_instance* instance, size_t number) {
  struct tile tile;
  tile.channel = number % instance->tiles_of_channels * instance->tile_channels;
  tile.channels = smaller(instance->channels - tile.channel, instance->tile_channels);
  number /= instance->tiles_of_channels;
  tile.window = number % instance->tiles_of_windows * instance->tile_windows;
  tile.windows = smaller(instance->slides[window_axes - 1].out_extent - tile.window, instance->tile_windows);
  tile.place = place_of(instance, number / instance->tiles_of_windows);
  return tile;
}

/*
 * Makes the row under a tile's windows.
 * @param views  of its windows along the first two axes
 */
static void make_row(const struct pooling_instance* instance, const struct tile* tile, const struct view* views,
                     uint8_t* row) {
  const struct pooling_constants* constants = &instance->state->constants;
  const struct slide* slides = instance->slides;
  const size_t element_size = instance->state->element_size, pixel = tile->channels * element_size;
  const ptrdiff_t stride = (ptrdiff_t)(instance->in_stride * element_size);
  const ptrdiff_t width = (ptrdiff_t)slides[2].extent, height = (ptrdiff_t)slides[1].extent;
  const ptrdiff_t start = slides[2].offset + slides[2].stride * (ptrdiff_t)tile->window;
  const ptrdiff_t end = start + (ptrdiff_t)pixels_under(&slides[2], tile->windows);
  const ptrdiff_t first = start < 0 ? 0 : start, last = end < width ? end : width;
  const ptrdiff_t depth = (ptrdiff_t)(tile->place.image * slides[0].extent) + views[0].position;
  struct pooling_rows rows = {
      .first = instance->input + ((depth * height + views[1].position) * width + first) * stride +
               (ptrdiff_t)(tile->channel * element_size),
      .counts = {views[0].taps, views[1].taps},
      .strides = {slides[0].dilation * height * width * stride, slides[1].dilation * width * stride},
  };
  if (first >= last) { /* all windows are outside */
    pooling_fill(constants->pooling, row, (size_t)(end - start) * pixel);
    return;
  }
  pooling_fill(constants->pooling, row, (size_t)(first - start) * pixel);
  row += (size_t)(first - start) * pixel;
  const size_t pixels = (size_t)(last - first);
  if (pixel == (size_t)stride) {
    pooling_add_rows(constants, &rows, row, pixels * pixel);
  } else {
    for (size_t x = 0; x < pixels; x++, rows.first += stride) {
      pooling_add_rows(constants, &rows, row + x * pixel, pixel);
    }
  }
  pooling_fill(constants->pooling, row + pixels * pixel, (size_t)(end - last) * pixel);
}

/*
 * What the sums of a tile's windows are multiplied by.
 * @param rows  of a window that count
 */
static void find_factors(const struct pooling_instance* instance, const struct tile* tile, size_t rows,
                         float* factors) {
  const size_t axis = window_axes - 1, taps = instance->slides[axis].kernel;
  const float whole = 1.0f / (float)(rows > 0 ? rows * taps : 1);
  for (size_t i = 0; i < tile->windows; i++) {
    const size_t x = tile->window + i;
    factors[i] = whole;
    if (x < instance->whole_begin || x >= instance->whole_end) {
      const size_t counted = rows * view_of(instance, axis, x).counted;
      factors[i] = 1.0f / (float)(counted > 0 ? counted : 1);
    }
  }
}

/* Makes a tile of windows that share no pixel. */
static void pool_apart(const struct pooling_instance* instance, const struct tile* tile, const struct view* views,
                       const float* factors, uint8_t* output) {
  const struct slide* slides = instance->slides;
  const size_t element_size = instance->state->element_size;
  const ptrdiff_t pixel = (ptrdiff_t)(instance->in_stride * element_size);
  const ptrdiff_t row = (ptrdiff_t)slides[2].extent * pixel, plane = (ptrdiff_t)slides[1].extent * row;
  const ptrdiff_t depth = (ptrdiff_t)(tile->place.image * slides[0].extent) + views[0].position;
  const struct pooling_apart windows = {
      .rows = {.first = instance->input + depth * plane + views[1].position * row +
                        (ptrdiff_t)(tile->channel * element_size),
               .counts = {views[0].taps, views[1].taps},
               .strides = {slides[0].dilation * plane, slides[1].dilation * row}},
      .pixel_stride = pixel,
      .start = slides[2].offset + slides[2].stride * (ptrdiff_t)tile->window,
      .width = (ptrdiff_t)slides[2].extent,
      .taps = slides[2].kernel,
      .stride = (size_t)slides[2].stride,
      .count = tile->windows,
      .factors = factors,
  };
  pooling_windows_apart(&instance->state->constants, &windows, tile->channels * element_size, output,
                        instance->out_stride * element_size);
}

static void pool_tile(const struct pooling_instance* instance, const struct tile* tile, uint8_t* scratch) {
  const struct pooling_state* state = instance->state;
  const struct slide* slide = &instance->slides[window_axes - 1];
  const struct view views[] = {view_of(instance, 0, tile->place.at[0]), view_of(instance, 1, tile->place.at[1])};
  const size_t pixel = tile->channels * state->element_size;
  float* factors = (float*)(scratch + instance->scratch_row);
  if (state->constants.pooling == pooling_mean) {
    find_factors(instance, tile, views[0].counted * views[1].counted, factors);
  }
  const size_t row =
      (tile->place.image * instance->slides[0].out_extent + tile->place.at[0]) * instance->slides[1].out_extent +
      tile->place.at[1];
  const size_t at = (row * slide->out_extent + tile->window) * instance->out_stride + tile->channel;
  uint8_t* output = (uint8_t*)instance->output + at * state->element_size;
  if (instance->are_apart && pixel >= pooling_slack && views[0].taps * views[1].taps > 0) {
    pool_apart(instance, tile, views, factors, output);
    return;
  }
  make_row(instance, tile, views, scratch);
  const struct pooling_windows windows = {
      .first = scratch,
      .taps = slide->kernel,
      .tap_stride = (size_t)slide->dilation * pixel,
      .stride = (size_t)slide->stride * pixel,
      .count = tile->windows,
      .factors = factors,
  };
  pooling_add_columns(&state->constants, &windows, pixel, output, instance->out_stride * state->element_size);
}

static void compute(void* context, size_t thread, size_t task) {
  const struct pooling_instance* instance = context;
  const size_t all = instance->rows * instance->tiles_of_windows * instance->tiles_of_channels;
  const size_t begin = task * instance->tiles_per_task, end = smaller(begin + instance->tiles_per_task, all);
  for (size_t number = begin; number < end; number++) {
    const struct tile tile = tile_of(instance, number);
    pool_tile(instance, &tile, instance->scratch + thread * instance->scratch_size);
  }
}

/* Places between neighbours along each axis, as an image's type of places counts them. */
static void place_strides(const struct pooling_instance* instance, ptrdiff_t strides[window_axes]) {
  const bool is_column_major = instance->state->is_column_major;
  ptrdiff_t stride = 1;
  for (size_t i = 0; i < window_axes; i++) {
    const size_t axis = is_column_major ? i : window_axes - 1 - i;
    strides[axis] = stride;
    stride *= (ptrdiff_t)instance->slides[axis].extent;
  }
}

/* Where the maxima of a row of windows are. */
static void find_row(void* context, size_t row) {
  const struct pooling_instance* instance = context;
  const struct slide* slides = instance->slides;
  const struct place place = place_of(instance, row);
  ptrdiff_t strides[window_axes], in_stride = (ptrdiff_t)instance->in_stride;
  place_strides(instance, strides);
  const ptrdiff_t in_strides[] = {in_stride * (ptrdiff_t)(slides[1].extent * slides[2].extent),
                                  in_stride * (ptrdiff_t)slides[2].extent, in_stride};
  const size_t pixels = slides[0].extent * slides[1].extent * slides[2].extent;
  for (size_t x = 0; x < slides[2].out_extent; x++) {
    const size_t at[] = {place.at[0], place.at[1], x};
    struct pooling_taps taps = {.first = (const float*)instance->input + place.image * pixels * instance->in_stride};
    int64_t first = (int64_t)(pixels * place.image * instance->channels);
    int32_t steps[window_axes];
    for (size_t axis = 0; axis < window_axes; axis++) {
      const struct view view = view_of(instance, axis, at[axis]);
      taps.first += view.position * in_strides[axis];
      taps.counts[axis] = view.taps;
      taps.strides[axis] = slides[axis].dilation * in_strides[axis];
      first += view.position * strides[axis];
      steps[axis] = (int32_t)(slides[axis].dilation * strides[axis]);
    }
    pooling_argmax(&taps, first, steps, (int64_t)pixels,
                   (int64_t*)instance->output + (row * slides[2].out_extent + x) * instance->out_stride,
                   instance->channels);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct pooling_instance* instance = opaque;
  if (instance->state->is_argmax) {
    pthreadpool_parallelize_1d(pool, find_row, opaque, instance->rows, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  } else {
    const size_t tiles = instance->rows * instance->tiles_of_windows * instance->tiles_of_channels;
    pthreadpool_parallelize_1d_with_thread(pool, compute, opaque, divide_up(tiles, instance->tiles_per_task),
                                           PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  }
  return xnn_status_success;
}

const struct operator_type pool_type = {
    .name = "pooling",
    .num_params = 5,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct pooling_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
