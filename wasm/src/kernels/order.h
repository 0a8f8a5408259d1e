/* The place of the greatest, the first so many in order, and running sums and products, along one axis. */
#ifndef PYXNN_KERNELS_ORDER_H
#define PYXNN_KERNELS_ORDER_H

#include <pyxnn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most columns that a kernel takes at a time. */
enum { order_columns = 256 };

/* Pointers to tensors point to elements of the kernel's type; strides and counts count elements. */
struct order_kernel {
  size_t element_size;
  /*
   * The place of the greatest of `length` elements, `stride` apart, in each of `count` neighbouring columns, at most
   * `order_columns`, or rows if the stride is 1; indexed by whether it is the least that is asked for, and whether the last of
   * equals.
   */
  void (*extreme[2][2])(const void* input, size_t length, size_t stride, size_t count, int64_t* output);
  /*
   * The first k of a row of `length` elements in order, the lower place first among equals; indexed by whether the least come
   * first.
   * @param values, places  receive k elements each
   */
  void (*top[2])(const void* input, size_t length, size_t k, void* values, int64_t* places);
  /*
   * Running sums over `length` elements, `stride` apart, of `count` neighbouring columns; indexed by whether it is products
   * that are asked for.
   * @param exclusive  whether an element is not part of its own result
   * @param reverse    whether they run from the end
   */
  void (*running[2])(const void* input, size_t length, size_t stride, size_t count, bool exclusive, bool reverse,
                     void* output);
};

/* The kernel of float32, float64, int32 or int64; NULL for others. */
const struct order_kernel* order_choose(enum pyxnn_element element);

#endif
