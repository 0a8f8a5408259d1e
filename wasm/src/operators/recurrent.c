/* RNN, LSTM and GRU over all time steps, on our own kernels (kernels/recurrent.c). */
#include "kernels/recurrent.h"

#include <string.h>

#include "error.h"
#include "operator.h"
#include "sizes.h"

enum { max_directions = 2, max_phases = 2 };

/* Multiply-adds of one time step that are worth waking threads for. */
enum { shared_step = 1 << 15 };

struct recurrent_state {
  uint32_t gates;
  uint32_t directions;
  bool reverse; /* the only direction is backwards; of two, the second always is */
  bool has_memory, has_sequence;
  uint32_t num_phases;
  recurrent_phase phases[max_phases];
  struct recurrent_cell cells[max_directions];
};

struct recurrent_instance {
  const struct recurrent_state* state;
  size_t steps, batch, step_stride, batch_stride;
  size_t stride; /* between rows of states: the hidden size, up to whole panels */
  size_t longest;
  const float *inputs, *weights, *extra, *first_state, *first_memory;
  const int32_t* lengths;
  float *output, *workspace;
};

/* Where a task is: rows [row, row + rows) of a direction, panels [panel, panel + panels), one time step and phase. */
struct place {
  size_t direction, row, rows, panel, panels, step, phase;
};

static size_t hidden_of(const struct recurrent_instance* instance) {
  return instance->state->cells[0].hidden;
}

static size_t panels_of(const struct recurrent_instance* instance) {
  return instance->stride / panel_width;
}

/* The states of all directions: two arrays [directions, batch, stride] that take turns, then memory and reset. */
static float* states_of(const struct recurrent_instance* instance, size_t array, size_t direction, size_t row) {
  const size_t rows = (array * instance->state->directions + direction) * instance->batch + row;
  return instance->workspace + rows * instance->stride;
}

enum { memory_array = 2, reset_array = 3, num_arrays = 4 };

static bool set_phases(struct recurrent_state* state, uint32_t type) {
  static const struct {
    uint32_t gates, num_phases;
    recurrent_phase phases[max_phases];
  } cells[] = {
      [pyxnn_rnn] = {1, 1, {recurrent_rnn}},
      [pyxnn_lstm] = {4, 1, {recurrent_lstm}},
      [pyxnn_gru] = {3, 2, {recurrent_gru_gates, recurrent_gru_candidate}},
      [pyxnn_gru_reset_after] = {3, 1, {recurrent_gru_reset_after}},
  };
  if (type >= sizeof(cells) / sizeof(cells[0])) {
    return false;
  }
  state->gates = cells[type].gates;
  state->num_phases = cells[type].num_phases;
  memcpy(state->phases, cells[type].phases, sizeof(state->phases));
  state->has_memory = type == pyxnn_lstm;
  return true;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct recurrent_state state = {0};
  bool valid = set_phases(&state, take(params));
  struct recurrent_cell cell = {.hidden = take(params)};
  const uint32_t direction = take(params);
  state.directions = direction == pyxnn_bidirectional ? 2 : 1;
  state.reverse = direction == pyxnn_reverse;
  state.has_sequence = take(params) != 0;
  cell.clip = take_float(params);
  cell.input_forget = take(params) != 0;
  cell.peepholes = take(params) != 0;
  valid &= cell.hidden != 0;
  for (size_t d = 0; d < max_directions; d++) {
    for (size_t i = 0; i < 3; i++) {
      struct recurrent_activation* function = &cell.activations[i];
      function->type = take(params);
      function->alpha = take_float(params);
      function->beta = take_float(params);
      valid &= function->type <= pyxnn_activation_softplus;
    }
    state.cells[d] = cell;
  }
  if (!valid) {
    return xnn_status_invalid_parameter;
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct recurrent_instance* instance = opaque;
  instance->steps = take(dims);
  instance->batch = take(dims);
  instance->step_stride = take(dims);
  instance->batch_stride = take(dims);
  instance->stride = rounded_up(hidden_of(instance), panel_width);
  *workspace = num_arrays * instance->state->directions * instance->batch * instance->stride * sizeof(float);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct recurrent_instance* instance = opaque;
  instance->workspace = workspace;
  instance->inputs = tensors[0];
  instance->weights = tensors[1];
  instance->extra = tensors[2];
  instance->first_state = tensors[3];
  instance->first_memory = tensors[4];
  instance->lengths = tensors[5];
  instance->output = tensors[6];
  return xnn_status_success;
}

/* The row of the inputs, and of the sequence that comes out, of a sequence's time step. */
static size_t row_at(const struct recurrent_instance* instance, const struct place* place, size_t row) {
  const bool backwards = instance->state->reverse || place->direction == 1;
  const size_t step = backwards ? (size_t)instance->lengths[row] - 1 - place->step : place->step;
  return step * instance->step_stride + row * instance->batch_stride;
}

/* Copies units of a state. */
static void copy_units(float* to, const float* from, size_t units) {
  memcpy(to, from, units * sizeof(*to));
}

/* Computes a tile: some panels of rows that all go on. */
static void compute_tile(const struct recurrent_instance* instance, const struct place* place, size_t row, size_t rows,
                         size_t panel, size_t panels) {
  const struct recurrent_state* state = instance->state;
  const size_t hidden = hidden_of(instance), d = place->direction;
  const size_t first = panel * panel_width, panel_stride = state->gates * hidden * panel_width;
  const size_t before = place->step % 2, extras = state->has_memory ? 3 : 1;
  struct recurrent_tile tile = {
      .rows = rows,
      .panels = panels,
      .units = smaller(hidden - first, panels * panel_width),
      .first = first,
      .stride = instance->stride,
      .weights = instance->weights + (d * panels_of(instance) + panel) * panel_stride,
      .panel_stride = panel_stride,
      .extra = instance->extra + d * extras * hidden,
      .state = states_of(instance, before, d, row),
      .next = states_of(instance, 1 - before, d, row) + first,
      .memory = states_of(instance, memory_array, d, row) + first,
      .reset = states_of(instance, reset_array, d, row),
  };
  for (size_t i = 0; i < rows; i++) {
    const size_t at = row_at(instance, place, row + i) * state->directions + d;
    tile.inputs[i] = instance->inputs + at * state->gates * hidden;
  }
  state->phases[place->phase](&state->cells[d], &tile);
  if (place->phase + 1 == state->num_phases && state->has_sequence) {
    for (size_t i = 0; i < rows; i++) {
      const size_t at = row_at(instance, place, row + i) * state->directions + d;
      copy_units(instance->output + at * hidden + first, tile.next + i * tile.stride, tile.units);
    }
  }
}

static bool goes_on(const struct recurrent_instance* instance, const struct place* place, size_t row) {
  return place->step < (size_t)instance->lengths[row];
}

/* Runs one phase of one time step; sequences that have ended keep their state. */
static void compute(const struct recurrent_instance* instance, const struct place* place) {
  const size_t end = place->row + place->rows;
  const size_t end_panel = place->panel + place->panels;
  for (size_t panel = place->panel; panel < end_panel; panel += recurrent_panels) {
    const size_t panels = smaller(end_panel - panel, recurrent_panels);
    for (size_t row = place->row; row < end;) {
      size_t rows = 0;
      while (rows < recurrent_rows && row + rows < end && goes_on(instance, place, row + rows)) {
        rows++;
      }
      if (rows != 0) {
        compute_tile(instance, place, row, rows, panel, panels);
        row += rows;
      } else {
        const size_t before = place->step % 2, offset = panel * panel_width;
        copy_units(states_of(instance, 1 - before, place->direction, row) + offset,
                   states_of(instance, before, place->direction, row) + offset, panels * panel_width);
        row++;
      }
    }
  }
}

/* All time steps of some sequences. */
static void compute_sequences(void* context, size_t direction, size_t row, size_t rows) {
  const struct recurrent_instance* instance = context;
  struct place place = {.direction = direction, .row = row, .rows = rows, .panels = panels_of(instance)};
  for (; place.step < instance->longest; place.step++) {
    for (place.phase = 0; place.phase < instance->state->num_phases; place.phase++) {
      compute(instance, &place);
    }
  }
}

struct shared {
  const struct recurrent_instance* instance;
  size_t step, phase;
};

/* One phase of a time step, for some panels of all sequences. */
static void compute_panels(void* context, size_t direction, size_t panel, size_t panels) {
  const struct shared* shared = context;
  const struct place place = {direction, 0, shared->instance->batch, panel, panels, shared->step, shared->phase};
  compute(shared->instance, &place);
}

/* Sequences are independent: each thread takes its own, unless there are too few for that and a step is worth sharing. */
static void run_steps(struct recurrent_instance* instance, pthreadpool_t pool) {
  const struct recurrent_state* state = instance->state;
  const size_t threads = pthreadpool_get_threads_count(pool), hidden = hidden_of(instance);
  const size_t groups = divide_up(instance->batch, recurrent_rows);
  const size_t work = state->directions * instance->batch * state->gates * hidden * hidden;
  const size_t parts = divide_up(threads, state->directions);
  if (groups * state->directions >= threads || work < shared_step) {
    pthreadpool_parallelize_2d_tile_1d(pool, compute_sequences, instance, state->directions, instance->batch,
                                       divide_up(groups, parts) * recurrent_rows, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
    return;
  }
  struct shared shared = {.instance = instance};
  for (; shared.step < instance->longest; shared.step++) {
    for (shared.phase = 0; shared.phase < state->num_phases; shared.phase++) {
      pthreadpool_parallelize_2d_tile_1d(pool, compute_panels, &shared, state->directions, panels_of(instance),
                                         divide_up(panels_of(instance), parts), PTHREADPOOL_FLAG_DISABLE_DENORMALS);
    }
  }
}

/* The longest of the sequences' lengths; SIZE_MAX, and a message, when one isn't within the steps. */
static size_t longest_of(const struct recurrent_instance* instance) {
  size_t longest = 0;
  for (size_t row = 0; row < instance->batch; row++) {
    const int32_t length = instance->lengths[row];
    if (length < 0 || (size_t)length > instance->steps) {
      pyxnn_error(pyxnn_invalid_input, "sequence_lens has %d, which is not within [0, %u]", (int)length,
                  (unsigned)instance->steps);
      return SIZE_MAX;
    }
    longest = (size_t)length > longest ? (size_t)length : longest;
  }
  return longest;
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  struct recurrent_instance* instance = opaque;
  const struct recurrent_state* state = instance->state;
  const size_t hidden = hidden_of(instance), rows = state->directions * instance->batch;
  instance->longest = longest_of(instance);
  if (instance->longest == SIZE_MAX) {
    return xnn_status_invalid_parameter;
  }
  memset(instance->workspace, 0, num_arrays * rows * instance->stride * sizeof(float));
  for (size_t row = 0; row < rows; row++) {
    copy_units(states_of(instance, 0, 0, row), instance->first_state + row * hidden, hidden);
    if (state->has_memory) {
      copy_units(states_of(instance, memory_array, 0, row), instance->first_memory + row * hidden, hidden);
    }
  }
  float* last = instance->output;
  if (state->has_sequence) {
    const size_t count = instance->steps * rows * hidden;
    memset(last, 0, count * sizeof(*last));
    last += count;
  }
  run_steps(instance, pool);
  for (size_t row = 0; row < rows; row++) {
    copy_units(last + row * hidden, states_of(instance, instance->longest % 2, 0, row), hidden);
    if (state->has_memory) {
      copy_units(last + (rows + row) * hidden, states_of(instance, memory_array, 0, row), hidden);
    }
  }
  return xnn_status_success;
}

const struct operator_type recurrent_type = {
    .name = "recurrent layer",
    .num_params = 25,
    .num_refs = 7,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct recurrent_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
