/* Nested loops over tensors of any strides, shared out among the threads of the pool. */
#ifndef PYXNN_NEST_H
#define PYXNN_NEST_H

#include <stddef.h>

#include "operator.h"

/* The most dimensions that are left after folding, and the most tensors. */
enum { nest_max_dims = 16, nest_max_tensors = 4 };

/*
 * Loops from the outermost to the innermost, at least two: the last are a block's rows and columns. Neighbours that all
 * tensors step through alike are one. Strides count elements; 0 repeats.
 */
struct nest {
  uint32_t num_tensors;
  uint32_t num_dims;
  size_t extents[nest_max_dims];
  ptrdiff_t strides[nest_max_tensors][nest_max_dims];
};

/*
 * What is done with a block of rows and columns; the strides are those of the nest's last two dimensions.
 * @param instance  as given to nest_run
 * @param offsets   for each tensor, the element at which the block begins
 */
typedef void (*nest_block)(const void* instance, const ptrdiff_t* offsets, size_t rows, size_t columns);

/* The strides of a tensor from row to row of a block, and from column to column. */
static inline ptrdiff_t nest_row_stride(const struct nest* nest, uint32_t tensor) {
  return nest->strides[tensor][nest->num_dims - 2];
}
static inline ptrdiff_t nest_column_stride(const struct nest* nest, uint32_t tensor) {
  return nest->strides[tensor][nest->num_dims - 1];
}

/*
 * Folds dimensions.
 * @param strides  those of each tensor
 * @return         xnn_status_unsupported_parameter when more dimensions are left than nest_max_dims
 */
enum xnn_status nest_fold(uint32_t num_dims, const size_t* extents, uint32_t num_tensors,
                          const ptrdiff_t* const* strides, struct nest* nest);

/* Takes num_dims, extents, and for each tensor its strides (signed); folds them, with nest_fold's status. */
enum xnn_status take_nest(struct words* words, uint32_t num_tensors, struct nest* nest);

/* Makes a block's rows the dimension along which a tensor's stride is 1, if it has one beside the columns. */
void nest_make_rows(struct nest* nest, uint32_t tensor);

/* Makes rows of one element, for blocks that can't step from column to column; false when there are nest_max_dims. */
bool nest_add_column(struct nest* nest);

/* Does `block` for the whole of the nest, in blocks of about `elements_per_task`. */
void nest_run(const struct nest* nest, nest_block block, const void* instance, size_t elements_per_task,
              pthreadpool_t pool);

/* The same in blocks of at most so many rows and columns. */
void nest_run_tiles(const struct nest* nest, nest_block block, const void* instance, size_t tile_rows,
                    size_t tile_columns, pthreadpool_t pool);

#endif
