/* Local response normalization across channels. */
#ifndef PYXNN_KERNELS_LOCAL_RESPONSE_H
#define PYXNN_KERNELS_LOCAL_RESPONSE_H

#include <stddef.h>

/* The window of a channel goes from `before` channels before it to `after` behind it. */
struct local_response {
  size_t before, after;
  float alpha, beta, bias;
};

/*
 * output = input * (bias + alpha * sum of squares in the window)^-beta, for one position of `channels` channels side by side.
 * `output` is not `input`.
 */
void local_response_row(const struct local_response* norm, const float* input, float* output, size_t channels);

/* The same for `count` positions side by side, channels `stride` apart. */
void local_response_columns(const struct local_response* norm, const float* input, float* output, size_t channels,
                            size_t stride, size_t count);

#endif
