/* Columns of products of bytes (kernels/byte_product.h): how they lie in memory, in groups, and how they come there. */
#ifndef PYXNN_PRODUCT_PACKING_H
#define PYXNN_PRODUCT_PACKING_H

#include <pthreadpool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/byte_product.h"
#include "sizes.h"

/* What columns go through a product as; arrays by column are filled up to a block in each group. */
struct columns {
  int8_t* bytes;
  int32_t *offsets, *zeros; /* what sums begin with, and zero points; NULL where all are 0 */
  float *multipliers, *bias;
};

struct extents {
  size_t taps, groups, in_channels, out_channels; /* channels of a group */
};

/* Bytes of a row or column. */
static inline size_t depth_of(const struct extents* extents) {
  return extents->taps * extents->in_channels;
}

/* Depths and columns of a group, filled up. */
static inline size_t packed_depth(const struct extents* extents) {
  return rounded_up(depth_of(extents), product_depths);
}

static inline size_t packed_columns(const struct extents* extents) {
  return rounded_up(extents->out_channels, product_columns);
}

/* Bytes of the block of memory that has all arrays of columns. */
size_t columns_size(const struct extents* extents);

/* Where they lie in it. */
struct columns lay_columns(const struct extents* extents, char* memory);

/* Where a channel's numbers are in arrays by column. */
static inline size_t column_of(const struct extents* extents, size_t channel) {
  return channel / extents->out_channels * packed_columns(extents) + channel % extents->out_channels;
}

/* Distances between groups: those of the inner of two batch axes, and of the outer. */
struct group_steps {
  size_t outer, inner;
};

/* Where a group begins; groups are counted over both axes, of which the inner one has `inner_groups`. */
static inline size_t group_offset(struct group_steps steps, size_t inner_groups, size_t group) {
  return group / inner_groups * steps.outer + group % inner_groups * steps.inner;
}

/* Weights, and the columns that they become. */
struct packing {
  const struct extents* extents;
  struct columns columns;
  struct product_source kernel; /* of the first group */
  struct group_steps group;
  size_t inner_groups;
};

/* Packs the bytes of the columns of all groups; a pool's threads share it out, which may be NULL. */
void pack_columns(const struct packing* packing, pthreadpool_t pool);

#endif
