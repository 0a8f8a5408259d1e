/* Elementwise functions of float32 that XNNPACK has no kernel for. `output` may be `input`. */
#ifndef PYXNN_KERNELS_FUNCTIONS_H
#define PYXNN_KERNELS_FUNCTIONS_H

#include <stddef.h>

typedef void (*function_kernel)(const float* input, float* output, size_t count);

/* The error function: within 1.5e-7 of it, and within 4e-7 of itself relatively. */
void function_erf(const float* input, float* output, size_t count);

/*
 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2, computed as x * sigmoid(2 * sqrt(2 / pi) * (...)), which is
 * the same: within 1e-6 relatively where x > -2, within 4e-7 everywhere below.
 */
void function_gelu_tanh(const float* input, float* output, size_t count);

#endif
