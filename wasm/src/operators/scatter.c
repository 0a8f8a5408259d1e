/* A tensor with elements or slices of it updated at computed indices, which are checked before anything is written. */
#include <string.h>

#include "indices.h"
#include "kernels/cast.h"
#include "kernels/indexed.h"
#include "nest.h"
#include "sizes.h"

enum { elements_per_task = 4096, bytes_per_copy = 65536 };

struct scatter_state {
  const struct indexed_update* update;
  size_t index_size;
  ptrdiff_t element_size;
};

struct scatter_instance {
  const struct scatter_state* state;
  size_t size; /* of the data, in bytes */
  struct indices axes;
  struct nest nest; /* through indices, updates, output */
  /* What threads share is one dimension of the nest, whose parts update different elements; so many of it are a task. */
  uint32_t apart;
  size_t per_task;
  const uint8_t* data;
  const void* indices;
  const uint8_t* updates;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const size_t index_size = take(params);
  const uint32_t type = take(params), element = take(params);
  const struct indexed_update* update = indexed_update_find(type, element);
  if (!is_index_size(index_size) || update == NULL) {
    return xnn_status_invalid_parameter;
  }
  const struct scatter_state state = {
      .update = update, .index_size = index_size, .element_size = (ptrdiff_t)element_size(element)};
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct scatter_instance* instance = opaque;
  instance->size = take(dims) * (size_t)instance->state->element_size;
  enum xnn_status status = take_indices(dims, instance->state->index_size, &instance->axes);
  if (status == xnn_status_success) {
    status = take_nest(dims, 3, &instance->nest);
  }
  if (status != xnn_status_success) {
    return status;
  }
  const struct nest* nest = &instance->nest;
  size_t elements = 1, most = 0;
  for (uint32_t d = 0; d < nest->num_dims; d++) {
    elements *= nest->extents[d];
    if (nest->strides[2][d] != 0 && nest->extents[d] > most) {
      most = nest->extents[d];
      instance->apart = d;
    }
  }
  /* Where there is none, all may fall on one element. */
  instance->per_task = most == 0 ? nest->extents[0] : elements_per_task / (elements / most) + 1;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct scatter_instance* instance = opaque;
  instance->data = tensors[0];
  instance->indices = tensors[1];
  instance->updates = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

static void copy_data(void* context, size_t start, size_t count) {
  const struct scatter_instance* instance = context;
  memcpy(instance->output + start, instance->data + start, count);
}

/* A part of the nest, and where it begins in each tensor. */
struct part {
  const struct scatter_instance* instance;
  struct nest nest;
  ptrdiff_t offsets[3];
};

/* Rows whose elements share a tuple are updated as such; else each element has its own. */
static void update(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct part* part = opaque;
  const struct scatter_instance* instance = part->instance;
  const struct nest* nest = &part->nest;
  const struct indexed_update* kernels = instance->state->update;
  const ptrdiff_t size = instance->state->element_size;
  const ptrdiff_t tuple_step = nest_column_stride(nest, 0);
  const ptrdiff_t from_step = nest_column_stride(nest, 1), step = nest_column_stride(nest, 2);
  const bool in_rows = tuple_step == 0;
  const ptrdiff_t first = part->offsets[0] + offsets[0];
  const uint8_t* updates = instance->updates + (part->offsets[1] + offsets[1]) * size;
  uint8_t* output = instance->output + (part->offsets[2] + offsets[2]) * size;
  int32_t places[indices_block];
  for (size_t row = 0; row < rows; row++) {
    const ptrdiff_t tuple = first + (ptrdiff_t)row * nest_row_stride(nest, 0);
    if (in_rows) {
      const size_t at = row % indices_block, left = rows - row;
      if (at == 0) {
        indices_places(&instance->axes, instance->indices, tuple, nest_row_stride(nest, 0),
                       smaller(left, indices_block), 0, places);
      }
      kernels->row(output + places[at] * size, updates, columns);
    } else {
      for (size_t column = 0; column < columns; column += indices_block) {
        const size_t count = smaller(columns - column, indices_block);
        indices_places(&instance->axes, instance->indices, tuple + (ptrdiff_t)column * tuple_step, tuple_step, count,
                       step, places);
        kernels->each(output + (ptrdiff_t)column * step * size, places, updates + (ptrdiff_t)column * from_step * size,
                      from_step, count);
      }
    }
    updates += nest_row_stride(nest, 1) * size;
    output += nest_row_stride(nest, 2) * size;
  }
}

static void update_part(void* context, size_t start, size_t count) {
  const struct scatter_instance* instance = context;
  struct part part = {.instance = instance, .nest = instance->nest};
  part.nest.extents[instance->apart] = count;
  for (uint32_t t = 0; t < 3; t++) {
    part.offsets[t] = (ptrdiff_t)start * part.nest.strides[t][instance->apart];
  }
  nest_run(&part.nest, update, &part, elements_per_task, NULL);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct scatter_instance* instance = opaque;
  const enum xnn_status status = indices_check(&instance->axes, instance->indices, pool);
  if (status != xnn_status_success) {
    return status;
  }
  if (instance->output != instance->data) {
    pthreadpool_parallelize_1d_tile_1d(pool, copy_data, opaque, instance->size, bytes_per_copy, 0);
  }
  pthreadpool_parallelize_1d_tile_1d(pool, update_part, opaque, instance->nest.extents[instance->apart],
                                     instance->per_task, 0);
  return xnn_status_success;
}

const struct operator_type scatter_type = {
    .name = "scatter",
    .num_params = 3,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct scatter_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
