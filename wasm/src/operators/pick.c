/* Picks elements by lists of indices, one an axis: padding, cropping, resizing to the nearest. */
#include <string.h>

#include "kernels/move.h"
#include "kernels/simd.h"
#include "operator.h"
#include "sizes.h"

enum { max_axes = 16 };

/* Rows of about so many bytes are one task. */
enum { bytes_per_task = 32768 };

/* Pieces of up to so many bytes are picked by vectors, short runs too, where rows are many enough for finding these to pay. */
enum { small_piece = 8, least_rows = 8, least_run_bytes = 64 };

/* Equal rows of no larger outputs are written together; of others caches fetch ahead of one, but not of two in a page. */
enum { cached_bytes = 1 << 20 };

struct pick_state {
  size_t element_size;
  uint64_t fill; /* as many elements as there is room for */
};

/* Sixteen bytes of a row of the output, all of whose bytes come from sixteen of the input or are filled. */
struct pick_vector {
  v128_t places; /* of each byte among those of the input, 255 where it is filled */
  v128_t fill;   /* 0 where it isn't */
  uint32_t from, to;
};

/*
 * A row is what the last axis makes: `columns` pieces of `piece` bytes, `step` bytes apart in the input and `out_step` in the
 * output. The other axes say which row of the input it is made of.
 */
struct pick_instance {
  const struct pick_state* state;
  size_t num_axes;
  size_t extents[max_axes], out_extents[max_axes];
  const int32_t* indices[max_axes];
  size_t piece, step, out_step;
  size_t rows, columns;
  size_t row_bytes, out_row_bytes;
  size_t run_begin, run_end; /* the most columns in one run whose pieces lie in sequence in the input */
  struct pick_vector* vectors;
  size_t num_vectors; /* 0: columns around the run are picked one by one */
  bool doubles;       /* each column is taken twice, and has four bytes */
  bool makes_two;     /* equal rows at a time */
  const uint8_t* input;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct pick_state state = {.element_size = take(params)};
  if (!is_element_size(state.element_size)) {
    return xnn_status_invalid_parameter;
  }
  state.fill = take(params);
  state.fill |= (uint64_t)take(params) << 32;
  for (size_t filled = state.element_size; filled < sizeof(state.fill); filled *= 2) {
    state.fill |= state.fill << filled * 8;
  }
  return own_state(&state, sizeof(state), out);
}

static bool is_dense(const struct pick_instance* instance) {
  return instance->step == instance->piece && instance->out_step == instance->piece;
}

/* Whether vectors may be found for its columns. */
static bool takes_vectors(const struct pick_instance* instance) {
  return is_dense(instance) && instance->piece <= small_piece && instance->rows >= least_rows &&
         instance->row_bytes >= sizeof(v128_t) && instance->out_row_bytes >= sizeof(v128_t);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct pick_instance* instance = opaque;
  const size_t outer = take(dims), element_size = instance->state->element_size;
  instance->piece = take(dims) * element_size;
  instance->step = take(dims) * element_size;
  instance->out_step = take(dims) * element_size;
  instance->num_axes = take(dims);
  if (instance->num_axes == 0 || instance->num_axes > max_axes) {
    return xnn_status_invalid_parameter;
  }
  instance->rows = outer;
  for (size_t axis = 0; axis < instance->num_axes; axis++) {
    instance->extents[axis] = take(dims);
    instance->out_extents[axis] = take(dims);
    instance->rows *= instance->out_extents[axis];
  }
  const size_t last = instance->num_axes - 1;
  instance->columns = instance->out_extents[last];
  instance->rows /= instance->columns == 0 ? 1 : instance->columns;
  instance->row_bytes = instance->extents[last] * instance->step;
  instance->out_row_bytes = instance->columns * instance->out_step;
  instance->makes_two = instance->rows * instance->out_row_bytes <= cached_bytes;
  if (takes_vectors(instance)) {
    *workspace = (instance->out_row_bytes / sizeof(v128_t) + 2) * sizeof(struct pick_vector);
  }
  return xnn_status_success;
}

static void find_run(struct pick_instance* instance) {
  const int32_t* columns = instance->indices[instance->num_axes - 1];
  for (size_t begin = 0; begin < instance->columns;) {
    size_t end = begin + 1;
    while (end < instance->columns && columns[end] == columns[end - 1] + 1) {
      end++;
    }
    if (columns[begin] >= 0 && end - begin > instance->run_end - instance->run_begin) {
      instance->run_begin = begin;
      instance->run_end = end;
    }
    begin = columns[begin] < 0 ? begin + 1 : end;
  }
  if (takes_vectors(instance) && (instance->run_end - instance->run_begin) * instance->piece < least_run_bytes) {
    instance->run_begin = instance->run_end = 0;
  }
}

/* Finds the vector of a row's bytes from `to` on; false when there is none. */
static bool find_vector(const struct pick_instance* instance, size_t to, struct pick_vector* vector) {
  const int32_t* columns = instance->indices[instance->num_axes - 1];
  const size_t size = sizeof(v128_t), piece = instance->piece;
  const uint8_t* fill = (const uint8_t*)&instance->state->fill;
  size_t sources[sizeof(v128_t)], first = instance->row_bytes - size;
  for (size_t i = 0; i < size; i++) {
    const int32_t column = columns[(to + i) / piece];
    sources[i] = column < 0 ? SIZE_MAX : (size_t)column * piece + (to + i) % piece;
    first = smaller(sources[i], first);
  }
  uint8_t places[sizeof(v128_t)], filled[sizeof(v128_t)];
  for (size_t i = 0; i < size; i++) {
    const bool is_filled = sources[i] == SIZE_MAX;
    if (!is_filled && sources[i] - first >= size) {
      return false;
    }
    places[i] = is_filled ? UINT8_MAX : (uint8_t)(sources[i] - first);
    filled[i] = is_filled ? fill[(to + i) % instance->state->element_size] : 0;
  }
  *vector = (struct pick_vector){
      .places = wasm_v128_load(places), .fill = wasm_v128_load(filled), .from = (uint32_t)first, .to = (uint32_t)to};
  return true;
}

/* Finds vectors for bytes [begin, end) of a row; they may reach into the run. */
static bool find_vectors(struct pick_instance* instance, size_t begin, size_t end) {
  const size_t last = instance->out_row_bytes - sizeof(v128_t);
  for (size_t to = begin; to < end; to += sizeof(v128_t)) {
    if (!find_vector(instance, smaller(to, last), &instance->vectors[instance->num_vectors++])) {
      instance->num_vectors = 0;
      return false;
    }
  }
  return true;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct pick_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[2];
  instance->vectors = workspace;
  const int32_t* indices = tensors[1];
  for (size_t axis = 0; axis < instance->num_axes; axis++) {
    instance->indices[axis] = indices;
    indices += instance->out_extents[axis];
  }
  return xnn_status_success;
}

static void fill(const struct pick_instance* instance, uint8_t* output, size_t bytes) {
  const v128_t value = wasm_v128_load64_splat(&instance->state->fill);
  size_t i = 0;
  for (; i + sizeof(value) <= bytes; i += sizeof(value)) {
    wasm_v128_store(output + i, value);
  }
  memcpy(output + i, &value, bytes - i);
}

static void fill_row(const struct pick_instance* instance, uint8_t* output) {
  if (instance->out_step == instance->piece) {
    fill(instance, output, instance->out_row_bytes);
    return;
  }
  for (size_t x = 0; x < instance->columns; x++) {
    fill(instance, output + x * instance->out_step, instance->piece);
  }
}

#define COPY_ELEMENTS(type)                                                                 \
  for (size_t x = begin; x < end; x++) {                                                    \
    ((type*)output)[x] = columns[x] < 0 ? (type)fill_with : ((const type*)row)[columns[x]]; \
  }

/* Copies columns [begin, end) of a row, one by one. */
static void copy_columns(const struct pick_instance* instance, const uint8_t* row, uint8_t* output, size_t begin,
                         size_t end) {
  if (begin == end) {
    return;
  }
  const int32_t* columns = instance->indices[instance->num_axes - 1];
  const uint64_t fill_with = instance->state->fill;
  const size_t piece = instance->piece;
  if (piece != instance->state->element_size || !is_dense(instance)) {
    for (size_t x = begin; x < end; x++) {
      if (columns[x] < 0) {
        fill(instance, output + x * instance->out_step, piece);
      } else {
        move_bytes(output + x * instance->out_step, row + (size_t)columns[x] * instance->step, piece);
      }
    }
  } else if (piece == sizeof(uint32_t)) {
    COPY_ELEMENTS(uint32_t)
  } else if (piece == sizeof(uint64_t)) {
    COPY_ELEMENTS(uint64_t)
  } else if (piece == sizeof(uint16_t)) {
    COPY_ELEMENTS(uint16_t)
  } else {
    COPY_ELEMENTS(uint8_t)
  }
}

/* What the vectors of a row need, beside the compiler's doubt that storing bytes changes it. */
struct row_vectors {
  const struct pick_vector* vectors;
  size_t count;
  size_t run_from, run_to, run_bytes; /* the pieces that lie in sequence */
  size_t doubled;                     /* words each of which is taken twice: the whole row, without vectors */
};

static struct row_vectors row_vectors(const struct pick_instance* instance) {
  const size_t begin = instance->run_begin, piece = instance->piece;
  const size_t first = (size_t)instance->indices[instance->num_axes - 1][begin];
  return (struct row_vectors){
      .vectors = instance->vectors,
      .count = instance->num_vectors,
      .run_from = first * piece,
      .run_to = begin * piece,
      .run_bytes = (instance->run_end - begin) * piece,
      .doubled = instance->doubles ? instance->columns / 2 : 0,
  };
}

/* Makes a row by vectors; the same again `again` bytes further on, unless that is 0. */
static inline __attribute__((always_inline)) void pick_row(struct row_vectors with, const uint8_t* row, uint8_t* output,
                                                           size_t again) {
  move_bytes(output + with.run_to, row + with.run_from, with.run_bytes);
  if (again != 0) {
    move_bytes(output + with.run_to + again, row + with.run_from, with.run_bytes);
  }
  for (size_t i = 0; i < with.count; i++) {
    const struct pick_vector* vector = &with.vectors[i];
    const v128_t picked = simd_pick_bytes(wasm_v128_load(row + vector->from), wasm_v128_load(&vector->places));
    const v128_t value = wasm_v128_or(picked, wasm_v128_load(&vector->fill));
    uint8_t* to = output + vector->to;
    wasm_v128_store(to, value);
    if (again != 0) {
      wasm_v128_store(to + again, value);
    }
  }
}

/* Makes a row by taking each word twice, at least four of them; the same again likewise. */
static inline __attribute__((always_inline)) void double_row(const uint8_t* row, uint8_t* output, size_t words,
                                                             size_t again) {
  for (size_t i = 0; i < words; i += 4) {
    const size_t at = (i + 4 <= words ? i : words - 4) * sizeof(uint32_t);
    const v128_t value = wasm_v128_load(row + at);
    const v128_t low = wasm_i32x4_shuffle(value, value, 0, 0, 1, 1),
                 high = wasm_i32x4_shuffle(value, value, 2, 2, 3, 3);
    uint8_t* to = output + 2 * at;
    wasm_v128_store(to, low);
    wasm_v128_store(to + 16, high);
    if (again != 0) {
      wasm_v128_store(to + again, low);
      wasm_v128_store(to + again + 16, high);
    }
  }
}

/* Makes a row in one of both ways: by vectors, or of words twice. */
static inline __attribute__((always_inline)) void make_row(struct row_vectors with, const uint8_t* row, uint8_t* output,
                                                           size_t again) {
  if (with.doubled > 0) {
    double_row(row, output, with.doubled, again);
  } else {
    pick_row(with, row, output, again);
  }
}

/* Copies the columns of a row one by one, but for those in sequence. */
static void copy_row(const struct pick_instance* instance, const uint8_t* row, uint8_t* output) {
  const size_t begin = instance->run_begin, end = instance->run_end, piece = instance->piece;
  if (begin < end) {
    const size_t first = (size_t)instance->indices[instance->num_axes - 1][begin];
    move_bytes(output + begin * piece, row + first * piece, (end - begin) * piece);
  }
  copy_columns(instance, row, output, 0, begin);
  copy_columns(instance, row, output, end, instance->columns);
}

/* What the axes around those of rows and columns make of a number of theirs: rows of the input to skip, -1 for none there. */
static ptrdiff_t source_of(const struct pick_instance* instance, size_t number) {
  size_t source = 0, scale = instance->num_axes > 1 ? instance->extents[instance->num_axes - 2] : 1;
  for (size_t axis = instance->num_axes - 1; axis-- > 1;) {
    const int32_t index = instance->indices[axis - 1][number % instance->out_extents[axis - 1]];
    if (index < 0) {
      return -1;
    }
    number /= instance->out_extents[axis - 1];
    source += (size_t)index * scale;
    scale *= instance->extents[axis - 1];
  }
  return (ptrdiff_t)(source + number * scale);
}

/*
 * Makes rows of the output.
 * @param input    what they are made of, NULL where they are filled
 * @param indices  of each in the input
 */
static void compute_rows(const struct pick_instance* instance, const uint8_t* input, const int32_t* indices,
                         uint8_t* output, size_t count) {
  const size_t out_row_bytes = instance->out_row_bytes, row_bytes = instance->row_bytes;
  const bool is_dense = instance->out_step == instance->piece,
             makes_rows = instance->num_vectors > 0 || instance->doubles;
  const struct row_vectors with = row_vectors(instance);
  for (size_t i = 0; i < count; i++, output += out_row_bytes) {
    const int32_t index = indices[i];
    const uint8_t* row = input + (size_t)index * row_bytes;
    if (input == NULL || index < 0) {
      fill_row(instance, output);
    } else if (i > 0 && indices[i - 1] == index && is_dense) {
      move_bytes(output, output - out_row_bytes, out_row_bytes);
    } else if (!makes_rows) {
      copy_row(instance, row, output);
    } else if (instance->makes_two && i + 1 < count && indices[i + 1] == index) {
      make_row(with, row, output, out_row_bytes);
      output += out_row_bytes;
      i++;
    } else {
      make_row(with, row, output, 0);
    }
  }
}

static void compute(void* context, size_t start, size_t count) {
  static const int32_t only = 0;
  const struct pick_instance* instance = context;
  const bool has_rows = instance->num_axes > 1;
  const size_t rows = has_rows ? instance->out_extents[instance->num_axes - 2] : 1;
  const int32_t* indices = has_rows ? instance->indices[instance->num_axes - 2] : &only;
  for (size_t end = start + count, next; start < end; start = next) {
    const size_t number = start / rows, row = start % rows;
    next = smaller(start + rows - row, end);
    const ptrdiff_t source = source_of(instance, number);
    compute_rows(instance, source < 0 ? NULL : instance->input + (size_t)source * instance->row_bytes, indices + row,
                 instance->output + start * instance->out_row_bytes, next - start);
  }
}

static bool are_doubled(const struct pick_instance* instance) {
  const size_t last = instance->num_axes - 1;
  const int32_t* columns = instance->indices[last];
  bool doubled = is_dense(instance) && instance->piece == sizeof(uint32_t) &&
                 instance->columns == 2 * instance->extents[last] && instance->extents[last] >= 4;
  for (size_t x = 0; doubled && x < instance->columns; x++) {
    doubled = columns[x] == (int32_t)(x / 2);
  }
  return doubled;
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  struct pick_instance* instance = opaque;
  instance->run_begin = instance->run_end = 0;
  if (is_dense(instance)) {
    find_run(instance);
  }
  instance->num_vectors = 0;
  instance->doubles = are_doubled(instance);
  if (!instance->doubles && takes_vectors(instance) &&
      find_vectors(instance, 0, instance->run_begin * instance->piece)) {
    find_vectors(instance, instance->run_end * instance->piece, instance->out_row_bytes);
  }
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->rows,
                                     bytes_per_task / (instance->out_row_bytes + 1) + 1, 0);
  return xnn_status_success;
}

const struct operator_type pick_type = {
    .name = "pick",
    .num_params = 3,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct pick_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
