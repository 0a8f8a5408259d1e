/* Elementwise functions of float32 that XNNPACK has no vector kernel for, or only as several steps. */
#ifndef PYXNN_KERNELS_FUNCTIONS_H
#define PYXNN_KERNELS_FUNCTIONS_H

#include <pyxnn.h>
#include <stddef.h>

/* How many parameters each function is given; most heed fewer. */
enum { function_parameters = 3 };

/*
 * output[i] = f(input[i]), of every float.
 * @param output  may be `input`
 * @param p       `function_parameters` numbers, as enum pyxnn_function_type tells
 */
typedef void (*function_kernel)(const float* input, float* output, size_t count, const float* p);

/*
 * Chooses the kernel of a function.
 * @return NULL when there is none
 */
function_kernel function_choose(enum pyxnn_function_type type);

#endif
