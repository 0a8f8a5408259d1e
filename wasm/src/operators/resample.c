/*
 * Images resampled along both axes, on our own kernel (kernels/resample.c).
 *
 * Where rows become fewer, a row of the output is made of one in scratch memory, the sum of `taps` rows of the input. Else it
 * is made of `taps` rows whose columns have been resampled; each thread keeps as many of these in scratch memory, row r in
 * place r % taps, so that the next row of the output finds most of them there.
 */
#include "kernels/resample.h"

#include <string.h>

#include "operator.h"

/* Rows of about so many elements are one task, and no fewer rows: each task begins with nothing in scratch memory. */
enum { elements_per_task = 16384, least_rows_per_task = 16 };

/* How the elements of an axis are made; `taps` is 0 for an axis that stays as it is. */
struct axis {
  size_t extent, out_extent, taps;
  const int32_t* firsts;
  const float* weights;
};

struct resample_instance {
  const void* state;
  size_t outer, inner, in_stride, out_stride;
  struct axis rows, columns;
  size_t rows_per_task;
  const float* input;
  void* fours; /* the table of columns of one float */
  bool has_fours;
  char* scratch;
  float* output;
};

/* It has nothing that doesn't depend on shapes. */
static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  *state = NULL;
  return xnn_status_success;
}

static struct axis take_axis(struct words* dims) {
  struct axis axis = {.extent = take(dims)};
  axis.out_extent = take(dims);
  axis.taps = take(dims);
  return axis;
}

static bool is_valid(const struct axis* axis) {
  return axis->taps <= axis->extent && (axis->taps > 0 || axis->extent == axis->out_extent);
}

/* Whether both axes are made, rows first. */
static bool has_rows_first(const struct resample_instance* instance) {
  return instance->rows.taps > 0 && instance->columns.taps > 0 && instance->rows.out_extent < instance->rows.extent;
}

/* Whether both axes are made, columns first. */
static bool has_columns_first(const struct resample_instance* instance) {
  return instance->rows.taps > 0 && instance->columns.taps > 0 && !has_rows_first(instance);
}

/* What a thread keeps: a row; or rows, the number of each, weights in their order. */
static size_t scratch_size(const struct resample_instance* instance) {
  if (has_rows_first(instance)) {
    return instance->columns.extent * instance->inner * sizeof(float);
  }
  const size_t row = instance->columns.out_extent * instance->inner;
  return instance->rows.taps * (row * sizeof(float) + sizeof(size_t) + sizeof(float));
}

static size_t fours_size(const struct resample_instance* instance) {
  const struct axis* columns = &instance->columns;
  return instance->inner == 1 ? resample_fours_size(columns->taps, columns->out_extent) : 0;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct resample_instance* instance = opaque;
  instance->outer = take(dims);
  instance->inner = take(dims);
  instance->in_stride = take(dims);
  instance->out_stride = take(dims);
  instance->rows = take_axis(dims);
  instance->columns = take_axis(dims);
  if (!is_valid(&instance->rows) || !is_valid(&instance->columns)) {
    return xnn_status_invalid_parameter;
  }
  const size_t row = instance->columns.out_extent * instance->inner;
  instance->rows_per_task = elements_per_task / (row + 1) + (has_columns_first(instance) ? least_rows_per_task : 1);
  *workspace = fours_size(instance);
  if (instance->rows.taps > 0 && instance->columns.taps > 0) {
    *workspace += pthreadpool_get_threads_count(pool) * scratch_size(instance);
  }
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
  instance->fours = workspace;
  instance->scratch = (char*)workspace + fours_size(instance);
  return xnn_status_success;
}

/*
 * Resamples the columns of a row.
 * @param from    floats between its pixels
 * @param stride  floats between those of the output
 */
static void compute_columns(const struct resample_instance* instance, const float* first, size_t from, float* output,
                            size_t stride) {
  const struct axis* columns = &instance->columns;
  if (instance->has_fours && from == 1 && stride == 1) {
    resample_fours(first, instance->fours, columns->taps, output, columns->out_extent);
    return;
  }
  const struct resample_row row = {.first = first, .stride = from, .pixels = columns->extent};
  resample_columns(&row, instance->inner, columns->firsts, columns->weights, columns->taps, output, stride,
                   columns->out_extent);
}

/* Row `number` of the input, of all images. */
static const float* input_row(const struct resample_instance* instance, size_t number) {
  return instance->input + number * instance->columns.extent * instance->in_stride;
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

/*
 * Makes row `y` of the output of rows of the input.
 * @param image  the number of its first row
 * @param to     floats between pixels of the output
 */
static void add_input_rows(const struct resample_instance* instance, size_t image, size_t y, float* output, size_t to) {
  const struct axis* rows = &instance->rows;
  const size_t row = instance->columns.extent * instance->in_stride;
  compute_rows(instance, input_row(instance, image + (size_t)rows->firsts[y]), row, instance->in_stride,
               rows->weights + y * rows->taps, output, to, instance->columns.extent);
}

/*
 * Makes row `y` of the output of rows that are kept.
 * @param image    the number of its first row
 * @param scratch  the thread's
 */
static void add_kept_rows(const struct resample_instance* instance, size_t image, size_t y, char* scratch,
                          float* output) {
  const struct axis* rows = &instance->rows;
  const size_t taps = rows->taps, row_size = instance->columns.out_extent * instance->inner;
  float* kept = (float*)scratch;
  size_t* numbers = (size_t*)(kept + taps * row_size);
  float* weights = (float*)(numbers + taps);
  const size_t first = image + (size_t)rows->firsts[y];
  size_t place = first % taps;
  for (size_t t = 0; t < taps; t++, place = place + 1 < taps ? place + 1 : 0) {
    const size_t number = first + t;
    weights[place] = rows->weights[y * taps + t];
    if (numbers[place] != number) {
      numbers[place] = number;
      compute_columns(instance, input_row(instance, number), instance->in_stride, kept + place * row_size,
                      instance->inner);
    }
  }
  compute_rows(instance, kept, row_size, instance->inner, weights, output, instance->out_stride,
               instance->columns.out_extent);
}

static void compute(void* context, size_t thread, size_t task) {
  const struct resample_instance* instance = context;
  const struct axis *rows = &instance->rows, *columns = &instance->columns;
  const size_t begin = task * instance->rows_per_task, all = instance->outer * rows->out_extent;
  const size_t end = begin + instance->rows_per_task < all ? begin + instance->rows_per_task : all;
  char* scratch = instance->scratch + thread * scratch_size(instance);
  if (has_columns_first(instance)) {
    memset(scratch + rows->taps * columns->out_extent * instance->inner * sizeof(float), 0xFF,
           rows->taps * sizeof(size_t));
  }
  size_t image = begin / rows->out_extent * rows->extent, y = begin % rows->out_extent;
  float* output = instance->output + begin * columns->out_extent * instance->out_stride;
  for (size_t row = begin; row < end; row++) {
    if (rows->taps == 0) {
      compute_columns(instance, input_row(instance, image + y), instance->in_stride, output, instance->out_stride);
    } else if (columns->taps == 0) {
      add_input_rows(instance, image, y, output, instance->out_stride);
    } else if (has_rows_first(instance)) {
      add_input_rows(instance, image, y, (float*)scratch, instance->inner);
      compute_columns(instance, (const float*)scratch, instance->inner, output, instance->out_stride);
    } else {
      add_kept_rows(instance, image, y, scratch, output);
    }
    output += columns->out_extent * instance->out_stride;
    if (++y == rows->out_extent) {
      image += rows->extent;
      y = 0;
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  struct resample_instance* instance = opaque;
  const struct axis* columns = &instance->columns;
  instance->has_fours = instance->inner == 1 && columns->taps > 0 &&
                        resample_find_fours(columns->firsts, columns->weights, columns->taps, columns->extent,
                                            columns->out_extent, instance->fours);
  const size_t rows = instance->outer * instance->rows.out_extent;
  const size_t tasks = (rows + instance->rows_per_task - 1) / instance->rows_per_task;
  pthreadpool_parallelize_1d_with_thread(pool, compute, opaque, tasks, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type resample_type = {
    .name = "resampling",
    .num_params = 0,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct resample_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
