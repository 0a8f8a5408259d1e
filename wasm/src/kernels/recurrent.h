/* One time step of recurrent cells, for a tile of their hidden units. */
#ifndef PYXNN_KERNELS_RECURRENT_H
#define PYXNN_KERNELS_RECURRENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/panel.h"

/*
 * A tile is some hidden units of some sequences: up to so many panels of weights, and so many rows. Functions of gates take
 * several vectors at a time, of which a panel has two.
 */
enum {
  recurrent_panels = 4,
  recurrent_units = recurrent_panels * panel_width,
  recurrent_rows = panel_rows,
};

/* A function of enum pyxnn_activation_type. */
struct recurrent_activation {
  uint32_t type;
  float alpha, beta;
};

/* A cell of one direction. */
struct recurrent_cell {
  size_t hidden;
  float clip;                                 /* what goes into the gates' activations is kept within [-clip, clip] */
  bool input_forget;                          /* LSTM: the forget gate is 1 - the input gate */
  bool peepholes;                             /* LSTM: `extra` is added to the gates */
  struct recurrent_activation activations[3]; /* ONNX's f, g and h */
};

/*
 * What a time step of a tile reads and writes. Arrays of states are [rows, stride]; their pointers are to the tile's first
 * unit, but for `state` and `reset`, which the product takes whole.
 */
struct recurrent_tile {
  size_t rows;   /* 1 to recurrent_rows */
  size_t panels; /* 1 to recurrent_panels */
  size_t units;  /* of these panels; more are computed, from nothing, up to whole panels */
  size_t first;  /* the first unit */
  size_t stride;
  const float* inputs[recurrent_rows]; /* of each row, [gates, hidden]: what the input adds to the gates */
  const float* weights;                /* [panels, gates, hidden, panel_width], zeros for units that aren't there */
  size_t panel_stride;                 /* floats from one panel's weights to the next one's */
  const float* extra; /* LSTM: [3, hidden] peepholes of i, o and f; GRU: [hidden] addends of the recurrent candidate */
  const float* state; /* the hidden state before the step */
  float* next;        /* the hidden state after it */
  float* memory;      /* LSTM: the cell state, updated in place; GRU: the update gate, between its phases */
  float* reset;       /* GRU: the state times the reset gate, between its phases */
};

/* A step of a tile, or a phase of it: a phase begins when all tiles of the state have gone through the one before. */
typedef void (*recurrent_phase)(const struct recurrent_cell* cell, const struct recurrent_tile* tile);

/* RNN: its only gate is the state. */
void recurrent_rnn(const struct recurrent_cell* cell, const struct recurrent_tile* tile);

/* LSTM: gates i, o, f, c. */
void recurrent_lstm(const struct recurrent_cell* cell, const struct recurrent_tile* tile);

/* GRU that resets after the product (linear_before_reset): gates z, r, h. */
void recurrent_gru_reset_after(const struct recurrent_cell* cell, const struct recurrent_tile* tile);

/* GRU that resets before the product, first phase: `memory` gets z, `reset` gets r * state. */
void recurrent_gru_gates(const struct recurrent_cell* cell, const struct recurrent_tile* tile);

/* The second phase. */
void recurrent_gru_candidate(const struct recurrent_cell* cell, const struct recurrent_tile* tile);

#endif
