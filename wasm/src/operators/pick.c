/* Picks elements by lists of indices, one an axis: padding, cropping, resizing to the nearest. */
#include <string.h>

#include "kernels/move.h"
#include "operator.h"

enum { max_axes = 16 };

/* Rows of about so many bytes are one task. */
enum { bytes_per_task = 32768 };

struct pick_state {
  size_t element_size;
  uint64_t fill; /* as many elements as there is room for */
};

/*
 * A row is what the last axis makes: `columns` pieces of `piece` bytes, `step` bytes apart in the input and `out_step` in the
 * output. The other axes say which row of the input it is made of.
 */
struct pick_instance {
  const struct pick_state* state;
  size_t num_axes;
  size_t extents[max_axes], out_extents[max_axes];
  const int32_t* indices[max_axes];
  size_t piece, step, out_step;
  size_t rows, columns;
  size_t row_bytes, out_row_bytes;
  size_t run_begin, run_end; /* the most columns in one run whose pieces lie in sequence in the input */
  const uint8_t* input;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct pick_state state = {.element_size = take(params)};
  if (!is_element_size(state.element_size)) {
    return xnn_status_invalid_parameter;
  }
  state.fill = take(params);
  state.fill |= (uint64_t)take(params) << 32;
  for (size_t filled = state.element_size; filled < sizeof(state.fill); filled *= 2) {
    state.fill |= state.fill << filled * 8;
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct pick_instance* instance = opaque;
  const size_t outer = take(dims), element_size = instance->state->element_size;
  instance->piece = take(dims) * element_size;
  instance->step = take(dims) * element_size;
  instance->out_step = take(dims) * element_size;
  instance->num_axes = take(dims);
  if (instance->num_axes == 0 || instance->num_axes > max_axes) {
    return xnn_status_invalid_parameter;
  }
  instance->rows = outer;
  for (size_t axis = 0; axis < instance->num_axes; axis++) {
    instance->extents[axis] = take(dims);
    instance->out_extents[axis] = take(dims);
    instance->rows *= instance->out_extents[axis];
  }
  const size_t last = instance->num_axes - 1;
  instance->columns = instance->out_extents[last];
  instance->rows /= instance->columns == 0 ? 1 : instance->columns;
  instance->row_bytes = instance->extents[last] * instance->step;
  instance->out_row_bytes = instance->columns * instance->out_step;
  return xnn_status_success;
}

static void find_run(struct pick_instance* instance) {
  const int32_t* columns = instance->indices[instance->num_axes - 1];
  for (size_t begin = 0; begin < instance->columns;) {
    size_t end = begin + 1;
    while (end < instance->columns && columns[end] == columns[end - 1] + 1) {
      end++;
    }
    if (columns[begin] >= 0 && end - begin > instance->run_end - instance->run_begin) {
      instance->run_begin = begin;
      instance->run_end = end;
    }
    begin = columns[begin] < 0 ? begin + 1 : end;
  }
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct pick_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[2];
  const int32_t* indices = tensors[1];
  for (size_t axis = 0; axis < instance->num_axes; axis++) {
    instance->indices[axis] = indices;
    indices += instance->out_extents[axis];
  }
  return xnn_status_success;
}

static void fill(const struct pick_instance* instance, uint8_t* output, size_t bytes) {
  const size_t unit = sizeof(instance->state->fill);
  size_t i = 0;
  for (; i + unit <= bytes; i += unit) {
    memcpy(output + i, &instance->state->fill, unit);
  }
  memcpy(output + i, &instance->state->fill, bytes - i);
}

static void fill_row(const struct pick_instance* instance, uint8_t* output) {
  if (instance->out_step == instance->piece) {
    fill(instance, output, instance->out_row_bytes);
    return;
  }
  for (size_t x = 0; x < instance->columns; x++) {
    fill(instance, output + x * instance->out_step, instance->piece);
  }
}

#define COPY_ELEMENTS(type)                                                                 \
  for (size_t x = begin; x < end; x++) {                                                    \
    ((type*)output)[x] = columns[x] < 0 ? (type)fill_with : ((const type*)row)[columns[x]]; \
  }

static bool is_dense(const struct pick_instance* instance) {
  return instance->step == instance->piece && instance->out_step == instance->piece;
}

/* Copies columns [begin, end) of a row, one by one. */
static void copy_columns(const struct pick_instance* instance, const uint8_t* row, uint8_t* output, size_t begin,
                         size_t end) {
  if (begin == end) {
    return;
  }
  const int32_t* columns = instance->indices[instance->num_axes - 1];
  const uint64_t fill_with = instance->state->fill;
  const size_t piece = instance->piece;
  if (piece != instance->state->element_size || !is_dense(instance)) {
    for (size_t x = begin; x < end; x++) {
      if (columns[x] < 0) {
        fill(instance, output + x * instance->out_step, piece);
      } else {
        move_bytes(output + x * instance->out_step, row + (size_t)columns[x] * instance->step, piece);
      }
    }
  } else if (piece == sizeof(uint32_t)) {
    COPY_ELEMENTS(uint32_t)
  } else if (piece == sizeof(uint64_t)) {
    COPY_ELEMENTS(uint64_t)
  } else if (piece == sizeof(uint16_t)) {
    COPY_ELEMENTS(uint16_t)
  } else {
    COPY_ELEMENTS(uint8_t)
  }
}

/* Makes a row of the output of a row of the input. */
static void copy_row(const struct pick_instance* instance, const uint8_t* row, uint8_t* output) {
  const int32_t* columns = instance->indices[instance->num_axes - 1];
  const size_t begin = instance->run_begin, end = instance->run_end, piece = instance->piece;
  copy_columns(instance, row, output, 0, begin);
  if (begin < end) {
    move_bytes(output + begin * piece, row + (size_t)columns[begin] * piece, (end - begin) * piece);
  }
  copy_columns(instance, row, output, end, instance->columns);
}

/* Where a row of the output is: along the outer axes, which are one here, and along those with lists but the last. */
struct place {
  size_t outer;
  size_t at[max_axes];
};

static struct place place_of(const struct pick_instance* instance, size_t row) {
  struct place place;
  for (size_t axis = instance->num_axes - 1; axis-- > 0;) {
    place.at[axis] = row % instance->out_extents[axis];
    row /= instance->out_extents[axis];
  }
  place.outer = row;
  return place;
}

static void advance(const struct pick_instance* instance, struct place* place) {
  for (size_t axis = instance->num_axes - 1; axis-- > 0;) {
    if (++place->at[axis] < instance->out_extents[axis]) {
      return;
    }
    place->at[axis] = 0;
  }
  place->outer++;
}

/* The row of the input that a row of the output is made of, -1 when it is outside. */
static ptrdiff_t source_of(const struct pick_instance* instance, const struct place* place) {
  size_t source = place->outer;
  for (size_t axis = 0; axis + 1 < instance->num_axes; axis++) {
    const int32_t index = instance->indices[axis][place->at[axis]];
    if (index < 0) {
      return -1;
    }
    source = source * instance->extents[axis] + (size_t)index;
  }
  return (ptrdiff_t)source;
}

static void compute(void* context, size_t start, size_t count) {
  const struct pick_instance* instance = context;
  struct place place = place_of(instance, start);
  ptrdiff_t previous = -1;
  for (size_t row = start; row < start + count; row++) {
    uint8_t* output = instance->output + row * instance->out_row_bytes;
    const ptrdiff_t source = source_of(instance, &place);
    if (source < 0) {
      fill_row(instance, output);
    } else if (source == previous && instance->out_step == instance->piece) {
      move_bytes(output, output - instance->out_row_bytes, instance->out_row_bytes);
    } else {
      copy_row(instance, instance->input + (size_t)source * instance->row_bytes, output);
    }
    previous = source;
    advance(instance, &place);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  struct pick_instance* instance = opaque;
  instance->run_begin = instance->run_end = 0;
  if (is_dense(instance)) {
    find_run(instance);
  }
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->rows,
                                     bytes_per_task / (instance->out_row_bytes + 1) + 1, 0);
  return xnn_status_success;
}

const struct operator_type pick_type = {
    .name = "pick",
    .num_params = 3,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct pick_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
