/* Conversions between element types; see pyxnn_cast for what becomes of numbers that don't fit. */
#ifndef PYXNN_KERNELS_CAST_H
#define PYXNN_KERNELS_CAST_H

#include <pyxnn.h>
#include <stddef.h>

enum { num_elements = pyxnn_bfloat16 + 1 };

/* Converts a row; `to` may be `from` when the elements are of one size. */
typedef void (*cast_row)(const void* from, void* to, size_t count);

/*
 * A conversion in at most three steps: narrow types are widened to int32, int64 or float32 first, and these converted
 * among each other.
 */
struct cast {
  size_t num_steps;
  cast_row steps[3];
  size_t sizes[4]; /* of an element before, between and after the steps */
};

/* Bytes of an element. */
size_t element_size(enum pyxnn_element element);

/* The steps from one type to another. */
struct cast cast_find(enum pyxnn_element from, enum pyxnn_element to);

#endif
