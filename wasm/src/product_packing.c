#include "product_packing.h"

size_t columns_size(const struct extents* extents) {
  return rounded_up(extents->groups * packed_columns(extents) * (packed_depth(extents) + 4 * sizeof(int32_t)), 64);
}

struct columns lay_columns(const struct extents* extents, char* memory) {
  const size_t count = extents->groups * packed_columns(extents);
  struct columns columns = {.bytes = (int8_t*)memory};
  columns.offsets = (int32_t*)(memory + count * packed_depth(extents));
  columns.zeros = columns.offsets + count;
  columns.multipliers = (float*)(columns.zeros + count);
  columns.bias = columns.multipliers + count;
  return columns;
}

static void pack_block(void* context, size_t group, size_t number) {
  const struct packing* packing = context;
  const struct extents* extents = packing->extents;
  const size_t first = number * product_columns, left = extents->out_channels - first;
  const size_t at = group * packed_columns(extents) + first;
  struct product_source from = packing->kernel;
  from.bytes += group_offset(packing->group, packing->inner_groups, group) + first * from.step;
  product_pack(&from, smaller(left, product_columns), depth_of(extents),
               packing->columns.bytes + at * packed_depth(extents));
}

void pack_columns(const struct packing* packing, pthreadpool_t pool) {
  const size_t blocks = divide_up(packing->extents->out_channels, product_columns);
  pthreadpool_parallelize_2d(pool, pack_block, (void*)packing, packing->extents->groups, blocks, 0);
}
