/* Elementwise functions on our own kernels (kernels/functions.c). */
#include "kernels/functions.h"

#include "operator.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 2048 };

static const function_kernel kernels[] = {
    [pyxnn_erf] = function_erf,
    [pyxnn_gelu_tanh] = function_gelu_tanh,
};

struct function_instance {
  const function_kernel* kernel;
  size_t count;
  const float* input;
  float* output;
};

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  const uint32_t type = take(params);
  if (type >= sizeof(kernels) / sizeof(kernels[0])) {
    return xnn_status_invalid_parameter;
  }
  *state = (void*)&kernels[type];
  return xnn_status_success;
}

/* The state is an entry of `kernels`. */
static void destroy(void* state) {}

static enum xnn_status instantiate(const void* state, void** instance) {
  return own_instantiate(state, sizeof(struct function_instance), instance);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct function_instance* instance = opaque;
  instance->count = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct function_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t start, size_t count) {
  const struct function_instance* instance = context;
  (*instance->kernel)(instance->input + start, instance->output + start, count);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct function_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->count, elements_per_task,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type function_type = {
    .name = "elementwise function",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instantiate = instantiate,
    .release = own_release,
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
