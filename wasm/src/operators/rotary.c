/* Rotary embeddings on our own kernels (kernels/rotary.c): each row of a head is turned by the angles of its place. */
#include "kernels/rotary.h"

#include <string.h>

#include "memory.h"
#include "operator.h"
#include "sizes.h"

enum { elements_per_task = 4096 };

struct rotary_axis {
  size_t extent;
  struct rotary_steps steps;
};

struct rotary_instance {
  const size_t* interleaved;
  struct rotary_axis axes[3]; /* outermost first: rows follow each other as they lie in memory */
  size_t size, half;
  const float *input, *cosines, *sines;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const size_t interleaved = take(params);
  return own_state(&interleaved, sizeof(interleaved), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct rotary_instance* instance = opaque;
  struct rotary_axis batch, heads, rows;
  batch.extent = take(dims);
  heads.extent = take(dims);
  rows.extent = take(dims);
  instance->size = take(dims);
  instance->half = take(dims);
  batch.steps.input = take(dims);
  heads.steps.input = take(dims);
  rows.steps.input = take(dims);
  batch.steps.output = take(dims);
  heads.steps.output = take(dims);
  rows.steps.output = take(dims);
  batch.steps.table = take(dims);
  heads.steps.table = 0;
  rows.steps.table = take(dims);
  const bool heads_within = heads.steps.input < rows.steps.input;
  instance->axes[0] = batch;
  instance->axes[1] = heads_within ? rows : heads;
  instance->axes[2] = heads_within ? heads : rows;
  return 2 * instance->half <= instance->size ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct rotary_instance* instance = opaque;
  instance->input = tensors[0];
  instance->cosines = tensors[1];
  instance->sines = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

/* Some rows, counted over all axes. */
static void turn(void* context, size_t first, size_t count) {
  const struct rotary_instance* instance = context;
  const struct rotary_axis *outer = &instance->axes[0], *middle = &instance->axes[1], *inner = &instance->axes[2];
  const size_t half = instance->half, turned = 2 * half;
  size_t k = first % inner->extent, j = first / inner->extent % middle->extent;
  size_t i = first / inner->extent / middle->extent;
  while (count > 0) {
    const struct rotary_steps *a = &outer->steps, *b = &middle->steps, *c = &inner->steps;
    const size_t left = inner->extent - k, rows = smaller(count, left);
    const float* input = instance->input + i * a->input + j * b->input + k * c->input;
    float* output = instance->output + i * a->output + j * b->output + k * c->output;
    const size_t place = i * a->table + j * b->table + k * c->table;
    (*instance->interleaved ? rotary_pairs : rotary_halves)(input, instance->cosines + place, instance->sines + place,
                                                            half, output, rows, *c);
    for (size_t row = 0; row < rows && turned < instance->size; row++) {
      memcpy(output + row * c->output + turned, input + row * c->input + turned,
             (instance->size - turned) * sizeof(*output));
    }
    count -= rows;
    k = 0;
    if (++j == middle->extent) {
      j = 0;
      i++;
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct rotary_instance* instance = opaque;
  const struct rotary_axis* axes = instance->axes;
  pthreadpool_parallelize_1d_tile_1d(pool, turn, opaque, axes[0].extent * axes[1].extent * axes[2].extent,
                                     elements_per_task / (instance->size + 1) + 1, 0);
  return xnn_status_success;
}

const struct operator_type rotary_type = {
    .name = "rotary",
    .num_params = 1,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct rotary_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
