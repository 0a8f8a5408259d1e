#include "nest.h"

#include <string.h>

/* Puts a dimension inside of those there are: as one of its own, or as part of the last. */
static bool append(struct nest* nest, size_t extent, const ptrdiff_t* strides) {
  if (extent == 1) {
    return true;
  }
  if (nest->num_dims > 0) {
    const uint32_t last = nest->num_dims - 1;
    bool alike = true;
    for (uint32_t t = 0; t < nest->num_tensors; t++) {
      alike = alike && nest->strides[t][last] == strides[t] * (ptrdiff_t)extent;
    }
    if (alike) {
      nest->extents[last] *= extent;
      for (uint32_t t = 0; t < nest->num_tensors; t++) {
        nest->strides[t][last] = strides[t];
      }
      return true;
    }
  }
  if (nest->num_dims == nest_max_dims) {
    return false;
  }
  nest->extents[nest->num_dims] = extent;
  for (uint32_t t = 0; t < nest->num_tensors; t++) {
    nest->strides[t][nest->num_dims] = strides[t];
  }
  nest->num_dims += 1;
  return true;
}

/* Puts a dimension of extent 1 around the others. */
static void surround(struct nest* nest) {
  memmove(nest->extents + 1, nest->extents, nest->num_dims * sizeof(*nest->extents));
  nest->extents[0] = 1;
  for (uint32_t t = 0; t < nest->num_tensors; t++) {
    memmove(nest->strides[t] + 1, nest->strides[t], nest->num_dims * sizeof(*nest->strides[t]));
    nest->strides[t][0] = 0;
  }
  nest->num_dims += 1;
}

enum xnn_status take_nest(struct words* words, uint32_t num_tensors, struct nest* nest) {
  const uint32_t num_dims = take(words);
  const size_t* extents = take_extents(words, num_dims);
  const ptrdiff_t* strides[nest_max_tensors];
  for (uint32_t t = 0; t < num_tensors; t++) {
    strides[t] = (const ptrdiff_t*)take_extents(words, num_dims);
  }
  if (words->exhausted) {
    return xnn_status_invalid_parameter;
  }
  nest->num_tensors = num_tensors;
  nest->num_dims = 0;
  for (uint32_t d = 0; d < num_dims; d++) {
    ptrdiff_t steps[nest_max_tensors];
    for (uint32_t t = 0; t < num_tensors; t++) {
      steps[t] = strides[t][d];
    }
    if (!append(nest, extents[d], steps)) {
      return xnn_status_unsupported_parameter;
    }
  }
  while (nest->num_dims < 2) {
    surround(nest);
  }
  return xnn_status_success;
}

struct nest_run {
  const struct nest* nest;
  nest_block block;
  const void* instance;
};

/* The part of some consecutive rows, counted over all dimensions but the last, that lies in some columns. */
static void run_rows(void* context, size_t row, size_t column, size_t rows, size_t columns) {
  const struct nest_run* run = context;
  const struct nest* nest = run->nest;
  const uint32_t last = nest->num_dims - 1;
  while (rows > 0) {
    ptrdiff_t offsets[nest_max_tensors];
    for (uint32_t t = 0; t < nest->num_tensors; t++) {
      offsets[t] = (ptrdiff_t)column * nest->strides[t][last];
    }
    size_t rest = row;
    for (uint32_t d = last; d-- > 0;) {
      const ptrdiff_t index = (ptrdiff_t)(rest % nest->extents[d]);
      rest /= nest->extents[d];
      for (uint32_t t = 0; t < nest->num_tensors; t++) {
        offsets[t] += index * nest->strides[t][d];
      }
    }
    const size_t left = nest->extents[last - 1] - row % nest->extents[last - 1];
    const size_t count = rows < left ? rows : left;
    run->block(run->instance, offsets, count, columns);
    row += count;
    rows -= count;
  }
}

void nest_run(const struct nest* nest, nest_block block, const void* instance, size_t elements_per_task,
              pthreadpool_t pool) {
  struct nest_run run = {.nest = nest, .block = block, .instance = instance};
  const size_t columns = nest->extents[nest->num_dims - 1];
  size_t rows = 1;
  for (uint32_t d = 0; d < nest->num_dims - 1; d++) {
    rows *= nest->extents[d];
  }
  const size_t tile = columns < elements_per_task ? columns : elements_per_task;
  pthreadpool_parallelize_2d_tile_2d(pool, run_rows, &run, rows, columns, elements_per_task / (tile + 1) + 1, tile, 0);
}
