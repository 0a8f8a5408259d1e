/* Elements and slices by computed indices, which are checked before any is followed. */
#include "indices.h"
#include "kernels/indexed.h"
#include "kernels/move.h"
#include "nest.h"
#include "sizes.h"

enum { elements_per_task = 4096 };

struct gather_state {
  size_t index_size, element_size;
};

struct gather_instance {
  const struct gather_state* state;
  struct indices axes;
  struct nest nest; /* through indices, data, output */
  const void* indices;
  const uint8_t* data;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct gather_state state = {.index_size = take(params)};
  state.element_size = take(params);
  if (!is_index_size(state.index_size) || !is_element_size(state.element_size)) {
    return xnn_status_invalid_parameter;
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct gather_instance* instance = opaque;
  const enum xnn_status status = take_indices(dims, instance->state->index_size, &instance->axes);
  return status == xnn_status_success ? take_nest(dims, 3, &instance->nest) : status;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct gather_instance* instance = opaque;
  instance->data = tensors[0];
  instance->indices = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

/* Rows whose elements share a tuple are copied; else each element has its own. */
static void copy(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct gather_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  const ptrdiff_t size = (ptrdiff_t)instance->state->element_size;
  const ptrdiff_t tuple_step = nest_column_stride(nest, 0);
  const bool in_rows = tuple_step == 0;
  const uint8_t* data = instance->data + offsets[1] * size;
  uint8_t* output = instance->output + offsets[2] * size;
  int32_t places[indices_block];
  for (size_t row = 0; row < rows; row++) {
    const ptrdiff_t first = offsets[0] + (ptrdiff_t)row * nest_row_stride(nest, 0);
    if (in_rows) {
      const size_t at = row % indices_block, left = rows - row;
      if (at == 0) {
        indices_places(&instance->axes, instance->indices, first, nest_row_stride(nest, 0),
                       smaller(left, indices_block), 0, places);
      }
      move_block(data + places[at] * size, 0, nest_column_stride(nest, 1), output, 0, 1, 1, columns, (size_t)size);
    } else {
      const ptrdiff_t step = nest_column_stride(nest, 1);
      for (size_t column = 0; column < columns; column += indices_block) {
        const size_t count = smaller(columns - column, indices_block);
        indices_places(&instance->axes, instance->indices, first + (ptrdiff_t)column * tuple_step, tuple_step, count,
                       step, places);
        indexed_load(data + (ptrdiff_t)column * step * size, places, output + (ptrdiff_t)column * size, count,
                     (size_t)size);
      }
    }
    data += nest_row_stride(nest, 1) * size;
    output += nest_row_stride(nest, 2) * size;
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct gather_instance* instance = opaque;
  const enum xnn_status status = indices_check(&instance->axes, instance->indices, pool);
  if (status == xnn_status_success) {
    nest_run(&instance->nest, copy, instance, elements_per_task, pool);
  }
  return status;
}

const struct operator_type gather_type = {
    .name = "gather",
    .num_params = 2,
    .num_refs = 3,
    .instance_size = sizeof(struct gather_instance),
    .create = create,
    .destroy = pyxnn_release,
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
