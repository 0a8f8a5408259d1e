/* ArgMax and ArgMin, TopK, CumSum and CumProd on our own kernels (kernels/order.c). */
#include "kernels/order.h"

#include "operator.h"
#include "sizes.h"

/* Rows or columns of about so many elements are one task. */
enum { elements_per_task = 8192 };

struct order_state {
  const struct order_kernel* kernel;
  bool first_option, second_option, third_option; /* as the kind's params give them; false where it has none */
};

struct order_instance {
  const struct order_state* state;
  size_t outer, length, inner;
  size_t k;                   /* of TopK, where inner is 1 */
  size_t columns;             /* of a task, where inner is above 1 */
  size_t tasks_across, tasks; /* beside each other; all */
  const char* input;
  char* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct order_kernel* chosen = order_choose(take(params));
  if (chosen == NULL) {
    return xnn_status_invalid_parameter;
  }
  struct order_state state = {.kernel = chosen};
  state.first_option = take(params) != 0;
  state.second_option = take(params) != 0;
  state.third_option = take(params) != 0;
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct order_instance* instance = opaque;
  instance->outer = take(dims);
  instance->length = take(dims);
  instance->inner = take(dims);
  if (instance->length == 0 || instance->inner == 0) {
    return xnn_status_invalid_parameter;
  }
  const size_t threads = pthreadpool_get_threads_count(pool);
  const size_t shared = threads == 1 ? instance->inner : instance->inner / (4 * threads) / 16 * 16;
  instance->columns = smaller(larger(64, shared), order_columns);
  instance->tasks_across = divide_up(instance->inner, instance->columns);
  instance->tasks = instance->outer * instance->tasks_across;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct order_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

/* Where a task's columns are. */
struct part {
  size_t outer, column, count;
};

static struct part part_of(const struct order_instance* instance, size_t task) {
  const size_t column = task % instance->tasks_across * instance->columns, left = instance->inner - column;
  return (struct part){task / instance->tasks_across, column, smaller(left, instance->columns)};
}

static void each_task(const struct order_instance* instance, pthreadpool_t pool, pthreadpool_task_1d_tile_1d_t task) {
  const size_t columns = smaller(instance->inner, instance->columns);
  pthreadpool_parallelize_1d_tile_1d(pool, task, (void*)instance, instance->tasks,
                                     divide_up(elements_per_task, instance->length * columns),
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}

static void find_extremes(void* context, size_t start, size_t count) {
  const struct order_instance* instance = context;
  const struct order_state* state = instance->state;
  const size_t inner = instance->inner, row = instance->length * state->kernel->element_size;
  int64_t* output = (int64_t*)instance->output;
  void (*extreme)(const void*, size_t, size_t, size_t, int64_t*) =
      state->kernel->extreme[state->first_option][state->second_option];
  if (inner == 1) {
    extreme(instance->input + start * row, instance->length, 1, count, output + start);
    return;
  }
  for (size_t task = start; task < start + count; task++) {
    const struct part part = part_of(instance, task);
    const char* from = instance->input + part.outer * inner * row + part.column * state->kernel->element_size;
    extreme(from, instance->length, inner, part.count, output + part.outer * inner + part.column);
  }
}

static enum xnn_status run_extreme(void* opaque, pthreadpool_t pool) {
  each_task(opaque, pool, find_extremes);
  return xnn_status_success;
}

static void go_along(void* context, size_t start, size_t count) {
  const struct order_instance* instance = context;
  const struct order_state* state = instance->state;
  for (size_t task = start; task < start + count; task++) {
    const struct part part = part_of(instance, task);
    const size_t bytes = (part.outer * instance->length * instance->inner + part.column) * state->kernel->element_size;
    state->kernel->running[state->third_option](instance->input + bytes, instance->length, instance->inner, part.count,
                                                state->first_option, state->second_option, instance->output + bytes);
  }
}

static enum xnn_status run_running(void* opaque, pthreadpool_t pool) {
  each_task(opaque, pool, go_along);
  return xnn_status_success;
}

static enum xnn_status reshape_top(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct order_instance* instance = opaque;
  instance->outer = take(dims);
  instance->length = take(dims);
  instance->k = take(dims);
  return instance->k == 0 || instance->k > instance->length ? xnn_status_invalid_parameter : xnn_status_success;
}

static void find_top(void* context, size_t start, size_t count) {
  const struct order_instance* instance = context;
  const struct order_state* state = instance->state;
  const size_t size = state->kernel->element_size, k = instance->k;
  int64_t* places = (int64_t*)(instance->output + rounded_up(instance->outer * k * size, 8));
  for (size_t row = start; row < start + count; row++) {
    state->kernel->top[state->first_option](instance->input + row * instance->length * size, instance->length, k,
                                            instance->output + row * k * size, places + row * k);
  }
}

static enum xnn_status run_top(void* opaque, pthreadpool_t pool) {
  const struct order_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, find_top, opaque, instance->outer,
                                     divide_up(elements_per_task, instance->length),
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type arg_extreme_type = {
    .name = "place of the greatest",
    .num_params = 3,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct order_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run_extreme,
};

const struct operator_type top_k_type = {
    .name = "greatest so many",
    .num_params = 2,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct order_instance),
    .reshape = reshape_top,
    .setup = setup,
    .run = run_top,
};

const struct operator_type running_type = {
    .name = "running sum or product",
    .num_params = 4,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct order_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run_running,
};
