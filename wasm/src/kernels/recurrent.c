/*
 * The product of the state with a panel of the recurrent weights stays in registers (kernels/panel.h). The gates' functions
 * follow for a few panels at a time, while their sums are in the first-level cache.
 */
#include "kernels/recurrent.h"

#include <pyxnn.h>

#include "kernels/elementary.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

enum { width = recurrent_units };

/* A gate's sums, and what its function makes of them: [rows, width]. */
typedef float gate_values[recurrent_rows * width];

/* Adds the products of eight columns to values. */
INLINE void add_sums(float* values, const v128_t* sums) {
#pragma unroll
  for (size_t half = 0; half < 2; half++) {
    float* value = values + half * 4;
    wasm_v128_store(value, wasm_f32x4_add(wasm_v128_load(value), sums[half]));
  }
}

/* values [rows, width], of a panel's columns, += state [rows, hidden] * weights of a panel; of 2 rows or more. */
INLINE void add_product(const float* state, size_t stride, const float* weights, size_t hidden, size_t rows,
                        float* values) {
  v128_t sums[panel_rows][2];
  panel_product(state, stride, weights, hidden, rows, sums);
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
    add_sums(values + row * width, sums[row]);
  }
}

/* The same of one row and of `count` gates, whose panels lie one after the other: caches fetch ahead in each. */
INLINE void add_row_products(const float* state, const float* weights, size_t hidden, size_t count, gate_values* gates,
                             size_t at) {
  v128_t sums[panel_rows][2];
  panel_row_products(state, weights, hidden * panel_width, hidden, count, 2, sums);
#pragma unroll
  for (size_t gate = 0; gate < count; gate++) {
    add_sums(gates[gate] + at, sums[gate]);
  }
}

/* The values of `count` gates from `first` on += state * their weights. */
static void add_products(const struct recurrent_cell* cell, const struct recurrent_tile* tile, const float* state,
                         size_t first, size_t count, gate_values* gates) {
  const size_t hidden = cell->hidden, stride = tile->stride, gate_stride = hidden * panel_width;
  for (size_t panel = 0; panel < tile->panels; panel++) {
    const float* weights = tile->weights + panel * tile->panel_stride + first * gate_stride;
    const size_t at = panel * panel_width;
    for (size_t gate = 0, done = 1; gate < count; gate += done, weights += done * gate_stride) {
      switch (tile->rows) {
        case 1:
          done = smaller(count - gate, 2);
          if (done == 2) {
            add_row_products(state, weights, hidden, 2, gates + gate, at);
          } else {
            add_row_products(state, weights, hidden, 1, gates + gate, at);
          }
          break;
        case 2:
          add_product(state, stride, weights, hidden, 2, gates[gate] + at);
          break;
        case 3:
          add_product(state, stride, weights, hidden, 3, gates[gate] + at);
          break;
        default:
          add_product(state, stride, weights, hidden, 4, gates[gate] + at);
      }
    }
  }
}

INLINE v128_t activate4(const struct recurrent_activation* function, v128_t x) {
  const v128_t zero = wasm_f32x4_splat(0.0f), one = wasm_f32x4_splat(1.0f);
  const v128_t alpha = wasm_f32x4_splat(function->alpha), beta = wasm_f32x4_splat(function->beta);
  const v128_t magnitude = wasm_f32x4_abs(x);
  switch (function->type) {
    case pyxnn_activation_sigmoid:
      return simd_sigmoid(x);
    case pyxnn_activation_tanh:
      return simd_tanh(x);
    case pyxnn_activation_relu:
      return wasm_f32x4_pmax(x, zero);
    case pyxnn_activation_affine:
      return simd_madd(alpha, x, beta);
    case pyxnn_activation_leaky_relu:
      return wasm_v128_bitselect(wasm_f32x4_mul(alpha, x), x, wasm_f32x4_lt(x, zero));
    case pyxnn_activation_thresholded_relu:
      return wasm_v128_bitselect(x, zero, wasm_f32x4_gt(x, alpha));
    case pyxnn_activation_scaled_tanh:
      return wasm_f32x4_mul(alpha, simd_tanh(wasm_f32x4_mul(beta, x)));
    case pyxnn_activation_hard_sigmoid:
      return simd_clamp(simd_madd(alpha, x, beta), zero, one);
    case pyxnn_activation_elu: {
      const v128_t below = wasm_f32x4_mul(alpha, wasm_f32x4_sub(simd_exp(x), one));
      return wasm_v128_bitselect(below, x, wasm_f32x4_lt(x, zero));
    }
    case pyxnn_activation_softsign:
      return wasm_f32x4_div(x, wasm_f32x4_add(one, magnitude));
    default: /* softplus */
      return wasm_f32x4_add(wasm_f32x4_pmax(x, zero), simd_log1p(simd_exp(wasm_f32x4_neg(magnitude))));
  }
}

/* Clips and activates vectors: the usual functions step by step, as the steps of one vector wait for each other. */
INLINE void activate_each(const struct recurrent_activation* function, v128_t clip, v128_t* x, size_t count) {
  SIMD_EACH(i) x[i] = simd_clamp(x[i], wasm_f32x4_neg(clip), clip);
  if (function->type == pyxnn_activation_sigmoid) {
    v128_t y[simd_most];
    SIMD_EACH(i) y[i] = SIMD_CONSTANT(one);
    SIMD_EACH(i) x[i] = wasm_v128_xor(x[i], SIMD_CONSTANT(sign));
    simd_divide_by_power_each(y, x, count);
    SIMD_EACH(i) x[i] = y[i];
  } else if (function->type == pyxnn_activation_tanh) {
    simd_tanh_each(x, count);
  } else {
    SIMD_EACH(i) x[i] = activate4(function, x[i]);
  }
}

INLINE void activate_columns(const struct recurrent_activation* function, v128_t clip, float* values, size_t count) {
  v128_t x[simd_most];
  SIMD_EACH(i) x[i] = wasm_v128_load(values + i * 4);
  activate_each(function, clip, x, count);
  SIMD_EACH(i) wasm_v128_store(values + i * 4, x[i]);
}

INLINE void activate_all(const struct recurrent_activation* function, const struct recurrent_tile* tile, v128_t clip,
                         float* values) {
  const size_t columns = tile->panels * panel_width;
  for (size_t row = 0; row < tile->rows; row++) {
    float* own = values + row * width;
    size_t i = 0;
    for (; i + 16 <= columns; i += 16) {
      activate_columns(function, clip, own + i, 4);
    }
    if (i < columns) {
      activate_columns(function, clip, own + i, 2);
    }
  }
}

/* Clips and activates the values of a gate, in place. */
static void activate(const struct recurrent_activation* function, const struct recurrent_tile* tile, float clip,
                     float* values) {
  const v128_t clips = wasm_f32x4_splat(clip);
/* The loop is inside the cases: each compiles to one without branches. */
#define EACH(name)                                                                   \
  case name: {                                                                       \
    const struct recurrent_activation own = {name, function->alpha, function->beta}; \
    activate_all(&own, tile, clips, values);                                         \
    break;                                                                           \
  }
  switch (function->type) {
    EACH(pyxnn_activation_sigmoid)
    EACH(pyxnn_activation_tanh)
    EACH(pyxnn_activation_relu)
    EACH(pyxnn_activation_affine)
    EACH(pyxnn_activation_leaky_relu)
    EACH(pyxnn_activation_thresholded_relu)
    EACH(pyxnn_activation_scaled_tanh)
    EACH(pyxnn_activation_hard_sigmoid)
    EACH(pyxnn_activation_elu)
    EACH(pyxnn_activation_softsign)
    EACH(pyxnn_activation_softplus)
  }
#undef EACH
}

/* Four columns of a tile's last panel may not be there: zeros stand for them. */
static v128_t load_columns(const float* from, size_t column, size_t units) {
  return column < units ? simd_load(from + column, units - column) : wasm_f32x4_const_splat(0.0f);
}

/* values [rows, width] = what the input adds to a gate. */
static void load_inputs(const struct recurrent_cell* cell, const struct recurrent_tile* tile, size_t gate,
                        float* values) {
  const size_t offset = gate * cell->hidden + tile->first;
  for (size_t row = 0; row < tile->rows; row++) {
    const float* from = tile->inputs[row] + offset;
    for (size_t i = 0; i < tile->panels * panel_width; i += 4) {
      wasm_v128_store(values + row * width + i, load_columns(from, i, tile->units));
    }
  }
}

/* The same of `count` gates from `first` on, plus the products of a state with their weights. */
static void load_gates(const struct recurrent_cell* cell, const struct recurrent_tile* tile, const float* state,
                       size_t first, size_t count, gate_values* gates) {
  for (size_t gate = 0; gate < count; gate++) {
    load_inputs(cell, tile, first + gate, gates[gate]);
  }
  add_products(cell, tile, state, first, count, gates);
}

/* Over the vectors of a tile: columns from `i` on, which are at `at` in a gate's values, at `place` in the states. */
#define FOR_EACH_VECTOR(tile, at, place)                                                                 \
  for (size_t row = 0; row < (tile)->rows; row++)                                                        \
    for (size_t i = 0, at = row * width, place = row * (tile)->stride; i < (tile)->panels * panel_width; \
         i += 4, at += 4, place += 4)

/* values += peephole `index` * memory. */
static void add_peephole(const struct recurrent_cell* cell, const struct recurrent_tile* tile, size_t index,
                         float* values) {
  const float* peephole = tile->extra + index * cell->hidden + tile->first;
  FOR_EACH_VECTOR(tile, at, place) {
    const v128_t memory = wasm_v128_load(tile->memory + place);
    const v128_t own = load_columns(peephole, i, tile->units);
    wasm_v128_store(values + at, simd_madd(own, memory, wasm_v128_load(values + at)));
  }
}

void recurrent_rnn(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  gate_values gate;
  load_gates(cell, tile, tile->state, 0, 1, &gate);
  activate(&cell->activations[0], tile, cell->clip, gate);
  FOR_EACH_VECTOR(tile, at, place) {
    wasm_v128_store(tile->next + place, wasm_v128_load(gate + at));
  }
}

void recurrent_lstm(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  enum { input, output, forget, cells };
  gate_values gates[4];
  load_gates(cell, tile, tile->state, 0, 4, gates);
  if (cell->peepholes) {
    add_peephole(cell, tile, 0, gates[input]);
    add_peephole(cell, tile, 2, gates[forget]);
  }
  activate(&cell->activations[0], tile, cell->clip, gates[input]);
  if (cell->input_forget) {
    FOR_EACH_VECTOR(tile, at, place) {
      const v128_t rest = wasm_f32x4_sub(wasm_f32x4_splat(1.0f), wasm_v128_load(gates[input] + at));
      wasm_v128_store(gates[forget] + at, rest);
    }
  } else {
    activate(&cell->activations[0], tile, cell->clip, gates[forget]);
  }
  activate(&cell->activations[1], tile, cell->clip, gates[cells]);
  FOR_EACH_VECTOR(tile, at, place) {
    const v128_t kept = wasm_f32x4_mul(wasm_v128_load(gates[forget] + at), wasm_v128_load(tile->memory + place));
    const v128_t value = simd_madd(wasm_v128_load(gates[input] + at), wasm_v128_load(gates[cells] + at), kept);
    wasm_v128_store(tile->memory + place, value);
    wasm_v128_store(gates[cells] + at, value);
  }
  if (cell->peepholes) {
    add_peephole(cell, tile, 1, gates[output]);
  }
  activate(&cell->activations[0], tile, cell->clip, gates[output]);
  activate(&cell->activations[2], tile, __builtin_inff(), gates[cells]);
  FOR_EACH_VECTOR(tile, at, place) {
    const v128_t value = wasm_f32x4_mul(wasm_v128_load(gates[output] + at), wasm_v128_load(gates[cells] + at));
    wasm_v128_store(tile->next + place, value);
  }
}

/* next = (1 - update) * candidate + update * state. */
INLINE void mix(const struct recurrent_tile* tile, const v128_t update, const v128_t candidate, size_t place) {
  const v128_t state = wasm_v128_load(tile->state + tile->first + place);
  wasm_v128_store(tile->next + place, simd_madd(update, wasm_f32x4_sub(state, candidate), candidate));
}

void recurrent_gru_reset_after(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  enum { z, r, h };
  gate_values gates[3], candidate;
  load_inputs(cell, tile, z, gates[z]);
  load_inputs(cell, tile, r, gates[r]);
  FOR_EACH_VECTOR(tile, at, place) {
    wasm_v128_store(gates[h] + at, load_columns(tile->extra + tile->first, i, tile->units));
  }
  add_products(cell, tile, tile->state, 0, 3, gates);
  activate(&cell->activations[0], tile, cell->clip, gates[z]);
  activate(&cell->activations[0], tile, cell->clip, gates[r]);
  load_inputs(cell, tile, h, candidate);
  FOR_EACH_VECTOR(tile, at, place) {
    const v128_t own = wasm_v128_load(candidate + at), reset = wasm_v128_load(gates[r] + at);
    wasm_v128_store(candidate + at, simd_madd(reset, wasm_v128_load(gates[h] + at), own));
  }
  activate(&cell->activations[1], tile, cell->clip, candidate);
  FOR_EACH_VECTOR(tile, at, place) {
    mix(tile, wasm_v128_load(gates[z] + at), wasm_v128_load(candidate + at), place);
  }
}

void recurrent_gru_gates(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  enum { z, r };
  gate_values gates[2];
  load_gates(cell, tile, tile->state, 0, 2, gates);
  activate(&cell->activations[0], tile, cell->clip, gates[z]);
  activate(&cell->activations[0], tile, cell->clip, gates[r]);
  FOR_EACH_VECTOR(tile, at, place) {
    const v128_t state = wasm_v128_load(tile->state + tile->first + place);
    wasm_v128_store(tile->memory + place, wasm_v128_load(gates[z] + at));
    wasm_v128_store(tile->reset + tile->first + place, wasm_f32x4_mul(wasm_v128_load(gates[r] + at), state));
  }
}

void recurrent_gru_candidate(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  gate_values gate;
  load_gates(cell, tile, tile->reset, 2, 1, &gate);
  activate(&cell->activations[1], tile, cell->clip, gate);
  FOR_EACH_VECTOR(tile, at, place) {
    mix(tile, wasm_v128_load(tile->memory + place), wasm_v128_load(gate + at), place);
  }
}
