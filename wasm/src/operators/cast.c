/* Conversions between element types, on our own kernels (kernels/cast.c). */
#include "kernels/cast.h"

#include "operator.h"
#include "sizes.h"

/* Elements between two steps stay in the first-level cache. */
enum { elements_per_task = 4096, elements_per_turn = 512 };

struct cast_instance {
  const struct cast* cast;
  size_t count;
  const uint8_t* input;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t from = take(params), to = take(params);
  if (from >= num_elements || to >= num_elements || from == to) {
    return xnn_status_invalid_parameter;
  }
  const struct cast state = cast_find(from, to);
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct cast_instance* instance = opaque;
  instance->count = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct cast_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t start, size_t count) {
  const struct cast_instance* instance = context;
  const struct cast* cast = instance->cast;
  int64_t between[2][elements_per_turn];
  for (size_t end = start + count; start < end; start += elements_per_turn) {
    const size_t turn = smaller(end - start, elements_per_turn);
    const void* from = instance->input + start * cast->sizes[0];
    for (size_t step = 0; step < cast->num_steps; step++) {
      const bool is_last = step + 1 == cast->num_steps;
      void* to = is_last ? (void*)(instance->output + start * cast->sizes[step + 1]) : between[step];
      cast->steps[step](from, to, turn);
      from = to;
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct cast_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->count, elements_per_task, 0);
  return xnn_status_success;
}

const struct operator_type cast_type = {
    .name = "cast",
    .num_params = 2,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct cast_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
