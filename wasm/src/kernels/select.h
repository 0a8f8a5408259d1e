/* Choices between the elements of two rows. */
#ifndef PYXNN_KERNELS_SELECT_H
#define PYXNN_KERNELS_SELECT_H

#include <stddef.h>
#include <stdint.h>

/*
 * output[i] is a[i] where `condition[i]` isn't 0, else b[i].
 * @param a_step, b_step  1, or 0 for an operand that is a single element
 * @param output          may be `a` or `b`
 * @param element_size    in bytes: 1, 2, 4 or 8
 */
void select_row(const uint8_t* condition, const void* a, size_t a_step, const void* b, size_t b_step, void* output,
                size_t count, size_t element_size);

#endif
