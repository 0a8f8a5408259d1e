/* Elements at computed places. */
#ifndef PYXNN_KERNELS_INDEXED_H
#define PYXNN_KERNELS_INDEXED_H

#include <pyxnn.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies elements that lie anywhere to a row.
 * @param from          element 0 of where they are
 * @param places        of each, relative to `from`
 * @param to            the row, dense
 * @param element_size  in bytes: 1, 2, 4 or 8
 */
void indexed_load(const void* from, const int32_t* places, void* to, size_t count, size_t element_size);

/*
 * Copies elements of a row to where they belong, one after the other.
 * @param to            element 0 of a part of a tensor
 * @param first         the place of that element
 * @param extent        elements of the part
 * @param places        of each element of the row
 * @param from          the row, dense
 * @param element_size  in bytes: 1, 2, 4 or 8
 * @return              how many were copied: all of them, or those before one whose place is outside of the part
 */
size_t indexed_place(void* to, int64_t first, size_t extent, const int64_t* places, const void* from, size_t count,
                     size_t element_size);

/* How an update and the element at its place become one. */
struct indexed_update {
  /*
   * Updates elements that lie anywhere, one after the other.
   * @param to         element 0 of where they are
   * @param places     of each, relative to `to`
   * @param from       the updates
   * @param from_step  from one update to the next, in elements
   */
  void (*each)(void* to, const int32_t* places, const void* from, ptrdiff_t from_step, size_t count);
  /* Updates a dense row by another. */
  void (*row)(void* to, const void* from, size_t count);
};

/* The kernels of a way to scatter; NULL when there are none for the type. */
const struct indexed_update* indexed_update_find(enum pyxnn_scatter_type type, enum pyxnn_element element);

#endif
