/* LinearAttention on our own kernels (kernels/linear_attention.c): tasks are some columns of a head's values. */
#include "kernels/linear_attention.h"

#include <string.h>

#include "operator.h"
#include "sizes.h"

struct linear_attention_instance {
  const float* scale; /* the operator's state */
  struct linear_attention shape;
  size_t batch, heads, decays, betas;
  size_t blocks; /* of columns */
  float* states; /* one a task */
  const float *query, *key, *value, *past, *decay, *beta;
  float *output, *present;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const float scale = take_float(params);
  return own_state(&scale, sizeof(scale), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct linear_attention_instance* instance = opaque;
  struct linear_attention* shape = &instance->shape;
  instance->batch = take(dims);
  shape->steps = take(dims);
  instance->heads = take(dims);
  shape->group = take(dims);
  shape->key_size = take(dims);
  shape->value_size = take(dims);
  instance->decays = take(dims);
  instance->betas = take(dims);
  const size_t per_row = instance->heads * shape->key_size;
  if ((instance->decays > 1 && instance->decays != instance->heads && instance->decays != per_row) ||
      (instance->betas > 1 && instance->betas != instance->heads)) {
    return xnn_status_invalid_parameter;
  }
  shape->scale = *instance->scale;
  shape->query_step = shape->group * per_row;
  shape->key_step = per_row;
  shape->value_step = instance->heads * shape->value_size;
  shape->output_step = shape->group * shape->value_step;
  shape->decay_step = instance->decays;
  shape->beta_step = instance->betas;
  shape->decay_stride = instance->decays == per_row && shape->key_size > 1;
  instance->blocks = divide_up(shape->value_size, linear_attention_columns);
  *workspace = instance->batch * instance->heads * instance->blocks * shape->key_size * linear_attention_columns *
               sizeof(*instance->states);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct linear_attention_instance* instance = opaque;
  instance->states = workspace;
  instance->query = tensors[0];
  instance->key = tensors[1];
  instance->value = tensors[2];
  instance->past = tensors[3];
  instance->decay = tensors[4];
  instance->beta = tensors[5];
  instance->output = tensors[6];
  instance->present = instance->output + instance->batch * instance->shape.steps * instance->shape.output_step;
  return xnn_status_success;
}

static void attend(void* context, size_t index, size_t block) {
  const struct linear_attention_instance* instance = context;
  const struct linear_attention* shape = &instance->shape;
  const size_t rows = shape->key_size, width = shape->value_size, first = block * linear_attention_columns;
  const size_t columns = smaller(width - first, linear_attention_columns);
  const size_t head = index % instance->heads, start = index / instance->heads * shape->steps;
  static const float whole = 1.0f;
  float* state = instance->states + (index * instance->blocks + block) * rows * linear_attention_columns;
  const size_t size = columns * sizeof(*state), place = index * rows * width + first;
  memset(state, 0, rows * linear_attention_columns * sizeof(*state));
  for (size_t row = 0; row < rows; row++) {
    memcpy(state + row * linear_attention_columns, instance->past + place + row * width, size);
  }
  const struct linear_attention_head at = {
      .query = instance->query + start * shape->query_step + head * shape->group * rows,
      .key = instance->key + start * shape->key_step + head * rows,
      .value = instance->value + start * shape->value_step + head * width + first,
      .decay = instance->decays == 0
                   ? &whole
                   : instance->decay + start * shape->decay_step + head * (instance->decays / instance->heads),
      .beta = instance->betas == 0
                  ? NULL
                  : instance->beta + start * shape->beta_step + (instance->betas == instance->heads ? head : 0),
      .output = instance->output + start * shape->output_step + head * shape->group * width + first,
  };
  linear_attention(shape, &at, columns, state);
  for (size_t row = 0; row < rows; row++) {
    memcpy(instance->present + place + row * width, state + row * linear_attention_columns, size);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct linear_attention_instance* instance = opaque;
  pthreadpool_parallelize_2d(pool, attend, opaque, instance->batch * instance->heads, instance->blocks,
                             PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type linear_attention_type = {
    .name = "linear attention",
    .num_params = 1,
    .num_refs = 7,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct linear_attention_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
