/* Normalization by moments, on our own kernels (kernels/normalize.c). */
#include "kernels/normalize.h"

#include <math.h>
#include <string.h>

#include "operator.h"
#include "sizes.h"

/* So many elements are worth handing to a thread. */
enum { elements_per_task = 4096, elements_per_part = 16384 };

/* The columns that the kernels are fastest with. */
enum { full_columns = 16 };

struct normalize_state {
  uint32_t type;
  float epsilon;
  struct bounds bounds;
};

/*
 * A unit is what is normalized together and fits the kernels: a group of one outer index, which lies in runs of `depth`
 * elements, or, where runs are short, as many groups as fit max_columns. Where there are fewer units than threads, each is
 * cut into parts, along the runs or along the positions: their moments are taken first, then merged by all who need them.
 */
struct normalize_instance {
  const struct normalize_state* state;
  size_t outer, positions, groups, depth, block;
  bool by_columns;
  size_t unit_groups, outer_units, units, parts;
  const float *input, *scale, *bias;
  float* output;
  void* moments;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct normalize_state state = {.type = take(params)};
  state.epsilon = take_float(params);
  state.bounds.min = take_float(params);
  state.bounds.max = take_float(params);
  if (state.type > pyxnn_normalize_euclidean) {
    return xnn_status_invalid_parameter;
  }
  return own_state(&state, sizeof(state), out);
}

/* How many elements a unit can be cut along. */
static size_t extent_of(const struct normalize_instance* instance) {
  return instance->by_columns ? instance->positions : instance->depth;
}

/* How many groups' columns are taken together: whole vectors, if that is possible. */
static size_t groups_of_unit(const struct normalize_instance* instance) {
  size_t aligned = full_columns;
  while (aligned > 1 && instance->depth * aligned / 2 % full_columns == 0) {
    aligned /= 2;
  }
  const size_t most = smaller(max_columns / instance->depth, instance->groups);
  return most < aligned ? most : most - most % aligned;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct normalize_instance* instance = opaque;
  instance->outer = take(dims);
  instance->positions = take(dims);
  instance->groups = take(dims);
  instance->depth = take(dims);
  instance->block = take(dims);
  if (instance->block == 0 || instance->groups * instance->depth % instance->block != 0) {
    return xnn_status_invalid_parameter;
  }
  instance->by_columns = instance->positions > 1 && instance->depth < max_columns;
  instance->unit_groups = instance->by_columns ? groups_of_unit(instance) : 1;
  instance->outer_units = divide_up(instance->groups, instance->unit_groups);
  instance->units = instance->outer * instance->outer_units;
  const size_t threads = pthreadpool_get_threads_count(pool);
  const size_t elements = instance->positions * instance->unit_groups * instance->depth;
  instance->parts = 1;
  if (threads > 1 && instance->units < 2 * threads) {
    const size_t wanted = divide_up(4 * threads, instance->units);
    instance->parts = larger(smaller(smaller(wanted, elements / elements_per_part), extent_of(instance)), 1);
  }
  if (instance->parts > 1) {
    const size_t size = instance->by_columns ? sizeof(struct column_moments) : sizeof(struct moments);
    *workspace = instance->units * instance->parts * size;
  }
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct normalize_instance* instance = opaque;
  instance->moments = workspace;
  instance->input = tensors[0];
  instance->scale = tensors[1];
  instance->bias = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

/* A part of a unit. */
struct part {
  size_t outer, group, groups, begin, end;
};

static struct part part_of(const struct normalize_instance* instance, size_t unit, size_t index) {
  const size_t group = unit % instance->outer_units * instance->unit_groups;
  const size_t extent = extent_of(instance);
  return (struct part){
      .outer = unit / instance->outer_units,
      .group = group,
      .groups = smaller(instance->unit_groups, instance->groups - group),
      .begin = extent * index / instance->parts,
      .end = extent * (index + 1) / instance->parts,
  };
}

/* Where a group begins at a position. */
static size_t offset_of(const struct normalize_instance* instance, const struct part* part, size_t position) {
  return ((part->outer * instance->positions + position) * instance->groups + part->group) * instance->depth;
}

static enum spread spread_type(const struct normalize_instance* instance) {
  switch (instance->state->type) {
    case pyxnn_normalize_mean_square:
    case pyxnn_normalize_euclidean:
      return spread_squares;
    case pyxnn_normalize_magnitude:
      return spread_magnitudes;
    default:
      return spread_squared_differences;
  }
}

static float factor_of(const struct normalize_instance* instance, double spread, double count) {
  const double epsilon = instance->state->epsilon;
  switch (instance->state->type) {
    case pyxnn_normalize_deviation:
      return (float)(1.0 / (sqrt(spread / count) + epsilon));
    case pyxnn_normalize_magnitude:
      return spread == 0.0 ? 0.0f : (float)(1.0 / spread);
    case pyxnn_normalize_euclidean:
      return spread == 0.0 ? 0.0f : (float)(1.0 / sqrt(spread));
    default:
      return (float)(1.0 / sqrt(spread / count + epsilon));
  }
}

static struct moments take_moments(const struct normalize_instance* instance, const struct part* part) {
  const enum spread spread = spread_type(instance);
  const float* first = instance->input + offset_of(instance, part, 0) + part->begin;
  struct moments moments = moments_of(first, part->end - part->begin, spread);
  for (size_t position = 1; position < instance->positions; position++) {
    const float* run = instance->input + offset_of(instance, part, position) + part->begin;
    moments = moments_merged(moments, moments_of(run, part->end - part->begin, spread));
  }
  return moments;
}

static void apply(const struct normalize_instance* instance, const struct part* part, const struct moments* moments) {
  const float center = (float)moments->mean, factor = factor_of(instance, moments->spread, moments->count);
  const struct bounds* bounds = &instance->state->bounds;
  const size_t first = part->group * instance->depth;
  for (size_t position = 0; position < instance->positions; position++) {
    const size_t offset = offset_of(instance, part, position);
    const float* input = instance->input + offset;
    float* output = instance->output + offset;
    if (instance->block == 1) {
      const size_t channel = first + part->begin;
      normalize_each(input + part->begin, output + part->begin, part->end - part->begin, center, factor,
                     instance->scale + channel, instance->bias + channel, bounds);
      continue;
    }
    for (size_t i = part->begin; i < part->end;) {
      const size_t channel = (first + i) / instance->block;
      const size_t end = smaller((channel + 1) * instance->block - first, part->end);
      normalize_all(input + i, output + i, end - i, center, factor * instance->scale[channel], instance->bias[channel],
                    bounds);
      i = end;
    }
  }
}

static void take_column_moments(const struct normalize_instance* instance, const struct part* part,
                                struct column_moments* moments) {
  const size_t columns = part->groups * instance->depth;
  moments->count = 0.0f;
  memset(moments->mean, 0, columns * sizeof(float));
  memset(moments->spread, 0, columns * sizeof(float));
  column_moments_add(moments, instance->input + offset_of(instance, part, part->begin), part->end - part->begin,
                     instance->groups * instance->depth, columns, spread_type(instance));
}

static void apply_columns(const struct normalize_instance* instance, const struct part* part,
                          const struct column_moments* moments) {
  const size_t depth = instance->depth, columns = part->groups * depth;
  float center[max_columns], factor[max_columns], bias[max_columns];
  for (size_t first = 0; first < columns; first += depth) {
    struct moments whole = {0};
    for (size_t i = first; i < first + depth; i++) {
      whole = moments_merged(whole, (struct moments){moments->count, moments->mean[i], moments->spread[i]});
    }
    const float group_factor = factor_of(instance, whole.spread, whole.count);
    for (size_t i = first; i < first + depth; i++) {
      const size_t channel = (part->group * depth + i) / instance->block;
      center[i] = (float)whole.mean;
      factor[i] = group_factor * instance->scale[channel];
      bias[i] = instance->bias[channel];
    }
  }
  const size_t offset = offset_of(instance, part, part->begin);
  normalize_columns(instance->input + offset, instance->output + offset, part->end - part->begin,
                    instance->groups * depth, columns, center, factor, bias, &instance->state->bounds);
}

/* Whole units. */
static void compute(void* context, size_t start, size_t count) {
  const struct normalize_instance* instance = context;
  for (size_t unit = start; unit < start + count; unit++) {
    const struct part part = part_of(instance, unit, 0);
    if (instance->by_columns) {
      struct column_moments moments;
      take_column_moments(instance, &part, &moments);
      apply_columns(instance, &part, &moments);
    } else {
      const struct moments moments = take_moments(instance, &part);
      apply(instance, &part, &moments);
    }
  }
}

static void compute_moments(void* context, size_t unit, size_t index) {
  const struct normalize_instance* instance = context;
  const struct part part = part_of(instance, unit, index);
  const size_t place = unit * instance->parts + index;
  if (instance->by_columns) {
    take_column_moments(instance, &part, (struct column_moments*)instance->moments + place);
  } else {
    ((struct moments*)instance->moments)[place] = take_moments(instance, &part);
  }
}

static void compute_output(void* context, size_t unit, size_t index) {
  const struct normalize_instance* instance = context;
  const struct part part = part_of(instance, unit, index);
  if (instance->by_columns) {
    const struct column_moments* moments = (struct column_moments*)instance->moments + unit * instance->parts;
    struct column_moments merged = moments[0];
    for (size_t i = 1; i < instance->parts; i++) {
      column_moments_merge(&merged, &moments[i], part.groups * instance->depth);
    }
    apply_columns(instance, &part, &merged);
  } else {
    const struct moments* moments = (struct moments*)instance->moments + unit * instance->parts;
    struct moments merged = moments[0];
    for (size_t i = 1; i < instance->parts; i++) {
      merged = moments_merged(merged, moments[i]);
    }
    apply(instance, &part, &merged);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct normalize_instance* instance = opaque;
  const uint32_t flags = PTHREADPOOL_FLAG_DISABLE_DENORMALS;
  if (instance->parts == 1) {
    const size_t elements = instance->positions * instance->unit_groups * instance->depth;
    pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->units, divide_up(elements_per_task, elements),
                                       flags);
  } else {
    pthreadpool_parallelize_2d(pool, compute_moments, opaque, instance->units, instance->parts, flags);
    pthreadpool_parallelize_2d(pool, compute_output, opaque, instance->units, instance->parts, flags);
  }
  return xnn_status_success;
}

const struct operator_type normalize_type = {
    .name = "normalization",
    .num_params = 4,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct normalize_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
