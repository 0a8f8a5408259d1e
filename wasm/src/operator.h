/* What the engine knows of an operator kind, and how plans use operators. */
#ifndef PYXNN_OPERATOR_H
#define PYXNN_OPERATOR_H

#include <pthreadpool.h>
#include <pyxnn.h>
#include <stdbool.h>
#include <xnnpack.h>

/* The most parameter words that any kind has, and the most tensors. */
enum { max_params = 17, max_refs = 4 };

/* A cursor over words. Reading past the end yields zeros and is remembered in `exhausted`. */
struct words {
  const uint32_t* next;
  uint32_t left;
  bool exhausted;
};

/* Takes the next word. */
uint32_t take(struct words* words);

/* Takes the next word as a float. */
float take_float(struct words* words);

/* Takes `count` words as extents; NULL when fewer are left. */
const size_t* take_extents(struct words* words, uint32_t count);

/* The functions behind an operator kind; see enum pyxnn_kind for the words they read. */
struct operator_type {
  const char* name;
  uint32_t num_params;
  uint32_t num_refs;
  /* Creates XNNPACK's operator and packs the weights. */
  enum xnn_status (*create)(struct words* params, const float* kernel, const float* bias, xnn_operator_t* out);
  /* Fixes the shapes of `op`. `workspace` receives the scratch bytes that it needs, and is zero on entry. */
  enum xnn_status (*reshape)(xnn_operator_t op, struct words* dims, size_t* workspace, pthreadpool_t pool);
  /* Ties `op` to its tensors, in the order of the kind's refs. */
  enum xnn_status (*setup)(xnn_operator_t op, void* workspace, void* const* tensors);
};

extern const struct operator_type convolution_type;
extern const struct operator_type fully_connected_type;
extern const struct operator_type batch_matmul_type;
extern const struct operator_type binary_type;
extern const struct operator_type unary_type;
extern const struct operator_type max_pool_type;
extern const struct operator_type average_pool_type;
extern const struct operator_type reduce_type;
extern const struct operator_type softmax_type;
extern const struct operator_type transpose_type;
extern const struct operator_type copy_type;
extern const struct operator_type constant_pad_type;

struct pyxnn_operator {
  const struct operator_type* type;
  uint32_t references;
  xnn_operator_t prototype; /* packed weights and attributes; never reshaped itself */
};

/*
 * Makes an XNNPACK operator with shapes of its own on the weights of `op`.
 * @return pyxnn_out_of_memory, or pyxnn_ok with the instance in `out`: free it with operator_instance_free before `op`.
 */
enum pyxnn_status operator_instance_create(const pyxnn_operator* op, xnn_operator_t* out);

/* Frees an instance, leaving the weights that it shares with `op`. */
void operator_instance_free(const pyxnn_operator* op, xnn_operator_t instance);

#endif
