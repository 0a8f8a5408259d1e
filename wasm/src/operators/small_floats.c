/* Floats of 8 bits and fewer to float32 and back, on our own kernels (kernels/small_floats.c). */
#include "kernels/small_floats.h"

#include "operator.h"

enum { elements_per_task = 8192 };

struct small_floats_instance {
  const void* table; /* the operator's state */
  size_t count;
  const void* input;
  void* output;
};

static enum xnn_status create(const void* table, size_t size, void** out) {
  return table == NULL ? xnn_status_invalid_parameter : own_state(table, size, out);
}

static enum xnn_status create_widen(struct words* params, const void* kernel, const void* bias, void** out) {
  return create(kernel, small_floats * sizeof(float), out);
}

static enum xnn_status create_narrow(struct words* params, const void* kernel, const void* bias, void** out) {
  return create(kernel, float_halves, out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct small_floats_instance* instance = opaque;
  instance->count = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct small_floats_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void widen(void* context, size_t start, size_t count) {
  const struct small_floats_instance* instance = context;
  small_floats_widen((const uint8_t*)instance->input + start, instance->table, (float*)instance->output + start, count);
}

static void narrow(void* context, size_t start, size_t count) {
  const struct small_floats_instance* instance = context;
  small_floats_narrow((const float*)instance->input + start, instance->table, (uint8_t*)instance->output + start,
                      count);
}

static enum xnn_status run_widen(void* opaque, pthreadpool_t pool) {
  const struct small_floats_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, widen, opaque, instance->count, elements_per_task, 0);
  return xnn_status_success;
}

static enum xnn_status run_narrow(void* opaque, pthreadpool_t pool) {
  const struct small_floats_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, narrow, opaque, instance->count, elements_per_task, 0);
  return xnn_status_success;
}

const struct operator_type widen_type = {
    .name = "floats of bytes",
    .num_params = 0,
    .num_refs = 2,
    .create = create_widen,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct small_floats_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run_widen,
};

const struct operator_type narrow_type = {
    .name = "bytes of floats",
    .num_params = 0,
    .num_refs = 2,
    .create = create_narrow,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct small_floats_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run_narrow,
};
