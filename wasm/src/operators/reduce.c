/*
 * Reductions on our own kernels (kernels/reduce.c).
 *
 * A tensor's axes, reduced and kept in turn, make it a list of blocks: the innermost reduced axis and the innermost kept one.
 * A tile is some outputs along the latter; the blocks along all other reduced axes go into it. Where there are too few tiles
 * for threads to share, the longest reduced axis is cut into parts, and what they give is merged. How the work is cut follows
 * from the shape alone, so results don't depend on the number of threads.
 */
#include "kernels/reduce.h"

#include "kernels/elementary.h"
#include "operator.h"
#include "sizes.h"

enum {
  max_dims = 8,
  max_axes = max_dims / 2 + 1,
  /* So many tasks keep all threads busy until the end. */
  enough_tasks = 8,
  /* The least elements of a task. */
  elements_per_task = 8192,
  /* Neighbouring columns of a tile: as many as make reading them in pieces cheap. */
  least_columns = 64,
};

struct reduce_state {
  enum pyxnn_reduce_type type;
  const struct reduce_kernel* kernel;
};

/* By enum pyxnn_reduce_type and enum pyxnn_element; without a kernel where there is none for the element. */
#define TYPE(type, name)                        \
  {                                             \
    {type, &name##_f32}, {type, &name##_i32}, { \
      type, &name##_i64                         \
    }                                           \
  }
static const struct reduce_state states[][3] = {
    TYPE(pyxnn_sum, reduce_sum),
    TYPE(pyxnn_mean, reduce_sum),
    TYPE(pyxnn_product, reduce_product),
    TYPE(pyxnn_greatest, reduce_maximum),
    TYPE(pyxnn_least, reduce_minimum),
    TYPE(pyxnn_l1, reduce_sum_abs),
    TYPE(pyxnn_sum_square, reduce_sum_square),
    {{pyxnn_l2, &reduce_sum_square_f32}},
    {{pyxnn_log_sum, &reduce_sum_f32}},
    {{pyxnn_log_sum_exp, &reduce_log_sum_exp_f32}},
};

struct axis {
  size_t extent, stride;
};

struct reduce_instance {
  const struct reduce_state* state;
  struct axis kept[max_axes], reduced[max_axes]; /* outermost first; at least one each */
  uint32_t num_kept, num_reduced;
  bool by_columns; /* whether the innermost axis of all is kept */
  size_t elements; /* that go into an output */
  size_t tile;     /* outputs of a task, but fewer at the end of an axis */
  size_t tiles;    /* along the innermost kept axis */
  size_t tasks;    /* tiles of all kept axes */
  uint32_t cut;    /* the reduced axis that is cut into parts */
  size_t parts;    /* of each tile */
  const char* input;
  char* output;
  struct reduce_sums* parts_sums; /* of all tasks and their parts; the workspace */
};

static size_t clamp(size_t value, size_t min, size_t max) {
  return value < min ? min : value > max ? max : value;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const uint32_t type = take(params), element = take(params);
  if (type >= sizeof(states) / sizeof(states[0]) || element > pyxnn_int64 || states[type][element].kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  *state = (void*)&states[type][element];
  return xnn_status_success;
}

/* The state is an entry of `states`. */
static void destroy(void* state) {}

/* Reads the axes, and adds one of extent 1 where there is none to keep or to reduce. */
static bool take_axes(struct reduce_instance* instance, struct words* dims) {
  bool reduced = take(dims) != 0;
  const uint32_t num_dims = take(dims);
  const size_t* extents = take_extents(dims, num_dims);
  if (extents == NULL || num_dims > max_dims) {
    return false;
  }
  size_t stride = 1;
  for (uint32_t i = 0; i < num_dims; i++) {
    stride *= extents[i];
  }
  instance->num_kept = instance->num_reduced = 0;
  instance->by_columns = false;
  for (uint32_t i = 0; i < num_dims; i++, reduced = !reduced) {
    stride /= extents[i];
    const struct axis axis = {extents[i], stride};
    if (reduced) {
      instance->reduced[instance->num_reduced++] = axis;
    } else {
      instance->kept[instance->num_kept++] = axis;
    }
    instance->by_columns = !reduced;
  }
  const struct axis nothing = {1, 1};
  if (instance->num_kept == 0) {
    instance->kept[instance->num_kept++] = nothing;
  }
  if (instance->num_reduced == 0) {
    instance->reduced[instance->num_reduced++] = nothing;
  }
  return true;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct reduce_instance* instance = opaque;
  if (!take_axes(instance, dims)) {
    return xnn_status_invalid_parameter;
  }
  size_t outputs = 1, longest = 0;
  instance->elements = 1;
  for (uint32_t i = 0; i < instance->num_kept; i++) {
    outputs *= instance->kept[i].extent;
  }
  for (uint32_t i = 0; i < instance->num_reduced; i++) {
    const size_t extent = instance->reduced[i].extent;
    instance->elements *= extent;
    if (extent > longest) {
      longest = extent;
      instance->cut = i;
    }
  }
  const size_t inner = instance->kept[instance->num_kept - 1].extent;
  const size_t shared = outputs / enough_tasks / 4 * 4;
  const size_t abreast = instance->reduced[instance->num_reduced - 1].extent < reduce_long_row ? 4 : 1;
  instance->tile = instance->by_columns ? clamp(shared, least_columns, reduce_tile)
                                        : clamp(smaller(shared, 2 * elements_per_task / instance->elements / 4 * 4),
                                                abreast, reduce_tile);
  instance->tiles = divide_up(inner, instance->tile);
  instance->tasks = outputs / inner * instance->tiles;
  instance->parts = 1;
  if (instance->tasks < enough_tasks) {
    const size_t worth = outputs * instance->elements / (instance->tasks * elements_per_task);
    instance->parts = clamp(smaller(worth, longest), 1, divide_up(enough_tasks, instance->tasks));
  }
  *workspace = instance->parts == 1 ? 0 : instance->tasks * instance->parts * sizeof(struct reduce_sums);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct reduce_instance* instance = opaque;
  instance->parts_sums = workspace;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

/* The elements between the first of a tensor and that at a place of `count` axes, numbered from the innermost on. */
static size_t offset_of(const struct axis* axes, uint32_t count, size_t place) {
  size_t offset = 0;
  for (uint32_t i = count; i-- > 0;) {
    offset += place % axes[i].extent * axes[i].stride;
    place /= axes[i].extent;
  }
  return offset;
}

/* Of few columns, several rows count as one, so that vectors are full. */
static void reduce_columns(const struct reduce_kernel* kernel, const char* input, struct axis rows, size_t columns,
                           struct reduce_sums* sums) {
  const size_t together = rows.stride == columns ? smaller(least_columns / columns, rows.extent) : 1;
  if (together <= 1) {
    kernel->columns(input, rows.extent, rows.stride, columns, sums);
    return;
  }
  struct reduce_sums wide;
  const size_t length = rows.extent / together, done = length * together;
  kernel->begin(&wide, together * columns);
  kernel->columns(input, length, together * columns, together * columns, &wide);
  for (size_t i = 0; i < together; i++) {
    kernel->merge(sums, &wide, i * columns, columns);
  }
  kernel->columns(input + done * columns * kernel->element_size, rows.extent - done, columns, columns, sums);
}

/* Which outputs a task makes. */
struct tile {
  size_t input, output; /* elements to the first that goes in, and to the first that comes out */
  size_t count;
};

static struct tile tile_of(const struct reduce_instance* instance, size_t task) {
  const uint32_t last = instance->num_kept - 1;
  const struct axis inner = instance->kept[last];
  const size_t outer = task / instance->tiles, first = task % instance->tiles * instance->tile;
  return (struct tile){
      .input = offset_of(instance->kept, last, outer) + first * inner.stride,
      .output = outer * inner.extent + first,
      .count = smaller(instance->tile, inner.extent - first),
  };
}

/* Reduces one part of what goes into a tile. */
static void reduce_part(const struct reduce_instance* instance, struct tile tile, size_t part,
                        struct reduce_sums* sums) {
  const struct reduce_kernel* kernel = instance->state->kernel;
  struct axis reduced[max_axes];
  size_t blocks = 1;
  for (uint32_t i = 0; i < instance->num_reduced; i++) {
    reduced[i] = instance->reduced[i];
  }
  struct axis* cut = &reduced[instance->cut];
  const size_t begin = cut->extent * part / instance->parts, end = cut->extent * (part + 1) / instance->parts;
  cut->extent = end - begin;
  const uint32_t last = instance->num_reduced - 1;
  for (uint32_t i = 0; i < last; i++) {
    blocks *= reduced[i].extent;
  }
  const size_t first = tile.input + begin * cut->stride;
  kernel->begin(sums, tile.count);
  for (size_t block = 0; block < blocks; block++) {
    const char* input = instance->input + (first + offset_of(reduced, last, block)) * kernel->element_size;
    if (instance->by_columns) {
      reduce_columns(kernel, input, reduced[last], tile.count, sums);
    } else {
      kernel->rows(input, reduced[last].extent, instance->kept[instance->num_kept - 1].stride, tile.count, sums);
    }
  }
}

static void finish_float(const struct reduce_instance* instance, const struct reduce_sums* sums, size_t count,
                         float* output) {
  const float* from = (const float*)sums->sums;
  const v128_t elements = wasm_f32x4_splat((float)instance->elements);
  for (size_t i = 0; i < count; i += 4) {
    v128_t sum = wasm_v128_load(from + i);
    switch (instance->state->type) {
      case pyxnn_mean:
        sum = wasm_f32x4_div(sum, elements);
        break;
      case pyxnn_l2:
        sum = wasm_f32x4_sqrt(sum);
        break;
      case pyxnn_log_sum:
        sum = simd_log_of_any(sum);
        break;
      case pyxnn_log_sum_exp:
        sum = wasm_f32x4_add(simd_log_of_any(sum), wasm_v128_load(sums->maxima + i));
        break;
      default:
        break;
    }
    simd_store(output + i, sum, count - i);
  }
}

static void finish_int32(const struct reduce_instance* instance, const struct reduce_sums* sums, size_t count,
                         int32_t* output) {
  const int32_t divisor = instance->state->type == pyxnn_mean ? (int32_t)instance->elements : 1;
  for (size_t i = 0; i < count; i++) {
    output[i] = ((const int32_t*)sums->sums)[i] / divisor;
  }
}

static void finish_int64(const struct reduce_instance* instance, const struct reduce_sums* sums, size_t count,
                         int64_t* output) {
  const int64_t divisor = instance->state->type == pyxnn_mean ? (int64_t)instance->elements : 1;
  for (size_t i = 0; i < count; i++) {
    output[i] = ((const int64_t*)sums->sums)[i] / divisor;
  }
}

static void finish(const struct reduce_instance* instance, struct tile tile, const struct reduce_sums* sums) {
  char* output = instance->output + tile.output * instance->state->kernel->element_size;
  switch ((enum pyxnn_element)(instance->state - states[instance->state->type])) {
    case pyxnn_int32:
      finish_int32(instance, sums, tile.count, (int32_t*)output);
      break;
    case pyxnn_int64:
      finish_int64(instance, sums, tile.count, (int64_t*)output);
      break;
    default:
      finish_float(instance, sums, tile.count, (float*)output);
  }
}

static void compute_tiles(void* context, size_t start, size_t count) {
  const struct reduce_instance* instance = context;
  struct reduce_sums sums;
  for (size_t task = start; task < start + count; task++) {
    const struct tile tile = tile_of(instance, task);
    reduce_part(instance, tile, 0, &sums);
    finish(instance, tile, &sums);
  }
}

static void compute_part(void* context, size_t task, size_t part) {
  const struct reduce_instance* instance = context;
  reduce_part(instance, tile_of(instance, task), part, &instance->parts_sums[task * instance->parts + part]);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct reduce_instance* instance = opaque;
  if (instance->parts == 1) {
    const size_t together = divide_up(elements_per_task, instance->tile * instance->elements);
    pthreadpool_parallelize_1d_tile_1d(pool, compute_tiles, opaque, instance->tasks, together,
                                       PTHREADPOOL_FLAG_DISABLE_DENORMALS);
    return xnn_status_success;
  }
  pthreadpool_parallelize_2d(pool, compute_part, opaque, instance->tasks, instance->parts,
                             PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  for (size_t task = 0; task < instance->tasks; task++) {
    const struct tile tile = tile_of(instance, task);
    struct reduce_sums* sums = &instance->parts_sums[task * instance->parts];
    for (size_t part = 1; part < instance->parts; part++) {
      instance->state->kernel->merge(sums, &sums[part], 0, tile.count);
    }
    finish(instance, tile, sums);
  }
  return xnn_status_success;
}

const struct operator_type reduce_type = {
    .name = "reduce",
    .num_params = 2,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct reduce_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
