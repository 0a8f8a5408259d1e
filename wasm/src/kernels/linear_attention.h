/* Attention without softmax, whose keys and values are summed up in a state. */
#ifndef PYXNN_KERNELS_LINEAR_ATTENTION_H
#define PYXNN_KERNELS_LINEAR_ATTENTION_H

#include <stddef.h>

/* The columns of values that go together; rows of the state have room for them. */
enum { linear_attention_columns = 32 };

/* The steps count floats from one time step to the next. */
struct linear_attention {
  size_t steps, key_size, value_size;
  size_t group; /* query heads, which lie one after the other */
  size_t query_step, key_step, value_step, decay_step, beta_step, output_step;
  size_t decay_stride; /* 1: each row of the state decays by a factor of its own, 0: by one factor */
  float scale;         /* of the output */
};

/* Where a head's tensors begin, at the first of the columns. */
struct linear_attention_head {
  const float *query, *key, *value, *decay;
  const float* beta; /* NULL: values are added as they are, not what they differ by from those that the state has */
  float* output;
};

/*
 * Goes through all time steps: the state decays, learns the step's key and value, and is asked by the queries.
 * @param columns  of values and outputs, at most `linear_attention_columns`
 * @param state    [key_size, linear_attention_columns], zeros behind the columns; becomes that after the last step
 */
void linear_attention(const struct linear_attention* shape, const struct linear_attention_head* head, size_t columns,
                      float* state);

#endif
