/* Floats to bytes by their own range, on our own kernels (kernels/dynamic_quantize.c). */
#include "kernels/dynamic_quantize.h"

#include <math.h>

#include "memory.h"
#include "operator.h"
#include "sizes.h"

enum { elements_per_task = 16384 };

struct dynamic_quantize_instance {
  const void* state;
  size_t count;
  const float* input;
  uint8_t* output;
  struct float_range* ranges; /* of each task's elements */
};

/* How the result lies: bytes, the scale at the next multiple of 4, the zero point behind it. */
struct quantization {
  float scale;
  uint8_t zero;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  *out = NULL;
  return xnn_status_success;
}

static size_t tasks_of(const struct dynamic_quantize_instance* instance) {
  return divide_up(instance->count, elements_per_task);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct dynamic_quantize_instance* instance = opaque;
  instance->count = take(dims);
  *workspace = tasks_of(instance) * sizeof(struct float_range);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct dynamic_quantize_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->ranges = workspace;
  return xnn_status_success;
}

static struct quantization* quantization_of(const struct dynamic_quantize_instance* instance) {
  return (struct quantization*)(instance->output + rounded_up(instance->count, 4));
}

static void find_range(void* context, size_t start, size_t count) {
  const struct dynamic_quantize_instance* instance = context;
  instance->ranges[start / elements_per_task] = range_of(instance->input + start, count);
}

static void quantize(void* context, size_t start, size_t count) {
  const struct dynamic_quantize_instance* instance = context;
  const struct quantization* to = quantization_of(instance);
  quantize_floats(instance->input + start, count, to->scale, to->zero, instance->output + start);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct dynamic_quantize_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, find_range, opaque, instance->count, elements_per_task, 0);
  struct float_range range = {0.0f, 0.0f};
  for (size_t i = 0; i < tasks_of(instance); i++) {
    range.low = fminf(range.low, instance->ranges[i].low);
    range.high = fmaxf(range.high, instance->ranges[i].high);
  }
  struct quantization* to = quantization_of(instance);
  to->scale = range.high == range.low ? 1.0f : (range.high - range.low) / 255.0f;
  to->zero = (uint8_t)rintf(fmaxf(0.0f, fminf(255.0f, -range.low / to->scale)));
  pthreadpool_parallelize_1d_tile_1d(pool, quantize, opaque, instance->count, elements_per_task, 0);
  return xnn_status_success;
}

const struct operator_type dynamic_quantize_type = {
    .name = "dynamic quantization",
    .num_params = 0,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct dynamic_quantize_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
