/* The parts of attention, for a few rows of queries at a time. */
#ifndef PYXNN_KERNELS_ATTENTION_H
#define PYXNN_KERNELS_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  attention_rows = 4,    /* the most rows at a time; with more, V8 keeps too little in registers */
  attention_columns = 8, /* columns of a panel */
  attention_streams = 4, /* far places that are read side by side, as the machine fetches each ahead by itself */
};

/*
 * Copies rows to a panel [length][attention_columns]: row j becomes column j, and zeros the columns that have no row.
 * @param rows    the first row; they are `stride` apart
 * @param count   of rows, at most attention_columns
 * @param length  of a row
 * @param panel   receives length * attention_columns floats
 */
void attention_pack_rows(const float* rows, size_t stride, size_t count, size_t length, float* panel);

/*
 * Products of rows with columns, which lie in panels of attention_columns: output[r][8 * p + c] = factors[r] * sum of
 * rows[r][i] * panel[p * panel_stride + i * stride + c].
 * @param count    of rows, 1 to attention_rows
 * @param rows     where each begins
 * @param panel    the first of the panels, with `length` rows of attention_columns floats each
 * @param length   of the sums
 * @param factors  one a row
 * @param outputs  where the results of each row go
 * @param columns  of all panels; the last panel may have some more, which don't count
 * @param more     whether the results are added to the outputs
 */
void attention_products(size_t count, const float* const* rows, const float* panel, size_t panel_stride, size_t stride,
                        size_t length, const float* factors, float* const* outputs, size_t columns, bool more);

/*
 * The same of one row by columns that are read in streams: element i of the row counts for i, i + apart, ... i + 3 * apart,
 * with i below `length`.
 */
void attention_product_of_streams(const float* row, const float* panel, size_t panel_stride, size_t stride,
                                  size_t apart, size_t length, float factor, float* output, size_t columns, bool more);

/*
 * Products of rows with each of others: outputs[r][at + j] = factor * sum of rows[r][i] * others[j * stride + i]. For others
 * that are used too seldom to pack them; one row reads them in streams, so it should be given as many as there are.
 * @param rows_count  of the rows, 1 to attention_rows
 * @param count       of the others
 * @param outputs     where the results of each row go
 */
void attention_dots(size_t rows_count, const float* const* rows, const float* others, size_t stride, size_t count,
                    size_t length, float factor, float* const* outputs, size_t at);

/*
 * Makes of the scores of one row e^(score - greatest score), which must still be divided by their sum.
 * @param scores     count rounded up to four floats; becomes the weights, zeros behind `count`
 * @param softcap    0 for none, else scores s become softcap * tanh(s / softcap) first
 * @param mask       floats to add to the scores then, or NULL
 * @param mask_bits  bytes, zero where a score doesn't count, or NULL; not both
 * @return 1 / sum, or 0 where no score counts: then all weights are 0
 */
float attention_weights(float* scores, size_t count, float softcap, const float* mask, const uint8_t* mask_bits);

#endif
