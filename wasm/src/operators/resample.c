/*
 * Images resampled along both axes, on our own kernel (kernels/resample.c).
 *
 * Where rows become fewer, a row of the output is made of one in scratch memory, the sum of `taps` rows of the input. Else it
 * is made of `taps` rows whose columns have been resampled; each thread keeps as many of these in scratch memory, row r of an
 * image in place r % taps, so that the next row of the output finds most of them there. Rows of bytes become floats on the way in, which
 * are kept likewise, and bytes again on the way out. Where bytes are made of two neighbours along both axes, the last row and the last
 * pixel are kept twice, as onnxruntime adds halves of both. Dense floats whose columns become twice as many are made at once, without
 * scratch memory.
 */
#include "kernels/resample.h"

#include <string.h>

#include "kernels/cast.h"
#include "kernels/quantize.h"
#include "operator.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows of about so many elements are one task, and no fewer rows: each task begins with nothing in scratch memory. */
enum { elements_per_task = 16384, least_rows_per_task = 16 };

/* Two rows of no larger outputs are written at a time; of others caches fetch ahead of one, but not of two in a page. */
enum { cached_floats = 1 << 18 };

/* How the elements of an axis are made; `taps` is 0 for an axis that stays as it is. */
struct axis {
  size_t extent, out_extent, taps;
  const int32_t* firsts;
  const float* weights;
};

/* The elements of a tensor, and what int8 numbers stand for. */
struct elements {
  struct quantized_type type;
  float scale;
  int32_t zero;
};

struct resample_state {
  struct elements in, out;
};

struct resample_instance {
  const struct resample_state* state;
  size_t outer, inner, in_stride, out_stride;
  struct axis rows, columns;
  bool has_quads;                         /* bytes are made of bytes, two neighbours along both axes */
  bool has_rows_first, has_columns_first; /* which axis is made first, where both are without quads */
  bool keeps_rows;                        /* those whose columns were made, or were bytes */
  size_t kept_pixels, kept_row;           /* pixels of such a row, floats from one to the next */
  size_t rows_per_task;
  bool makes_two; /* rows of the output at a time */
  const char* input;
  void* fours; /* the table of columns of one float */
  bool has_fours;
  struct resample_phases phases; /* of columns */
  bool has_phases;
  float* turned;  /* the weights of rows, in the order of those that are kept */
  size_t* places; /* of the first row that each is made of, among those that are kept */
  float* scratch;
  char* output;
};

/* What a thread has in scratch memory. */
struct scratch {
  float* kept;     /* rows that the next row of the output may need */
  float* line;     /* what is between input and columns: the sum of rows, or a row of bytes as floats */
  float* made;     /* a row of the output, before it becomes bytes */
  size_t* numbers; /* theirs */
};

static struct elements take_elements(struct words* params) {
  struct elements elements = {.type.element = take(params)};
  elements.scale = take_float(params);
  elements.zero = (int32_t)take(params);
  return elements;
}

static bool are_bytes(const struct elements* elements) {
  return elements->type.element == pyxnn_int8;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct resample_state state = {.in = take_elements(params)};
  state.out = take_elements(params);
  state.out.type.least = (int32_t)take(params);
  state.out.type.greatest = (int32_t)take(params);
  const struct elements* ends[] = {&state.in, &state.out};
  for (size_t i = 0; i < 2; i++) {
    if (!are_bytes(ends[i]) && ends[i]->type.element != pyxnn_float32) {
      return xnn_status_invalid_parameter;
    }
  }
  return own_state(&state, sizeof(state), out);
}

static struct axis take_axis(struct words* dims) {
  struct axis axis = {.extent = take(dims)};
  axis.out_extent = take(dims);
  axis.taps = take(dims);
  return axis;
}

/* `repeats` is how often the last neighbour may stand again beyond the end. */
static bool is_valid(const struct axis* axis, size_t repeats) {
  return axis->taps <= axis->extent + repeats && (axis->taps > 0 || axis->extent == axis->out_extent);
}

/* Floats that make whole cache lines. */
static size_t in_lines(size_t floats) {
  return rounded_up(floats, 16);
}

/* Floats of what lies between input and columns. */
static size_t line_size(const struct resample_instance* instance) {
  const bool is_widened = instance->columns.taps > 0 && are_bytes(&instance->state->in) && !instance->has_quads;
  const bool is_there = instance->has_rows_first || is_widened;
  return is_there ? in_lines(instance->columns.extent * instance->inner) : 0;
}

static size_t made_size(const struct resample_instance* instance) {
  return are_bytes(&instance->state->out) ? in_lines(instance->columns.out_extent * instance->inner) : 0;
}

/* Floats that a thread has in scratch memory. */
static size_t scratch_size(const struct resample_instance* instance) {
  const size_t rows = instance->keeps_rows ? instance->rows.taps : 0;
  _Static_assert(sizeof(size_t) == sizeof(float), "numbers of rows are as large as floats");
  return rows * instance->kept_row + line_size(instance) + made_size(instance) + in_lines(rows);
}

/* That of a thread, with no row kept. */
static struct scratch begin_scratch(const struct resample_instance* instance, size_t thread) {
  const size_t rows = instance->keeps_rows ? instance->rows.taps : 0;
  struct scratch scratch = {.kept = instance->scratch + thread * scratch_size(instance)};
  scratch.line = scratch.kept + rows * instance->kept_row;
  scratch.made = scratch.line + line_size(instance);
  scratch.numbers = (size_t*)(scratch.made + made_size(instance));
  memset(scratch.numbers, 0xFF, rows * sizeof(size_t));
  return scratch;
}

/* Floats of the weights that are turned, and of places. */
static size_t turned_size(const struct resample_instance* instance) {
  return instance->keeps_rows ? in_lines(instance->rows.out_extent * (instance->rows.taps + 1)) : 0;
}

/* Floats of the table of fours. */
static size_t fours_size(const struct resample_instance* instance) {
  const struct axis* columns = &instance->columns;
  const size_t bytes = instance->inner == 1 ? resample_fours_size(columns->taps, columns->out_extent) : 0;
  return in_lines(bytes / sizeof(float));
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct resample_instance* instance = opaque;
  instance->outer = take(dims);
  instance->inner = take(dims);
  instance->in_stride = take(dims);
  instance->out_stride = take(dims);
  instance->rows = take_axis(dims);
  instance->columns = take_axis(dims);
  const struct resample_state* state = instance->state;
  const size_t rows = instance->rows.taps, columns = instance->columns.taps;
  instance->has_quads = rows == 2 && columns == 2 && are_bytes(&state->in) && are_bytes(&state->out);
  const size_t repeats = instance->has_quads ? 1 : 0;
  if (!is_valid(&instance->rows, repeats) || !is_valid(&instance->columns, repeats)) {
    return xnn_status_invalid_parameter;
  }
  const bool makes_both = rows > 0 && columns > 0 && !instance->has_quads;
  instance->has_rows_first = makes_both && instance->rows.out_extent < instance->rows.extent;
  instance->has_columns_first = makes_both && !instance->has_rows_first;
  instance->keeps_rows = instance->has_columns_first || (rows > 0 && are_bytes(&state->in));
  instance->kept_pixels =
      instance->has_columns_first ? instance->columns.out_extent : instance->columns.extent + repeats;
  instance->kept_row = in_lines(instance->kept_pixels * instance->inner);
  const size_t row = instance->columns.out_extent * instance->inner;
  instance->rows_per_task = elements_per_task / (row + 1) + (instance->has_columns_first ? least_rows_per_task : 1);
  instance->makes_two = !are_bytes(&instance->state->out) && instance->out_stride == instance->inner &&
                        instance->outer * instance->rows.out_extent * row <= cached_floats;
  const size_t scratch = pthreadpool_get_threads_count(pool) * scratch_size(instance);
  *workspace = (turned_size(instance) + fours_size(instance) + scratch) * sizeof(float);
  return xnn_status_success;
}

/* The firsts and weights of an axis lie one after the other. */
static void bind_axis(struct axis* axis, const void* table) {
  axis->firsts = table;
  axis->weights = (const float*)(axis->firsts + axis->out_extent);
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct resample_instance* instance = opaque;
  instance->input = tensors[0];
  bind_axis(&instance->rows, tensors[1]);
  bind_axis(&instance->columns, tensors[2]);
  instance->output = tensors[3];
  instance->turned = workspace;
  instance->places = (size_t*)(instance->turned + instance->rows.out_extent * instance->rows.taps);
  instance->fours = instance->turned + turned_size(instance);
  instance->scratch = instance->turned + turned_size(instance) + fours_size(instance);
  return xnn_status_success;
}

/*
 * Resamples the columns of a row.
 * @param from    floats between its pixels
 * @param stride  floats between those of the output
 */
INLINE void compute_columns(const struct resample_instance* instance, const float* first, size_t from, float* output,
                            size_t stride) {
  const struct axis* columns = &instance->columns;
  if (instance->has_phases && from == 1 && stride == 1) {
    const struct resample_stack row = {.image = first, .stride = columns->extent, .taps = 1, .firsts = &(int32_t){0}};
    resample_phases(&row, &instance->phases, output, 1);
    return;
  }
  if (instance->has_fours && from == 1 && stride == 1) {
    resample_fours(first, instance->fours, columns->taps, output, columns->out_extent);
    return;
  }
  const struct resample_row row = {.first = first, .stride = from, .pixels = columns->extent};
  resample_columns(&row, instance->inner, columns->firsts, columns->weights, columns->taps, output, stride,
                   columns->out_extent);
}

/* Row `number` of the input, of all images; it is of bytes or floats. */
static const void* input_row(const struct resample_instance* instance, size_t number) {
  const size_t size = element_size(instance->state->in.type.element);
  return instance->input + number * instance->columns.extent * instance->in_stride * size;
}

/*
 * Makes dense floats of a row of bytes.
 * @param output  a row of the input's extent
 */
static void widen_row(const struct resample_instance* instance, size_t number, float* output) {
  const struct elements* in = &instance->state->in;
  const struct quantization by = {.scale = &in->scale, .zero = &in->zero, .step = 0};
  const size_t inner = instance->inner, pixels = instance->columns.extent;
  const bool is_dense = instance->in_stride == inner;
  const size_t pieces = is_dense ? 1 : pixels, length = is_dense ? pixels * inner : inner;
  const int8_t* input = input_row(instance, number);
  for (size_t i = 0; i < pieces; i++) {
    dequantize_row(input + i * instance->in_stride, in->type.element, &by, output + i * inner, length);
  }
}

/* Makes bytes of a dense row of floats. */
static void narrow_row(const struct resample_instance* instance, const float* made, int8_t* output) {
  const struct elements* out = &instance->state->out;
  const struct quantization by = {.scale = &out->scale, .zero = &out->zero, .step = 0};
  const size_t inner = instance->inner, pixels = instance->columns.out_extent;
  const bool is_dense = instance->out_stride == inner;
  const size_t pieces = is_dense ? 1 : pixels, length = is_dense ? pixels * inner : inner;
  for (size_t i = 0; i < pieces; i++) {
    quantize_row(made + i * inner, &by, output + i * instance->out_stride, length, &out->type);
  }
}

/* Resamples the columns of a row of the input; arguments as of compute_columns. */
INLINE void compute_input_columns(const struct resample_instance* instance, size_t number, float* line, float* output,
                                  size_t stride) {
  if (are_bytes(&instance->state->in)) {
    widen_row(instance, number, line);
    compute_columns(instance, line, instance->inner, output, stride);
  } else {
    compute_columns(instance, input_row(instance, number), instance->in_stride, output, stride);
  }
}

/*
 * Adds up rows by their weights.
 * @param rows    the first of them
 * @param row     floats between them
 * @param stride  floats between their pixels
 * @param to      floats between those of the output
 */
static void compute_rows(const struct resample_instance* instance, const float* rows, size_t row, size_t stride,
                         const float* weights, float* output, size_t to, size_t pixels) {
  const size_t taps = instance->rows.taps, inner = instance->inner;
  if (stride == inner && to == inner) {
    resample_rows(rows, row, weights, taps, output, pixels * inner);
    return;
  }
  for (size_t x = 0; x < pixels; x++) {
    resample_rows(rows + x * stride, row, weights, taps, output + x * to, inner);
  }
}

/* Makes row `y` of the output of rows of floats; arguments as of add_kept_rows. */
static void add_input_rows(const struct resample_instance* instance, size_t image, size_t y, float* output, size_t to) {
  const struct axis* rows = &instance->rows;
  const size_t row = instance->columns.extent * instance->in_stride;
  compute_rows(instance, input_row(instance, image + (size_t)rows->firsts[y]), row, instance->in_stride,
               rows->weights + y * rows->taps, output, to, instance->columns.extent);
}

/*
 * Keeps the rows that row `y` of the output is made of.
 * @param image  the number of its first row
 */
INLINE void keep_rows(const struct resample_instance* instance, size_t image, size_t y, const struct scratch* scratch) {
  const size_t taps = instance->rows.taps, row = instance->kept_row, inner = instance->inner;
  const size_t first = image + (size_t)instance->rows.firsts[y];
  size_t place = instance->places[y];
  for (size_t t = 0; t < taps; t++, place = place + 1 < taps ? place + 1 : 0) {
    const size_t number = smaller(first + t, image + instance->rows.extent - 1);
    if (scratch->numbers[place] == number) {
      continue;
    }
    scratch->numbers[place] = number;
    float* kept = scratch->kept + place * row;
    if (instance->has_columns_first) {
      compute_input_columns(instance, number, scratch->line, kept, inner);
      continue;
    }
    widen_row(instance, number, kept);
    if (instance->has_quads) {
      float* end = kept + instance->columns.extent * inner;
      memcpy(end, end - inner, inner * sizeof(float));
    }
  }
}

/*
 * Makes row `y` of the output of rows that are kept, and the next where it is made of the same.
 * @param image  the number of its first row
 * @param to     floats between pixels of the output
 * @param limit  rows that are wanted
 * @return       how many it has made
 */
static size_t add_kept_rows(const struct resample_instance* instance, size_t image, size_t y,
                            const struct scratch* scratch, float* output, size_t to, size_t limit) {
  const struct axis* rows = &instance->rows;
  const size_t taps = rows->taps, row = instance->kept_row, inner = instance->inner, pixels = instance->kept_pixels;
  keep_rows(instance, image, y, scratch);
  const float* weights = instance->turned + y * taps;
  if (limit > 1 && y + 1 < rows->out_extent && rows->firsts[y + 1] == rows->firsts[y]) {
    resample_two_rows(scratch->kept, row, weights, taps, output, pixels * inner, pixels * inner);
    return 2;
  }
  compute_rows(instance, scratch->kept, row, inner, weights, output, to, pixels);
  return 1;
}

/* Makes dense row `y` of the output of neighbours in two rows that are kept. */
static void compute_quads(const struct resample_instance* instance, size_t image, size_t y,
                          const struct scratch* scratch, float* output) {
  const struct axis *rows = &instance->rows, *columns = &instance->columns;
  keep_rows(instance, image, y, scratch);
  const size_t first = (size_t)rows->firsts[y] % 2;
  const float* top = scratch->kept + first * instance->kept_row;
  const float* bottom = scratch->kept + (1 - first) * instance->kept_row;
  const float* across = rows->weights + y * 2;
  if (instance->has_fours) {
    resample_quad_fours(top, bottom, across, instance->fours, output, columns->out_extent);
  } else {
    resample_quads(top, bottom, across, instance->inner, columns->firsts, columns->weights, output,
                   columns->out_extent);
  }
}

/*
 * Makes row `y` of the output, maybe the next, too.
 * @param image  the number of its first row of the input
 * @param to     floats between its pixels; where more than one row is wanted, those of a pixel
 * @param limit  rows that are wanted
 * @return       how many it has made
 */
static size_t compute_row(const struct resample_instance* instance, size_t image, size_t y,
                          const struct scratch* scratch, float* output, size_t to, size_t limit) {
  if (instance->rows.taps == 0) {
    compute_input_columns(instance, image + y, scratch->line, output, to);
    return 1;
  }
  if (instance->has_quads) {
    compute_quads(instance, image, y, scratch, output);
    return 1;
  }
  const bool has_line = instance->has_rows_first;
  float* sum = has_line ? scratch->line : output;
  const size_t stride = has_line ? instance->inner : to;
  size_t made = 1;
  if (instance->keeps_rows) {
    made = add_kept_rows(instance, image, y, scratch, sum, stride, has_line ? 1 : limit);
  } else {
    add_input_rows(instance, image, y, sum, stride);
  }
  if (has_line) {
    compute_columns(instance, sum, stride, output, to);
  }
  return made;
}

static void compute(void* context, size_t thread, size_t task) {
  const struct resample_instance* instance = context;
  const struct axis* rows = &instance->rows;
  const size_t begin = task * instance->rows_per_task, all = instance->outer * rows->out_extent;
  const size_t end = smaller(begin + instance->rows_per_task, all);
  const struct scratch scratch = begin_scratch(instance, thread);
  const struct elements* out = &instance->state->out;
  const size_t row_size = instance->columns.out_extent * instance->out_stride * element_size(out->type.element);
  size_t image = begin / rows->out_extent * rows->extent, y = begin % rows->out_extent;
  char* output = instance->output + begin * row_size;
  for (size_t row = begin, made = 1; row < end; row += made, output += made * row_size) {
    if (are_bytes(out)) {
      compute_row(instance, image, y, &scratch, scratch.made, instance->inner, 1);
      narrow_row(instance, scratch.made, (int8_t*)output);
    } else {
      const size_t limit = instance->makes_two ? end - row : 1;
      made = compute_row(instance, image, y, &scratch, (float*)output, instance->out_stride, limit);
    }
    y += made;
    if (y == rows->out_extent) {
      image += rows->extent;
      y = 0;
    }
  }
}

/* Whether rows of the output are made of dense rows of floats at once, with nothing in scratch memory. */
static bool is_doubled(const struct resample_instance* instance) {
  const struct resample_state* state = instance->state;
  return instance->has_phases && instance->has_columns_first && instance->rows.taps == instance->columns.taps &&
         !are_bytes(&state->in) && !are_bytes(&state->out) && instance->in_stride == 1 && instance->out_stride == 1;
}

static void compute_doubled(void* context, size_t begin, size_t count) {
  const struct resample_instance* instance = context;
  const struct axis *rows = &instance->rows, *columns = &instance->columns;
  size_t image = begin / rows->out_extent, y = begin % rows->out_extent;
  float* output = (float*)instance->output + begin * columns->out_extent;
  for (size_t made = 0; count > 0; count -= made, image++, y = 0, output += made * columns->out_extent) {
    made = smaller(count, rows->out_extent - y);
    const struct resample_stack stack = {
        .image = (const float*)instance->input + image * rows->extent * columns->extent,
        .stride = columns->extent,
        .taps = rows->taps,
        .firsts = rows->firsts + y,
        .weights = rows->weights + y * rows->taps};
    resample_phases(&stack, &instance->phases, output, made);
  }
}

/* Turns the weights of each row: neighbour n of an image is kept in place n % taps. */
static void turn_weights(const struct resample_instance* instance) {
  const struct axis* rows = &instance->rows;
  for (size_t y = 0; y < rows->out_extent; y++) {
    size_t place = (size_t)rows->firsts[y] % rows->taps;
    instance->places[y] = place;
    for (size_t t = 0; t < rows->taps; t++, place = place + 1 < rows->taps ? place + 1 : 0) {
      instance->turned[y * rows->taps + place] = rows->weights[y * rows->taps + t];
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  struct resample_instance* instance = opaque;
  const struct axis* columns = &instance->columns;
  instance->has_fours = instance->inner == 1 && columns->taps > 0 &&
                        resample_find_fours(columns->firsts, columns->weights, columns->taps,
                                            instance->has_quads ? instance->kept_pixels : columns->extent,
                                            columns->out_extent, instance->fours);
  instance->has_phases = instance->has_fours && !instance->has_quads &&
                         resample_find_phases(columns->firsts, columns->weights, columns->taps, columns->extent,
                                              columns->out_extent, &instance->phases);
  const size_t rows = instance->outer * instance->rows.out_extent;
  if (is_doubled(instance)) {
    pthreadpool_parallelize_1d_tile_1d(pool, compute_doubled, opaque, rows, instance->rows_per_task,
                                       PTHREADPOOL_FLAG_DISABLE_DENORMALS);
    return xnn_status_success;
  }
  if (instance->keeps_rows) {
    turn_weights(instance);
  }
  const size_t tasks = divide_up(rows, instance->rows_per_task);
  pthreadpool_parallelize_1d_with_thread(pool, compute, opaque, tasks, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type resample_type = {
    .name = "resampling",
    .num_params = 8,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct resample_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
