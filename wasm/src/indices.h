/* Tensors of indices: tuples, each of which names a place along some axes of another tensor. */
#ifndef PYXNN_INDICES_H
#define PYXNN_INDICES_H

#include "operator.h"

enum { indices_max_axes = 16, indices_block = 256 };

/* Tuples of signed integers, dense. An index counts from the end of its axis where it is negative. */
struct indices {
  size_t size; /* bytes of an index, 4 or 8 */
  size_t tuples;
  uint32_t num_axes;
  size_t extents[indices_max_axes];
  ptrdiff_t strides[indices_max_axes]; /* of the axes, in elements of the tensor that the indices are for */
};

/* Whether indices may have so many bytes. */
bool is_index_size(size_t size);

/*
 * Takes tuples, num_axes, extents and strides.
 * @param index_size  bytes of an index
 * @return xnn_status_unsupported_parameter when there are more axes than indices_max_axes
 */
enum xnn_status take_indices(struct words* words, size_t index_size, struct indices* indices);

/* Leaves a message and returns xnn_status_invalid_parameter where an index is outside [-extent, extent). */
enum xnn_status indices_check(const struct indices* indices, const void* tensor, pthreadpool_t pool);

/*
 * The places, in elements, that some tuples name.
 * @param offset  of the first tuple, in indices
 * @param step    from one tuple to the next, in indices
 * @param count   at most indices_block
 * @param apart   how much further on the places of each tuple are than those of the one before, by themselves
 * @param places  receives them
 */
void indices_places(const struct indices* indices, const void* tensor, ptrdiff_t offset, ptrdiff_t step, size_t count,
                    ptrdiff_t apart, int32_t* places);

#endif
