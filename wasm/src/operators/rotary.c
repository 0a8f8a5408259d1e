/* Rotary embeddings on our own kernels (kernels/rotary.c): each row of a head is turned by the angles of its place. */
#include "kernels/rotary.h"

#include <string.h>

#include "memory.h"
#include "operator.h"

enum { elements_per_task = 4096 };

struct rotary_instance {
  const size_t* interleaved;
  size_t heads, rows, size, half;
  size_t total; /* rows of all heads and batches */
  size_t input_strides[3], output_strides[3], table_strides[2];
  const float *input, *cosines, *sines;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const size_t interleaved = take(params);
  return own_state(&interleaved, sizeof(interleaved), out);
}

static void take_strides(struct words* dims, size_t count, size_t* strides) {
  for (size_t i = 0; i < count; i++) {
    strides[i] = take(dims);
  }
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct rotary_instance* instance = opaque;
  const size_t batch = take(dims);
  instance->heads = take(dims);
  instance->rows = take(dims);
  instance->size = take(dims);
  instance->half = take(dims);
  take_strides(dims, 3, instance->input_strides);
  take_strides(dims, 3, instance->output_strides);
  take_strides(dims, 2, instance->table_strides);
  instance->total = batch * instance->heads * instance->rows;
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

/* Some rows, counted heads within rows within batches. */
static void turn(void* context, size_t first, size_t count) {
  const struct rotary_instance* instance = context;
  const size_t* from = instance->input_strides;
  const size_t* to = instance->output_strides;
  const size_t turned = 2 * instance->half;
  size_t head = first % instance->heads, row = first / instance->heads % instance->rows;
  size_t batch = first / instance->heads / instance->rows;
  for (; count > 0; count--) {
    const float* input = instance->input + batch * from[0] + head * from[1] + row * from[2];
    float* output = instance->output + batch * to[0] + head * to[1] + row * to[2];
    const size_t place = batch * instance->table_strides[0] + row * instance->table_strides[1];
    const float *cosines = instance->cosines + place, *sines = instance->sines + place;
    if (*instance->interleaved) {
      rotary_pairs(input, cosines, sines, instance->half, output);
    } else {
      rotary_halves(input, cosines, sines, instance->half, output);
    }
    if (turned < instance->size) { /* even nothing is copied by a call */
      memcpy(output + turned, input + turned, (instance->size - turned) * sizeof(*output));
    }
    if (++head == instance->heads) {
      head = 0;
      if (++row == instance->rows) {
        row = 0;
        batch++;
      }
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct rotary_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, turn, opaque, instance->total, elements_per_task / (instance->size + 1) + 1,
                                     0);
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
