#include <emscripten.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "kernels/micro.h"
#include "memory.h"
#include "operator.h"
#include "pool.h"

struct step {
  pyxnn_operator* op;
  void* instance;
  struct words dims;
  const struct pyxnn_ref* refs;
};

enum plan_state { plan_created, plan_reshaped, plan_bound };

struct pyxnn_plan {
  enum plan_state state;
  uint32_t num_steps;
  uint32_t failed_step;
  struct step* steps;
  uint32_t* words; /* what dims and refs of all steps point to */
};

enum pyxnn_status pyxnn_initialize(void) {
  const enum xnn_status status = xnn_initialize(&pyxnn_xnn_allocator);
  if (status == xnn_status_success) {
    micro_install();
  }
  return pyxnn_error_from_xnn(status, "starting", "XNNPACK");
}

/* Reads the next step of a plan, and makes its instance. */
static enum pyxnn_status add_step(pyxnn_plan* plan, struct words* words) {
  pyxnn_operator* op = (pyxnn_operator*)(uintptr_t)take(words);
  const uint32_t num_dims = take(words);
  const uint32_t* dims = take_words(words, num_dims);
  const uint32_t num_refs = take(words);
  const struct pyxnn_ref* refs = (const struct pyxnn_ref*)take_words(words, 2 * num_refs);
  if (words->exhausted) {
    return pyxnn_error(pyxnn_invalid_argument, "the words of a plan end within step %u", (unsigned)plan->num_steps);
  }
  const char* name = op->type->name;
  if (num_refs != op->type->num_refs) {
    return pyxnn_error(pyxnn_invalid_argument, "%s takes %u tensors, not %u", name, (unsigned)op->type->num_refs,
                       (unsigned)num_refs);
  }
  struct step* step = &plan->steps[plan->num_steps];
  const enum xnn_status status = instance_create(op, &step->instance);
  if (status != xnn_status_success) {
    return pyxnn_error_from_xnn(status, "adding a step of", name);
  }
  step->op = op;
  step->dims = (struct words){.next = dims, .left = num_dims};
  step->refs = refs;
  op->references += 1;
  plan->num_steps += 1;
  return pyxnn_ok;
}

enum pyxnn_status pyxnn_plan_create(const uint32_t* words, uint32_t num_words, uint32_t num_steps, pyxnn_plan** out) {
  pyxnn_plan* plan = pyxnn_allocate_zero(sizeof(*plan));
  if (plan == NULL) {
    return pyxnn_error(pyxnn_out_of_memory, "out of memory while creating a plan");
  }
  plan->words = pyxnn_allocate(num_words * sizeof(*words));
  plan->steps = pyxnn_allocate(num_steps * sizeof(*plan->steps));
  enum pyxnn_status status = pyxnn_ok;
  if (plan->words == NULL || plan->steps == NULL) {
    status = pyxnn_error(pyxnn_out_of_memory, "out of memory while creating a plan of %u steps", (unsigned)num_steps);
  } else {
    memcpy(plan->words, words, num_words * sizeof(*words));
  }
  struct words left = {.next = plan->words, .left = num_words};
  while (status == pyxnn_ok && plan->num_steps < num_steps) {
    status = add_step(plan, &left);
  }
  if (status != pyxnn_ok) {
    pyxnn_plan_free(plan);
    return status;
  }
  *out = plan;
  return pyxnn_ok;
}

static enum pyxnn_status reshape_step(struct step* step, size_t* workspace, pthreadpool_t pool) {
  const struct operator_type* type = step->op->type;
  struct words dims = step->dims;
  *workspace = 0;
  const enum xnn_status status = type->reshape(step->instance, &dims, workspace, pool);
  if (dims.exhausted || (status == xnn_status_success && dims.left != 0)) {
    return pyxnn_error(pyxnn_invalid_argument, "%s does not take %u dims words", type->name, (unsigned)step->dims.left);
  }
  return pyxnn_error_from_xnn(status, "reshaping", type->name);
}

enum pyxnn_status pyxnn_plan_reshape(pyxnn_plan* plan, uint32_t num_threads, size_t* workspace_size) {
  const pthreadpool_t pool = pyxnn_pool_begin(num_threads, 0);
  enum pyxnn_status status = pyxnn_ok;
  size_t largest = 0;
  for (uint32_t i = 0; i < plan->num_steps && status == pyxnn_ok; i++) {
    size_t workspace = 0;
    status = reshape_step(&plan->steps[i], &workspace, pool);
    if (workspace > largest) {
      largest = workspace;
    }
  }
  pyxnn_pool_end();
  if (status == pyxnn_ok) {
    plan->state = plan_reshaped;
    *workspace_size = largest;
  }
  return status;
}

enum pyxnn_status pyxnn_plan_bind(pyxnn_plan* plan, void* arena, void* workspace) {
  if (plan->state == plan_created) {
    return pyxnn_error(pyxnn_invalid_argument, "a plan must be reshaped before it is bound");
  }
  for (uint32_t i = 0; i < plan->num_steps; i++) {
    const struct step* step = &plan->steps[i];
    const struct operator_type* type = step->op->type;
    void* tensors[max_refs];
    for (uint32_t r = 0; r < type->num_refs; r++) {
      const struct pyxnn_ref ref = step->refs[r];
      tensors[r] = ref.space == pyxnn_arena ? (char*)arena + ref.offset : (void*)(uintptr_t)ref.offset;
    }
    const enum xnn_status status = type->setup(step->instance, workspace, tensors);
    if (status != xnn_status_success) {
      plan->state = plan_reshaped;
      return pyxnn_error_from_xnn(status, "binding", type->name);
    }
  }
  plan->state = plan_bound;
  return pyxnn_ok;
}

static enum pyxnn_status run_step(const struct step* step, pthreadpool_t pool) {
  const struct operator_type* type = step->op->type;
  const enum xnn_status status = type->run(step->instance, pool);
  if (status == xnn_status_invalid_parameter) {
    return pyxnn_invalid_input; /* the operator has left its own message */
  }
  return pyxnn_error_from_xnn(status, "running", type->name);
}

static enum pyxnn_status run(pyxnn_plan* plan, uint32_t num_threads, uint32_t spin, double* milliseconds) {
  if (plan->state != plan_bound) {
    return pyxnn_error(pyxnn_invalid_argument, "a plan must be bound before it is run");
  }
  const pthreadpool_t pool = pyxnn_pool_begin(num_threads, spin);
  enum pyxnn_status status = pyxnn_ok;
  for (uint32_t i = 0; i < plan->num_steps && status == pyxnn_ok; i++) {
    const double start = milliseconds != NULL ? emscripten_get_now() : 0;
    status = run_step(&plan->steps[i], pool);
    if (status != pyxnn_ok) {
      plan->failed_step = i;
    }
    if (milliseconds != NULL) {
      milliseconds[i] = emscripten_get_now() - start;
    }
  }
  if (!pyxnn_pool_end() && status == pyxnn_ok) {
    status = pyxnn_error(pyxnn_worker_lost, "a worker was lost during the run, so its result is incomplete: run again");
  }
  return status;
}

enum pyxnn_status pyxnn_plan_run(pyxnn_plan* plan, uint32_t num_threads, uint32_t spin) {
  return run(plan, num_threads, spin, NULL);
}

enum pyxnn_status pyxnn_plan_profile(pyxnn_plan* plan, uint32_t num_threads, uint32_t spin, double* milliseconds) {
  return run(plan, num_threads, spin, milliseconds);
}

uint32_t pyxnn_plan_failed_step(const pyxnn_plan* plan) {
  return plan->failed_step;
}

void pyxnn_plan_free(pyxnn_plan* plan) {
  if (plan == NULL) {
    return;
  }
  for (uint32_t i = 0; i < plan->num_steps; i++) {
    struct step* step = &plan->steps[i];
    instance_release(step->op, step->instance);
    pyxnn_operator_free(step->op);
  }
  pyxnn_release(plan->steps);
  pyxnn_release(plan->words);
  pyxnn_release(plan);
}
