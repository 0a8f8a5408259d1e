/*
 * Convolution of bytes over up to three axes, its weights constant or computed, to int32 or scaled to float: on our own
 * kernel (kernels/integer_product.c). A product of matrices is a convolution by windows of one pixel.
 *
 * Weights are packed by blocks of output channels: each begins with a struct block, then come the bytes by tap and pair of
 * input channels. Of each task's pixels, those under the window are packed into a scratch of the thread's, in strips of up to
 * four rows: the sums of the rows, then the rows.
 */
#include <string.h>

#include "kernels/integer_product.h"
#include "kernels/simd.h"
#include "memory.h"
#include "window.h"

/* Of the rows that a thread has packed, about so many bytes; of a task, no fewer columns. */
enum { bytes_of_rows = 1 << 14, least_columns = 64 };

/* With fewer tasks by rows than this for each thread, columns are shared out too. */
enum { tasks_per_thread = 6 };

/* What the sums of a block's output channels go through. */
struct block {
  int32_t zeros[integer_columns];
  float bias[integer_columns];
};

struct convolution_integer_state {
  size_t taps, groups, in_channels, out_channels; /* channels of a group */
  bool in_is_signed, kernel_is_signed, is_scaled;
  float min, max;
  bool has_zeros; /* whether any zero point of the weights, as they are packed, may be other than 0 */
  char* packed;   /* NULL when weights are computed */
};

struct convolution_integer_instance {
  const struct convolution_integer_state* state;
  struct slide slides[window_axes];
  size_t pixels; /* of the output */
  size_t in_group_step, in_pixel_step, out_group_step, out_pixel_step, in_zero_step, kernel_zero_step, scale_step;
  size_t rows_per_task, columns_per_task;
  const uint8_t *input, *in_zeros, *kernel, *kernel_zeros;
  const float* scales;
  float* output; /* or int32_t */
  char* workspace;
};

static size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

static size_t pairs_of(const struct convolution_integer_state* state) {
  return (state->in_channels + 1) / 2;
}

static size_t blocks_of(const struct convolution_integer_state* state) {
  return divide_up(state->out_channels, integer_columns);
}

static size_t block_size(const struct convolution_integer_state* state) {
  return sizeof(struct block) + state->taps * pairs_of(state) * 2 * integer_columns;
}

static size_t packed_size(const struct convolution_integer_state* state) {
  return state->groups * blocks_of(state) * block_size(state);
}

/* What packing needs; several threads share it out. */
struct packing {
  const struct convolution_integer_state* state;
  const uint8_t* kernel;
  char* packed;
};

/* Bytes of weights become int8: of unsigned ones, less 128. */
static uint8_t flip_of(const struct convolution_integer_state* state) {
  return state->kernel_is_signed ? 0 : 0x80;
}

static void pack_block(void* context, size_t group, size_t number) {
  const struct packing* packing = context;
  const struct convolution_integer_state* state = packing->state;
  const size_t channels = state->in_channels, first = number * integer_columns;
  const size_t left = state->out_channels - first, columns = left < integer_columns ? left : integer_columns;
  char* block = packing->packed + (group * blocks_of(state) + number) * block_size(state);
  const uint8_t flip = flip_of(state);
  for (size_t c = 0; c < columns; c++) {
    const uint8_t* row = packing->kernel + (group * state->out_channels + first + c) * state->taps * channels;
    uint8_t* to = (uint8_t*)block + sizeof(struct block) + 2 * c;
    for (size_t tap = 0; tap < state->taps; tap++) {
      for (size_t i = 0; i + 2 <= channels; i += 2) {
        to[0] = row[i] ^ flip;
        to[1] = row[i + 1] ^ flip;
        to += 2 * integer_columns;
      }
      if (channels % 2 != 0) {
        to[0] = row[channels - 1] ^ flip;
        to[1] = 0;
        to += 2 * integer_columns;
      }
      row += channels;
    }
  }
}

static struct block* block_at(const struct convolution_integer_state* state, char* packed, size_t group,
                              size_t number) {
  return (struct block*)(packed + (group * blocks_of(state) + number) * block_size(state));
}

static bool take_state(struct words* params, struct convolution_integer_state* state) {
  *state = (struct convolution_integer_state){.taps = take(params)};
  state->groups = take(params);
  state->in_channels = take(params);
  state->out_channels = take(params);
  state->in_is_signed = take(params) != 0;
  state->kernel_is_signed = take(params) != 0;
  state->is_scaled = take(params) != 0;
  state->min = take_float(params);
  state->max = take_float(params);
  return state->taps != 0 && state->groups != 0 && state->in_channels != 0 && state->out_channels != 0;
}

/* Puts zero points and bias of all output channels into their blocks. */
static void set_channels(struct convolution_integer_state* state, const int32_t* zeros, const float* bias) {
  for (size_t i = 0; i < state->groups * state->out_channels; i++) {
    const size_t group = i / state->out_channels, channel = i % state->out_channels;
    struct block* block = block_at(state, state->packed, group, channel / integer_columns);
    const int32_t zero = zeros[i] - flip_of(state);
    block->zeros[channel % integer_columns] = zero;
    state->has_zeros |= zero != 0;
    if (state->is_scaled) {
      block->bias[channel % integer_columns] = bias[i];
    }
  }
}

static enum xnn_status create_constant(struct words* params, const void* kernel, const void* bias, void** out) {
  struct convolution_integer_state state;
  if (!take_state(params, &state) || kernel == NULL || bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  state.packed = pyxnn_allocate_zero(packed_size(&state));
  if (state.packed == NULL) {
    return xnn_status_out_of_memory;
  }
  struct packing packing = {&state, kernel, state.packed};
  pthreadpool_parallelize_2d(NULL, pack_block, &packing, state.groups, blocks_of(&state), 0);
  set_channels(&state, bias, (const float*)bias + state.groups * state.out_channels);
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.packed);
  }
  return status;
}

static enum xnn_status create_computed(struct words* params, const void* kernel, const void* bias, void** out) {
  struct convolution_integer_state state;
  if (!take_state(params, &state) || state.is_scaled) {
    return xnn_status_invalid_parameter;
  }
  state.has_zeros = true;
  return own_state(&state, sizeof(state), out);
}

static void destroy(void* state) {
  pyxnn_release(((struct convolution_integer_state*)state)->packed);
  pyxnn_release(state);
}

/* Bytes of a strip: the sums of its rows, the rows. */
static size_t strip_size(const struct convolution_integer_state* state) {
  return integer_rows * (sizeof(int32_t) + state->taps * pairs_of(state) * 2 * sizeof(int16_t));
}

static size_t computed_size(const struct convolution_integer_state* state) {
  return state->packed == NULL ? packed_size(state) : 0;
}

static size_t scratch_size(const struct convolution_integer_instance* instance) {
  return instance->rows_per_task / integer_rows * strip_size(instance->state);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct convolution_integer_instance* instance = opaque;
  const struct convolution_integer_state* state = instance->state;
  instance->pixels = take(dims);
  instance->in_group_step = take(dims);
  instance->in_pixel_step = take(dims);
  instance->out_group_step = take(dims);
  instance->out_pixel_step = take(dims);
  instance->in_zero_step = take(dims);
  instance->kernel_zero_step = take(dims);
  instance->scale_step = take(dims);
  size_t taps = 1;
  for (size_t axis = 0; axis < window_axes; axis++) {
    instance->slides[axis] = take_slide(dims);
    instance->pixels *= instance->slides[axis].out_extent;
    taps *= instance->slides[axis].kernel;
  }
  if (taps != state->taps) {
    return xnn_status_invalid_parameter;
  }
  const size_t threads = pthreadpool_get_threads_count(pool);
  const size_t strips = bytes_of_rows / strip_size(state) + 1, all_strips = divide_up(instance->pixels, integer_rows);
  instance->rows_per_task = (strips < all_strips ? strips : all_strips) * integer_rows;
  const size_t tasks = divide_up(instance->pixels, instance->rows_per_task) * state->groups;
  const size_t parts = divide_up(tasks_per_thread * threads, tasks);
  const size_t columns = divide_up(divide_up(state->out_channels, parts), integer_columns) * integer_columns;
  instance->columns_per_task = columns > least_columns ? columns : least_columns;
  *workspace = computed_size(state) + threads * scratch_size(instance);
  return xnn_status_success;
}

static enum xnn_status setup_constant(void* opaque, void* workspace, void* const* tensors) {
  struct convolution_integer_instance* instance = opaque;
  instance->input = tensors[0];
  instance->in_zeros = tensors[1];
  instance->scales = tensors[2];
  instance->output = tensors[3];
  instance->workspace = workspace;
  return xnn_status_success;
}

static enum xnn_status setup_computed(void* opaque, void* workspace, void* const* tensors) {
  struct convolution_integer_instance* instance = opaque;
  instance->input = tensors[0];
  instance->in_zeros = tensors[1];
  instance->kernel = tensors[2];
  instance->kernel_zeros = tensors[3];
  instance->output = tensors[4];
  instance->workspace = workspace;
  return xnn_status_success;
}

static int32_t zero_at(const uint8_t* zeros, bool is_signed, size_t place) {
  return is_signed ? (int8_t)zeros[place] : zeros[place];
}

/* Packs what is under the windows of up to four outputs. */
static void pack_strip(const struct convolution_integer_instance* instance, size_t group, size_t first, size_t count,
                       char* strip) {
  const struct convolution_integer_state* state = instance->state;
  const struct slide* slides = instance->slides;
  struct window_place places[integer_rows];
  int32_t zeros[integer_rows];
  for (size_t r = 0; r < count; r++) {
    const size_t zero = (group * instance->pixels + first + r) * instance->in_zero_step;
    places[r] = place_window(slides, first + r);
    zeros[r] = zero_at(instance->in_zeros, state->in_is_signed, zero);
  }
  const uint8_t* input = instance->input + group * instance->in_group_step;
  int16_t* rows = (int16_t*)(strip + integer_rows * sizeof(int32_t));
  int16_t* to = rows;
  size_t tap[window_axes];
  for (tap[0] = 0; tap[0] < slides[0].kernel; tap[0]++) {
    for (tap[1] = 0; tap[1] < slides[1].kernel; tap[1]++) {
      for (tap[2] = 0; tap[2] < slides[2].kernel; tap[2]++) {
        const uint8_t* pixels[integer_rows];
        for (size_t r = 0; r < count; r++) {
          const size_t pixel = pixel_under(slides, &places[r], tap);
          pixels[r] = pixel == no_pixel ? NULL : input + pixel * instance->in_pixel_step;
        }
        integer_pack_rows(count, pixels, zeros, state->in_is_signed, state->in_channels, to);
        to += pairs_of(state) * count * 2;
      }
    }
  }
  if (state->has_zeros) {
    integer_row_sums(count, state->taps * pairs_of(state), rows, (int32_t*)strip);
  }
}

/* Takes the weights' zero points off a row of sums, scales it, and puts it where it belongs. */
static void finish_row(const struct convolution_integer_state* state, const struct block* block, const int32_t* sums,
                       int32_t row_sum, const v128_t* scales, float* output, size_t columns) {
  for (size_t c = 0; c < integer_columns && c < columns; c += 4) {
    v128_t value = wasm_v128_load(sums + c);
    if (state->has_zeros) {
      value = wasm_i32x4_sub(value, wasm_i32x4_mul(wasm_v128_load(block->zeros + c), wasm_i32x4_splat(row_sum)));
    }
    if (state->is_scaled) {
      value = simd_madd(wasm_f32x4_convert_i32x4(value), scales[c / 4], wasm_v128_load(block->bias + c));
      value = simd_clamp(value, wasm_f32x4_splat(state->min), wasm_f32x4_splat(state->max));
    }
    simd_store(output + c, value, columns - c);
  }
}

/* The scales of a block's output channels. */
static void load_scales(const struct convolution_integer_instance* instance, size_t channel, size_t columns,
                        v128_t* scales) {
  if (instance->scale_step == 0) {
    scales[0] = scales[1] = wasm_v128_load32_splat(instance->scales);
    return;
  }
  const float* from = instance->scales + channel;
  scales[0] = simd_load(from, columns);
  scales[1] = simd_load(from + 4, columns > 4 ? columns - 4 : 0);
}

/* Some pixels and output channels of a group. */
static void compute(void* context, size_t thread, size_t group, size_t task) {
  const struct convolution_integer_instance* instance = context;
  const struct convolution_integer_state* state = instance->state;
  const size_t parts = divide_up(state->out_channels, instance->columns_per_task), strip_bytes = strip_size(state);
  const size_t first = task / parts * instance->rows_per_task, column = task % parts * instance->columns_per_task;
  const size_t rows_left = instance->pixels - first, columns_left = state->out_channels - column;
  const size_t rows = rows_left < instance->rows_per_task ? rows_left : instance->rows_per_task;
  const size_t columns = columns_left < instance->columns_per_task ? columns_left : instance->columns_per_task;
  char* strips = instance->workspace + computed_size(state) + thread * scratch_size(instance);
  for (size_t r = 0; r < rows; r += integer_rows) {
    const size_t count = rows - r < integer_rows ? rows - r : integer_rows;
    pack_strip(instance, group, first + r, count, strips + r / integer_rows * strip_bytes);
  }
  float* output = instance->output + group * instance->out_group_step + first * instance->out_pixel_step + column;
  char* packed = state->packed != NULL ? state->packed : instance->workspace;
  for (size_t c = 0; c < columns; c += integer_columns) {
    const struct block* block = block_at(state, packed, group, (column + c) / integer_columns);
    v128_t scales[integer_columns / 4];
    if (state->is_scaled) {
      load_scales(instance, group * state->out_channels + column + c, columns - c, scales);
    }
    for (size_t r = 0; r < rows; r += integer_rows) {
      const size_t count = rows - r < integer_rows ? rows - r : integer_rows;
      const int32_t* row_sums = (const int32_t*)(strips + r / integer_rows * strip_bytes);
      int32_t sums[integer_rows * integer_columns];
      integer_products(count, state->taps * pairs_of(state), (const int16_t*)(row_sums + integer_rows),
                       (const int8_t*)(block + 1), sums);
      for (size_t i = 0; i < count; i++) {
        finish_row(state, block, sums + i * integer_columns, row_sums[i], scales,
                   output + (r + i) * instance->out_pixel_step + c, columns - c);
      }
    }
  }
}

static void pack_computed(const struct convolution_integer_instance* instance, pthreadpool_t pool) {
  const struct convolution_integer_state* state = instance->state;
  struct packing packing = {state, instance->kernel, instance->workspace};
  pthreadpool_parallelize_2d(pool, pack_block, &packing, state->groups, blocks_of(state), 0);
  for (size_t i = 0; i < state->groups * state->out_channels; i++) {
    const size_t group = i / state->out_channels, channel = i % state->out_channels;
    struct block* block = block_at(state, instance->workspace, group, channel / integer_columns);
    const int32_t zero = zero_at(instance->kernel_zeros, state->kernel_is_signed, i * instance->kernel_zero_step);
    block->zeros[channel % integer_columns] = zero - flip_of(state);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct convolution_integer_instance* instance = opaque;
  const struct convolution_integer_state* state = instance->state;
  if (state->packed == NULL) {
    pack_computed(instance, pool);
  }
  const size_t tasks =
      divide_up(instance->pixels, instance->rows_per_task) * divide_up(state->out_channels, instance->columns_per_task);
  pthreadpool_parallelize_2d_with_thread(pool, compute, opaque, state->groups, tasks,
                                         PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type convolution_integer_type = {
    .name = "convolution of integers",
    .num_params = 9,
    .num_refs = 4,
    .create = create_constant,
    .destroy = destroy,
    .instance_size = sizeof(struct convolution_integer_instance),
    .reshape = reshape,
    .setup = setup_constant,
    .run = run,
};

const struct operator_type convolution_integer_computed_type = {
    .name = "convolution of integers with computed weights",
    .num_params = 9,
    .num_refs = 5,
    .create = create_computed,
    .destroy = destroy,
    .instance_size = sizeof(struct convolution_integer_instance),
    .reshape = reshape,
    .setup = setup_computed,
    .run = run,
};
