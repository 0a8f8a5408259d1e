#include "nest.h"

#include <string.h>

#include "sizes.h"

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

bool nest_add_column(struct nest* nest) {
  if (nest->num_dims == nest_max_dims) {
    return false;
  }
  nest->extents[nest->num_dims] = 1;
  for (uint32_t t = 0; t < nest->num_tensors; t++) {
    nest->strides[t][nest->num_dims] = 1;
  }
  nest->num_dims += 1;
  return true;
}

enum xnn_status nest_fold(uint32_t num_dims, const size_t* extents, uint32_t num_tensors,
                          const ptrdiff_t* const* strides, struct nest* nest) {
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

enum xnn_status take_nest(struct words* words, uint32_t num_tensors, struct nest* nest) {
  const uint32_t num_dims = take(words);
  const size_t* extents = take_extents(words, num_dims);
  const ptrdiff_t* strides[nest_max_tensors];
  for (uint32_t t = 0; t < num_tensors; t++) {
    strides[t] = (const ptrdiff_t*)take_extents(words, num_dims);
  }
  return words->exhausted ? xnn_status_invalid_parameter : nest_fold(num_dims, extents, num_tensors, strides, nest);
}

static void exchange(struct nest* nest, uint32_t a, uint32_t b) {
  const size_t extent = nest->extents[a];
  nest->extents[a] = nest->extents[b];
  nest->extents[b] = extent;
  for (uint32_t t = 0; t < nest->num_tensors; t++) {
    const ptrdiff_t stride = nest->strides[t][a];
    nest->strides[t][a] = nest->strides[t][b];
    nest->strides[t][b] = stride;
  }
}

void nest_make_rows(struct nest* nest, uint32_t tensor) {
  const uint32_t rows = nest->num_dims - 2;
  if (nest->strides[tensor][rows + 1] == 1) {
    return;
  }
  for (uint32_t d = 0; d < rows; d++) {
    if (nest->strides[tensor][d] == 1) {
      for (; d < rows; d++) { /* the others keep their order */
        exchange(nest, d, d + 1);
      }
    }
  }
}

struct nest_run {
  const struct nest* nest;
  nest_block block;
  const void* instance;
};

/* The part of some consecutive rows, counted over all dimensions but the last, that lies in some columns. */
static inline __attribute__((always_inline)) void run_rows_of(const struct nest_run* run, uint32_t num_tensors,
                                                              size_t row, size_t column, size_t rows, size_t columns) {
  const struct nest* nest = run->nest;
  const uint32_t last = nest->num_dims - 1, inner = last - 1;
  const size_t inner_extent = nest->extents[inner];
  size_t at[nest_max_dims], first = row % inner_extent;
  ptrdiff_t begins[nest_max_tensors]; /* where the first of the innermost rows lies */
  row /= inner_extent;
  for (uint32_t t = 0; t < num_tensors; t++) {
    begins[t] = (ptrdiff_t)column * nest->strides[t][last];
  }
  for (uint32_t d = inner; d-- > 0; row /= nest->extents[d]) {
    at[d] = row % nest->extents[d];
    for (uint32_t t = 0; t < num_tensors; t++) {
      begins[t] += (ptrdiff_t)at[d] * nest->strides[t][d];
    }
  }
  for (;;) {
    const size_t left = inner_extent - first, count = smaller(rows, left);
    ptrdiff_t offsets[nest_max_tensors];
    for (uint32_t t = 0; t < num_tensors; t++) {
      offsets[t] = begins[t] + (ptrdiff_t)first * nest->strides[t][inner];
    }
    run->block(run->instance, offsets, count, columns);
    rows -= count;
    if (rows == 0) {
      return;
    }
    first = 0;
    uint32_t d = inner - 1;
    for (; ++at[d] == nest->extents[d]; d--) { /* from a dimension's end to the one around it */
      at[d] = 0;
      for (uint32_t t = 0; t < num_tensors; t++) {
        begins[t] -= (ptrdiff_t)(nest->extents[d] - 1) * nest->strides[t][d];
      }
    }
    for (uint32_t t = 0; t < num_tensors; t++) {
      begins[t] += nest->strides[t][d];
    }
  }
}

static void run_rows(void* context, size_t row, size_t column, size_t rows, size_t columns) {
  const struct nest_run* run = context;
  switch (run->nest->num_tensors) { /* unrolled */
    case 2:
      run_rows_of(run, 2, row, column, rows, columns);
      break;
    case 3:
      run_rows_of(run, 3, row, column, rows, columns);
      break;
    default:
      run_rows_of(run, run->nest->num_tensors, row, column, rows, columns);
  }
}

void nest_run(const struct nest* nest, nest_block block, const void* instance, size_t elements_per_task,
              pthreadpool_t pool) {
  const size_t columns = nest->extents[nest->num_dims - 1];
  const size_t tile = smaller(columns, elements_per_task);
  nest_run_tiles(nest, block, instance, elements_per_task / (tile + 1) + 1, tile, pool);
}

void nest_run_tiles(const struct nest* nest, nest_block block, const void* instance, size_t tile_rows,
                    size_t tile_columns, pthreadpool_t pool) {
  struct nest_run run = {.nest = nest, .block = block, .instance = instance};
  const size_t columns = nest->extents[nest->num_dims - 1];
  size_t rows = 1;
  for (uint32_t d = 0; d < nest->num_dims - 1; d++) {
    rows *= nest->extents[d];
  }
  pthreadpool_parallelize_2d_tile_2d(pool, run_rows, &run, rows, columns, tile_rows, tile_columns, 0);
}
